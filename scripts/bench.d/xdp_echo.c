/* The floor over AF_XDP: sends the frame of each query over IPv4 back with QR and AA set, as a frame of its own.
 *
 * The frame turns round where it lies, without a UDP checksum, which IPv4 allows; batches of up to 64, nothing else: no
 * server over AF_XDP that copies spends less. xdp_echo.py starts it: xdp_echo SOCKET MAP INTERFACE-INDEX */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif
enum {
    FRAMES = 4096,
    FRAME_BYTES = 2048,
    RING = 2048,
    BATCH = 64,
    KICKS_MAX = 256,
    IP_AT = 14,
    UDP_AT = 34,
    DATA_AT = 42,
    FLAGS_AT = DATA_AT + 2,
    QR_AND_AA = 0x84
};

struct ring {
    uint32_t *producer, *consumer, size;
    void *entries;
};

static unsigned char *frames;
static struct ring received, sent, fill, completed;

static uint32_t load(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static void store(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct ring map_ring(int fd, uint32_t size, size_t entry, uint64_t place, struct xdp_ring_offset *at)
{
    unsigned char *ring =
        mmap(NULL, at->desc + size * entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)place);
    if (ring == MAP_FAILED)
        fail("xdp_echo: mmap");
    return (struct ring){(uint32_t *)(ring + at->producer), (uint32_t *)(ring + at->consumer), size, ring + at->desc};
}

static void set(int fd, int option, const void *value, unsigned size)
{
    if (setsockopt(fd, SOL_XDP, option, value, size) < 0)
        fail("xdp_echo: setsockopt");
}

static void set_up(int fd)
{
    int options[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING}, size = RING, all = FRAMES;
    frames = mmap(NULL, FRAMES * FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (frames == MAP_FAILED)
        fail("xdp_echo: mmap");
    uint64_t memory[4] = {(uint64_t)(uintptr_t)frames, FRAMES * FRAME_BYTES, FRAME_BYTES, 0};
    set(fd, XDP_UMEM_REG, memory, sizeof memory);
    for (int i = 0; i < 4; i++)
        set(fd, options[i], i ? &size : &all, sizeof size);
    struct xdp_mmap_offsets at;
    socklen_t bytes = sizeof at;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &bytes) < 0)
        fail("xdp_echo: getsockopt");
    received = map_ring(fd, RING, sizeof(struct xdp_desc), XDP_PGOFF_RX_RING, &at.rx);
    sent = map_ring(fd, RING, sizeof(struct xdp_desc), XDP_PGOFF_TX_RING, &at.tx);
    fill = map_ring(fd, FRAMES, sizeof(uint64_t), XDP_UMEM_PGOFF_FILL_RING, &at.fr);
    completed = map_ring(fd, RING, sizeof(uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING, &at.cr);
    for (uint32_t i = 0; i < FRAMES; i++)
        ((uint64_t *)fill.entries)[i] = (uint64_t)i * FRAME_BYTES;
    store(fill.producer, FRAMES);
}

static void begin(int fd, int map, unsigned interface)
{
    struct sockaddr_xdp here = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_USE_NEED_WAKEUP, .sxdp_ifindex = interface};
    if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0)
        fail("xdp_echo: bind");
    uint32_t queue = 0, value = (uint32_t)fd;
    union bpf_attr entry;
    memset(&entry, 0, sizeof entry);
    entry.map_fd = (uint32_t)map;
    entry.key = (uint64_t)(uintptr_t)&queue;
    entry.value = (uint64_t)(uintptr_t)&value;
    if (syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &entry, sizeof entry) < 0)
        fail("xdp_echo: bpf");
}

static void swap(unsigned char *one, unsigned char *other, size_t size)
{
    unsigned char kept[8];
    memcpy(kept, one, size);
    memcpy(one, other, size);
    memcpy(other, kept, size);
}

static void turn(unsigned char *frame, uint32_t length)
{
    swap(frame, frame + 6, 6);
    swap(frame + IP_AT + 12, frame + IP_AT + 16, 4);
    swap(frame + UDP_AT, frame + UDP_AT + 2, 2);
    memset(frame + UDP_AT + 6, 0, 2);
    if (length > FLAGS_AT)
        frame[FLAGS_AT] |= QR_AND_AA;
}

static void send_all(int fd)
{
    for (int i = 0; i < KICKS_MAX && load(sent.consumer) != *sent.producer; i++)
        if (sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EBUSY && errno != ENOBUFS)
            fail("xdp_echo: sendto");
}

static void give_back(void)
{
    uint32_t at = *completed.consumer, end = load(completed.producer), to = *fill.producer;
    for (; at != end; at++, to++)
        ((uint64_t *)fill.entries)[to % FRAMES] =
            ((uint64_t *)completed.entries)[at % RING] & ~(uint64_t)(FRAME_BYTES - 1);
    store(completed.consumer, at);
    store(fill.producer, to);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: xdp_echo SOCKET MAP INTERFACE-INDEX\n");
        return 2;
    }
    int fd = atoi(argv[1]);
    set_up(fd);
    begin(fd, atoi(argv[2]), (unsigned)atoi(argv[3]));
    for (;;) {
        uint32_t at = *received.consumer, count = load(received.producer) - at, to = *sent.producer;
        if (!count) {
            struct pollfd one = {.fd = fd, .events = POLLIN};
            if (poll(&one, 1, -1) < 0 && errno != EINTR)
                fail("xdp_echo: poll");
            continue;
        }
        if (count > BATCH)
            count = BATCH;
        for (uint32_t i = 0; i < count; i++) {
            struct xdp_desc *query = &((struct xdp_desc *)received.entries)[(at + i) % RING];
            turn(frames + query->addr, query->len);
            ((struct xdp_desc *)sent.entries)[(to + i) % RING] = *query;
        }
        store(received.consumer, at + count);
        store(sent.producer, to + count);
        send_all(fd);
        give_back();
    }
}
