/* Load generator of the benchmark: asks one DNS server, on 127.0.0.1 or --to HOST, and prints what came back as a JSON object.
 *
 *   load PORT SECONDS QUERIES [--window N] [--ecs SEED] [--rate N [--networks N]] [--from NET | --to HOST] [--any]
 *
 * QUERIES is a file of records of RECORD_BYTES each: length of the datagram, RCODE expected, answers expected (0 or 1,
 * meaning none or some), offset of the four ECS address octets in the datagram or 0, then the datagram. It is asked in
 * order, over and over. Three ways:
 *
 *   closed loop   (default) at most --window queries under way over SOCKETS sockets, as dnsperf -q does
 *   --ecs SEED    likewise, the first 24 bits of each query's ECS address drawn at random over all of IPv4, seeded
 *   --rate N      open loop: N queries a second whatever comes back; replies are counted by nobody
 *   --networks N  of an open loop: from as many networks in turn, 127.64.0.0/24 and on; --from NET: from 127.NET.0.1
 *
 * A reply counts as done where its ID is known, its RCODE and number of answers are as expected (--any: whatever they
 * are); any other is wrong. A query without a reply after LOST_NS is lost. Times are CLOCK_MONOTONIC. `pause_us` is the
 * longest that the generator waited for a reply while queries were under way. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RECORD_BYTES = 80,
    HEAD_BYTES = 4,
    SOCKETS = 4,
    NETWORKS_MAX = 4096,
    SLOTS = 256, /* queries under way on one socket: the low octet of the ID */
    BATCH = 64,
    NETWORK_BATCH = 8,
    REPLY_BYTES = 1500,
    BUCKET_US = 10,
    BUCKETS = 20000,
    SOCKET_BUFFER_BYTES = 4 << 20,
};
static const uint64_t NS = 1000000000, LOST_NS = 1000000000, SWEEP_NS = 100000000, FLOOD_STEP_NS = 1000000;

struct slot {
    uint64_t sent_ns; /* 0: free */
    uint16_t id;
    uint8_t rcode, has_answer;
};

struct lane { /* one socket and what is under way on it */
    int sock, free_count;
    uint8_t free[SLOTS];
    struct slot slots[SLOTS];
};

static struct lane lanes[SOCKETS];
static int sources[NETWORKS_MAX], source_count; /* of an open loop */
static unsigned turn;
static const uint8_t *records;
static size_t record_count, next_record;
static uint64_t sent, done, lost, wrong, latency_sum_ns, latency_max_ns, pause_ns, rcodes[16];
static uint32_t buckets[BUCKETS + 1];
static uint64_t ecs_state;
static in_addr_t asked; /* another host than loopback's */
static int takes_any;
static uint8_t out[BATCH][RECORD_BYTES], in[BATCH][REPLY_BYTES];
static struct iovec out_parts[BATCH], in_parts[BATCH];
static struct mmsghdr out_batch[BATCH], in_batch[BATCH];

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static uint32_t draw(void) /* xorshift64* */
{
    ecs_state ^= ecs_state >> 12;
    ecs_state ^= ecs_state << 25;
    ecs_state ^= ecs_state >> 27;
    return (uint32_t)((ecs_state * 2685821657736338717ull) >> 32);
}

/* Put the next query into out[i] under an ID; return its record. */
static const uint8_t *prepare(int i, uint16_t id)
{
    const uint8_t *record = records + next_record * RECORD_BYTES;
    if (++next_record == record_count)
        next_record = 0;
    memcpy(out[i], record + HEAD_BYTES, record[0]);
    out[i][0] = (uint8_t)(id >> 8);
    out[i][1] = (uint8_t)id;
    if (ecs_state && record[3]) {
        uint32_t address = draw();
        out[i][record[3]] = (uint8_t)(address >> 24);
        out[i][record[3] + 1] = (uint8_t)(address >> 16);
        out[i][record[3] + 2] = (uint8_t)(address >> 8);
    }
    out_parts[i] = (struct iovec){.iov_base = out[i], .iov_len = record[0]};
    out_batch[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
    return record;
}

static void fill(struct lane *lane)
{
    while (lane->free_count) {
        int count = lane->free_count < BATCH ? lane->free_count : BATCH;
        uint8_t taken[BATCH];
        uint64_t now = now_ns();
        for (int i = 0; i < count; i++) {
            taken[i] = lane->free[--lane->free_count];
            struct slot *slot = &lane->slots[taken[i]];
            slot->id = (uint16_t)((slot->id + SLOTS) & 0xFF00) | taken[i]; /* a late reply to an earlier one is told apart */
            const uint8_t *record = prepare(i, slot->id);
            slot->rcode = record[1];
            slot->has_answer = record[2];
            slot->sent_ns = now;
        }
        int gone = sendmmsg(lane->sock, out_batch, (unsigned)count, 0);
        if (gone < 0)
            gone = 0;
        sent += (uint64_t)gone;
        for (int i = gone; i < count; i++) {
            lane->slots[taken[i]].sent_ns = 0;
            lane->free[lane->free_count++] = taken[i];
        }
        if (gone < count)
            return;
    }
}

static void take(struct lane *lane, const uint8_t *reply, size_t length, uint64_t now)
{
    struct slot *slot = length < 12 ? NULL : &lane->slots[reply[1]];
    if (!slot || !slot->sent_ns || slot->id != (uint16_t)(reply[0] << 8 | reply[1]))
        return; /* late: counted as lost already */
    uint64_t latency = now - slot->sent_ns;
    int rcode = reply[3] & 15, has_answer = (reply[6] | reply[7]) != 0;
    slot->sent_ns = 0;
    lane->free[lane->free_count++] = reply[1];
    rcodes[rcode]++;
    if (!(reply[2] & 0x80) || (!takes_any && (rcode != slot->rcode || has_answer != slot->has_answer))) {
        wrong++;
        return;
    }
    done++;
    latency_sum_ns += latency;
    if (latency > latency_max_ns)
        latency_max_ns = latency;
    uint64_t bucket = latency / (BUCKET_US * 1000);
    buckets[bucket < BUCKETS ? bucket : BUCKETS]++;
}

static int receive(struct lane *lane)
{
    int total = 0, count;
    do {
        count = recvmmsg(lane->sock, in_batch, BATCH, MSG_DONTWAIT, NULL);
        uint64_t now = now_ns();
        for (int i = 0; i < count; i++)
            take(lane, in[i], in_batch[i].msg_len, now);
        total += count > 0 ? count : 0;
    } while (count == BATCH);
    return total;
}

static void sweep(uint64_t now)
{
    for (int l = 0; l < SOCKETS; l++)
        for (int s = 0; s < SLOTS; s++)
            if (lanes[l].slots[s].sent_ns && now - lanes[l].slots[s].sent_ns > LOST_NS) {
                lanes[l].slots[s].sent_ns = 0;
                lanes[l].free[lanes[l].free_count++] = (uint8_t)s;
                lost++;
            }
}

static int under_way(int window)
{
    for (int l = 0; l < SOCKETS; l++)
        window -= lanes[l].free_count;
    return window;
}

static void closed_loop(uint64_t end, int window)
{
    uint64_t swept = now_ns(), silent_since = 0;
    for (;;) {
        uint64_t now = now_ns();
        int is_over = now >= end;
        if (is_over && (!under_way(window) || now > end + LOST_NS))
            break;
        struct pollfd polled[SOCKETS];
        for (int l = 0; l < SOCKETS; l++) {
            if (!is_over)
                fill(&lanes[l]);
            polled[l] = (struct pollfd){.fd = lanes[l].sock, .events = POLLIN};
        }
        if (!silent_since)
            silent_since = now_ns();
        if (poll(polled, SOCKETS, 10) > 0) {
            uint64_t waited = now_ns() - silent_since;
            if (!is_over && waited > pause_ns)
                pause_ns = waited;
            silent_since = 0;
            for (int l = 0; l < SOCKETS; l++)
                if (polled[l].revents)
                    receive(&lanes[l]);
        }
        if (now - swept > SWEEP_NS) {
            swept = now_ns(); /* not `now`: queries have been sent since */
            sweep(swept);
        }
    }
    lost += (uint64_t)under_way(window);
}

static void open_loop(uint64_t start, uint64_t end, double rate)
{
    for (uint64_t now = start; now < end; now = now_ns()) {
        uint64_t due = (uint64_t)((double)(now - start) / (double)NS * rate);
        while (sent < due) {
            int most = source_count ? NETWORK_BATCH : BATCH, count = due - sent < (uint64_t)most ? (int)(due - sent) : most;
            for (int i = 0; i < count; i++)
                prepare(i, (uint16_t)(sent + (uint64_t)i));
            int sock = source_count ? sources[turn++ % (unsigned)source_count] : lanes[sent / BATCH % SOCKETS].sock;
            sendmmsg(sock, out_batch, (unsigned)count, 0);
            sent += (uint64_t)count;
        }
        for (int l = 0; l < SOCKETS; l++) {
            int count = recvmmsg(lanes[l].sock, in_batch, BATCH, MSG_DONTWAIT, NULL);
            done += count > 0 ? (uint64_t)count : 0;
        }
        struct timespec pause = {.tv_nsec = (long)FLOOD_STEP_NS};
        nanosleep(&pause, NULL);
    }
}

static uint64_t percentile_us(double part)
{
    uint64_t wanted = (uint64_t)((double)done * part), seen = 0;
    for (uint64_t b = 0; b <= BUCKETS; b++)
        if ((seen += buckets[b]) > wanted)
            return (b + 1) * BUCKET_US;
    return 0;
}

static void print_result(double seconds)
{
    printf("{\"sent\": %llu, \"done\": %llu, \"lost\": %llu, \"wrong\": %llu, \"seconds\": %.3f, \"mean_us\": %.1f, "
           "\"p99_us\": %llu, \"p999_us\": %llu, \"max_us\": %.0f, \"pause_us\": %.0f, \"rcodes\": {",
           (unsigned long long)sent, (unsigned long long)done, (unsigned long long)lost, (unsigned long long)wrong, seconds,
           done ? (double)latency_sum_ns / (double)done / 1e3 : 0.0, (unsigned long long)percentile_us(0.99),
           (unsigned long long)percentile_us(0.999), (double)latency_max_ns / 1e3, (double)pause_ns / 1e3);
    const char *comma = "";
    for (int r = 0; r < 16; r++)
        if (rcodes[r]) {
            printf("%s\"%d\": %llu", comma, r, (unsigned long long)rcodes[r]);
            comma = ", ";
        }
    printf("}}\n");
}

static int open_from(uint32_t host, int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    here.sin_addr.s_addr = htonl(host);
    there.sin_addr.s_addr = asked ? asked : htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (asked)
        here.sin_addr.s_addr = htonl(INADDR_ANY);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here) < 0 ||
        connect(sock, (struct sockaddr *)&there, sizeof there) < 0)
        return -1;
    return sock;
}

static int open_sources(int port, int networks)
{
    struct rlimit files = {.rlim_cur = NETWORKS_MAX + 64, .rlim_max = NETWORKS_MAX + 64};
    if (networks > 512 && setrlimit(RLIMIT_NOFILE, &files) < 0)
        return -1;
    for (; source_count < networks; source_count++)
        if ((sources[source_count] = open_from((127u << 24) + (64u << 16) + ((uint32_t)source_count << 8) + 1, port)) < 0)
            return -1;
    return 0;
}

static int open_lanes(int port, int window, int from)
{
    for (int l = 0; l < SOCKETS; l++) {
        int bytes = SOCKET_BUFFER_BYTES;
        lanes[l].sock = open_from((127u << 24) + ((uint32_t)from << 16) + 1, port);
        if (lanes[l].sock < 0)
            return -1;
        setsockopt(lanes[l].sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        for (int s = 0; s < window / SOCKETS; s++)
            lanes[l].free[lanes[l].free_count++] = (uint8_t)s;
    }
    for (int i = 0; i < BATCH; i++) {
        in_parts[i] = (struct iovec){.iov_base = in[i], .iov_len = REPLY_BYTES};
        in_batch[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
    }
    return 0;
}

static int map_records(const char *path)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0)
        return -1;
    record_count = (size_t)status.st_size / RECORD_BYTES;
    records = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
    for (size_t r = 0; records != MAP_FAILED && r < record_count; r++)
        if (records[r * RECORD_BYTES] < 12 || records[r * RECORD_BYTES] > RECORD_BYTES - HEAD_BYTES)
            return -1;
    return records == MAP_FAILED || !record_count ? -1 : 0;
}

int main(int argc, char **argv)
{
    int window = 200, networks = 0, from = 0;
    double rate = 0;
    if (argc < 4)
        goto usage;
    for (int i = 4; i < argc; i++) {
        if (!strcmp(argv[i], "--any"))
            takes_any = 1;
        else if (!strcmp(argv[i], "--window") && i + 1 < argc)
            window = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--ecs") && i + 1 < argc)
            ecs_state = strtoull(argv[++i], NULL, 10) * 2 + 1;
        else if (!strcmp(argv[i], "--rate") && i + 1 < argc)
            rate = atof(argv[++i]);
        else if (!strcmp(argv[i], "--networks") && i + 1 < argc)
            networks = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--from") && i + 1 < argc)
            from = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--to") && i + 1 < argc) {
            if (inet_pton(AF_INET, argv[++i], &asked) != 1)
                goto usage;
        } else
            goto usage;
    }
    window -= window % SOCKETS;
    if (window < SOCKETS || window > SOCKETS * SLOTS || networks < 0 || networks > NETWORKS_MAX || from < 0 || from > 63)
        goto usage;
    if (map_records(argv[3]) < 0 || open_lanes(atoi(argv[1]), window, from) < 0 ||
        open_sources(atoi(argv[1]), networks) < 0) {
        perror("load");
        return 1;
    }
    uint64_t start = now_ns(), end = start + (uint64_t)(atof(argv[2]) * 1e9);
    if (rate > 0)
        open_loop(start, end, rate);
    else
        closed_loop(end, window);
    print_result((double)(end - start) / 1e9);
    return 0;
usage:
    fprintf(stderr, "usage: load PORT SECONDS QUERIES [--window 4..%d] [--ecs SEED] [--rate N [--networks 1..%d]] [--from 0..63 | --to HOST] [--any]\n",
            SOCKETS * SLOTS, NETWORKS_MAX);
    return 2;
}
