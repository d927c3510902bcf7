# What a queue's socket asks of the kernel: structures and functions, and the few steps of its set-up in C.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <linux/bpf.h>
    #include <linux/if_xdp.h>
    #include <poll.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <sys/prctl.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #ifndef SOL_XDP
    #define SOL_XDP 283
    #endif
    #ifndef AF_XDP
    #define AF_XDP 44
    #endif
    #ifndef XDP_MAX_TX_SKB_BUDGET
    #define XDP_MAX_TX_SKB_BUDGET 9
    #endif

    #define LBDNS_LOAD_WORD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define LBDNS_STORE_WORD(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

    /* Memory for frames: huge pages where the system gives them, else ordinary ones that it may join. */
    static void *lbdns_frames(size_t bytes) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
        if (at == MAP_FAILED) at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
        return at == MAP_FAILED ? NULL : at;
    }

    static void *lbdns_ring(int fd, size_t bytes, uint64_t place) {
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)place);
        return at == MAP_FAILED ? NULL : at;
    }

    static int lbdns_set_xsk(int fd, int option, const void *value, unsigned size) {
        return setsockopt(fd, SOL_XDP, option, value, size) < 0 ? errno : 0;
    }

    /* The rest of the structure, which newer kernels know, is zero. */
    static int lbdns_register(int fd, void *frames, uint64_t bytes, uint32_t chunk) {
        uint64_t words[4] = {(uint64_t)(uintptr_t)frames, bytes, chunk, 0};
        return lbdns_set_xsk(fd, XDP_UMEM_REG, words, sizeof words);
    }

    static int lbdns_set_number(int fd, int option, int entries) {
        return lbdns_set_xsk(fd, option, &entries, sizeof entries);
    }

    static int lbdns_offsets(int fd, struct xdp_mmap_offsets *offsets) {
        socklen_t size = sizeof *offsets;
        memset(offsets, 0, sizeof *offsets);
        return getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, offsets, &size) < 0 ? errno : 0;
    }

    static int lbdns_bind_xsk(int fd, unsigned interface, unsigned queue, int copies) {
        struct sockaddr_xdp address = {0};
        address.sxdp_family = AF_XDP;
        address.sxdp_ifindex = interface;
        address.sxdp_queue_id = queue;
        address.sxdp_flags = XDP_USE_NEED_WAKEUP | (copies ? XDP_COPY : 0);
        return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
    }

    /* Put a queue's socket into the map of a filter, or take it out (fd < 0). */
    static int lbdns_enter_map(int map, uint32_t queue, int fd) {
        union bpf_attr entry;
        uint32_t value = (uint32_t)fd;
        memset(&entry, 0, sizeof entry);
        entry.map_fd = map;
        entry.key = (uint64_t)(uintptr_t)&queue;
        entry.value = fd < 0 ? 0 : (uint64_t)(uintptr_t)&value;
        return syscall(SYS_bpf, fd < 0 ? BPF_MAP_DELETE_ELEM : BPF_MAP_UPDATE_ELEM, &entry, sizeof entry) < 0 ? errno : 0;
    }

    static int lbdns_losses(int fd, struct xdp_statistics *found) {
        socklen_t size = sizeof *found;
        memset(found, 0, sizeof *found);
        return getsockopt(fd, SOL_XDP, XDP_STATISTICS, found, &size) < 0 ? errno : 0;
    }

    /* Ask for what a query's frame begins with: headers and, in the second line, most of its name. */
    static inline void lbdns_fetch_frame(const uint8_t *frame) {
        __builtin_prefetch(frame, 0, 3);
        __builtin_prefetch(frame + 64, 0, 3);
    }

    /* Have the kernel send what stands in the ring. */
    static int lbdns_kick(int fd) { return sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0; }

    static void lbdns_wait(int fd, int event, int wait_ms) {
        struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.fd = event, .events = POLLIN}};
        uint64_t told;
        if (poll(both, 2, wait_ms) > 0 && both[1].revents && read(event, &told, sizeof told) < 0) return;
    }

    /* Sleep for so many nanoseconds, whatever comes; a signal may end it before. */
    static void lbdns_nap(long nap_ns) {
        struct timespec nap = {0, nap_ns};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }

    /* Have this thread's sleeps end when they should, not up to 50 us later, as the kernel does to others. */
    static void lbdns_wake_in_time(void) { prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); }
    """
    int EAGAIN, EBUSY, ENOBUFS, ENOMEM, ENETDOWN
    int XDP_MAX_TX_SKB_BUDGET
    int XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING
    uint64_t XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING, XDP_UMEM_PGOFF_FILL_RING, XDP_UMEM_PGOFF_COMPLETION_RING
    int XDP_RING_NEED_WAKEUP

    cdef struct xdp_desc:
        uint64_t addr
        uint32_t len
        uint32_t options

    cdef struct xdp_ring_offset:
        uint64_t producer
        uint64_t consumer
        uint64_t desc
        uint64_t flags

    cdef struct xdp_mmap_offsets:
        xdp_ring_offset rx
        xdp_ring_offset tx
        xdp_ring_offset fr
        xdp_ring_offset cr

    cdef struct xdp_statistics:
        uint64_t rx_dropped
        uint64_t rx_ring_full
        uint64_t rx_fill_ring_empty_descs

    uint32_t LBDNS_LOAD_WORD(uint32_t *) nogil
    void LBDNS_STORE_WORD(uint32_t *, uint32_t) nogil
    uint8_t *lbdns_frames(size_t) nogil
    uint8_t *lbdns_ring(int, size_t, uint64_t) nogil
    int lbdns_register(int, void *, uint64_t, uint32_t) nogil
    int lbdns_set_number(int, int, int) nogil
    int lbdns_offsets(int, xdp_mmap_offsets *) nogil
    int lbdns_bind_xsk(int, unsigned int, unsigned int, int) nogil
    int lbdns_enter_map(int, uint32_t, int) nogil
    int lbdns_losses(int, xdp_statistics *) nogil
    void lbdns_fetch_frame(const uint8_t *) nogil
    int lbdns_kick(int) nogil
    void lbdns_wait(int, int, int) nogil
    void lbdns_nap(long) nogil
    void lbdns_wake_in_time() nogil
    int munmap(void *, size_t) nogil
