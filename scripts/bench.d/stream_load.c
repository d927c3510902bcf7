/* Load over TCP: asks one DNS server on loopback over connections that it keeps, and prints what came back as load.c does.
 *
 *   stream_load PORT SECONDS QUERIES [--connections N] [--window W] [--any]
 *
 * Once all are open, and each has been answered once or closed, it says `ready`, and begins when a line comes; it ends, and
 * closes them, when another does: what that costs a server is not what queries cost. QUERIES: as load.c has it. N connections (1000), BY_ADDRESS from each of 127.0.1.1, 127.0.2.1 and on; on each W queries
 * (1) are under way, and the next is sent for each reply, all that one read brought by one write. `held`: the connections
 * that were open at the end; a query whose connection was closed is lost. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    RECORD_BYTES = 80,
    HEAD_BYTES = 4,
    WINDOW_MAX = 64,
    CONNECTIONS_MAX = 8000,
    BY_ADDRESS = 20,
    EVENTS = 256,
    IN_BYTES = 70000,
    PENDING_BYTES = 4096,
    BUCKET_US = 10,
    BUCKETS = 200000,
};
static const uint64_t NS = 1000000000, GRACE_NS = 3000000000;

struct stream {
    int sock, pending; /* octets of a reply that is not whole */
    uint16_t next;
    uint64_t sent_ns[WINDOW_MAX]; /* 0: nothing is under way */
    uint8_t rcode[WINDOW_MAX], has_answer[WINDOW_MAX];
    uint8_t part[PENDING_BYTES];
};

static struct stream *streams;
static int stream_count, held, window = 1, takes_any;
static const uint8_t *records;
static size_t record_count, next_record;
static uint64_t sent, done, lost, wrong, latency_sum_ns, latency_max_ns, rcodes[16];
static uint32_t buckets[BUCKETS + 1];
static uint8_t in[PENDING_BYTES + IN_BYTES], out[WINDOW_MAX * (RECORD_BYTES + 2)];

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void end(struct stream *stream)
{
    for (int s = 0; s < window; s++)
        lost += stream->sent_ns[s] != 0;
    close(stream->sock);
    stream->sock = -1;
    held--;
}

static void ask(struct stream *stream, int count, uint64_t now)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        const uint8_t *record = records + next_record * RECORD_BYTES;
        if (++next_record == record_count)
            next_record = 0;
        uint16_t id = stream->next++;
        int slot = id % window;
        stream->sent_ns[slot] = now;
        stream->rcode[slot] = record[1];
        stream->has_answer[slot] = record[2];
        out[size++] = 0;
        out[size++] = record[0];
        memcpy(out + size, record + HEAD_BYTES, record[0]);
        out[size] = (uint8_t)(id >> 8);
        out[size + 1] = (uint8_t)id;
        size += record[0];
    }
    sent += (uint64_t)count;
    if (size && send(stream->sock, out, size, MSG_NOSIGNAL) != (ssize_t)size)
        end(stream);
}

static int take(struct stream *stream, const uint8_t *reply, size_t length, uint64_t now)
{
    if (length < 12)
        return 0;
    int slot = (reply[0] << 8 | reply[1]) % window;
    if (!stream->sent_ns[slot])
        return 0;
    uint64_t latency = now - stream->sent_ns[slot];
    int rcode = reply[3] & 15, has_answer = (reply[6] | reply[7]) != 0;
    stream->sent_ns[slot] = 0;
    rcodes[rcode]++;
    if (!takes_any && (!(reply[2] & 0x80) || rcode != stream->rcode[slot] || has_answer != stream->has_answer[slot])) {
        wrong++;
        return 1;
    }
    done++;
    latency_sum_ns += latency;
    if (latency > latency_max_ns)
        latency_max_ns = latency;
    uint64_t bucket = latency / (BUCKET_US * 1000);
    buckets[bucket < BUCKETS ? bucket : BUCKETS]++;
    return 1;
}

/* Read what has come, and ask as many queries as were answered; replies are taken to come in order. */
static void receive(struct stream *stream, int is_over)
{
    memcpy(in, stream->part, (size_t)stream->pending);
    ssize_t got = recv(stream->sock, in + stream->pending, IN_BYTES, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            end(stream);
        return;
    }
    size_t size = (size_t)stream->pending + (size_t)got, at = 0;
    uint64_t now = now_ns();
    int answered = 0;
    while (at + 2 <= size) {
        size_t length = (size_t)(in[at] << 8 | in[at + 1]);
        if (at + 2 + length > size)
            break;
        answered += take(stream, in + at + 2, length, now);
        at += 2 + length;
    }
    if (size - at > PENDING_BYTES) {
        end(stream);
        return;
    }
    stream->pending = (int)(size - at);
    memcpy(stream->part, in + at, size - at);
    if (!is_over && answered)
        ask(stream, answered, now);
}

static int under_way(void)
{
    int count = 0;
    for (int i = 0; i < stream_count; i++)
        for (int s = 0; s < window && streams[i].sock >= 0; s++)
            count += streams[i].sent_ns[s] != 0;
    return count;
}

static void one_answer_each(int poller)
{
    struct epoll_event events[EVENTS];
    uint64_t until = now_ns() + GRACE_NS;
    while (under_way() && now_ns() < until) {
        int count = epoll_wait(poller, events, EVENTS, 10);
        for (int i = 0; i < count; i++)
            if (streams[events[i].data.u32].sock >= 0)
                receive(&streams[events[i].data.u32], 1);
    }
    sent = done = lost = wrong = latency_sum_ns = latency_max_ns = 0;
    memset(rcodes, 0, sizeof rcodes);
    memset(buckets, 0, sizeof buckets);
}

static int await_line(void)
{
    char line[16];
    return fgets(line, sizeof line, stdin) != NULL;
}

static void closed_loop(int poller, uint64_t until)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        uint64_t now = now_ns();
        int is_over = now >= until;
        if (!held || (is_over && (now > until + GRACE_NS || !under_way())))
            break;
        int count = epoll_wait(poller, events, EVENTS, 10);
        for (int i = 0; i < count; i++)
            if (streams[events[i].data.u32].sock >= 0)
                receive(&streams[events[i].data.u32], is_over);
    }
    lost += (uint64_t)under_way();
}

static int open_streams(int poller, int port, int count)
{
    struct rlimit files = {.rlim_cur = CONNECTIONS_MAX + 64, .rlim_max = CONNECTIONS_MAX + 64};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    if (count > 512 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < CONNECTIONS_MAX + 64 ? files.rlim_max : CONNECTIONS_MAX + 64;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    streams = calloc((size_t)count, sizeof *streams);
    for (; streams && stream_count < count; stream_count++) {
        struct stream *stream = &streams[stream_count];
        struct sockaddr_in here = {.sin_family = AF_INET};
        uint32_t address = (uint32_t)(stream_count / BY_ADDRESS);
        here.sin_addr.s_addr = htonl((127u << 24) + ((1 + address % 200) << 8) + 1 + address / 200);
        stream->sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(stream->sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(stream->sock, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)stream_count};
        if (stream->sock < 0 || bind(stream->sock, (struct sockaddr *)&here, sizeof here) < 0 ||
            connect(stream->sock, (struct sockaddr *)&there, sizeof there) < 0 ||
            fcntl(stream->sock, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, stream->sock, &event) < 0)
            return -1;
        held++;
        ask(stream, 1, now_ns()); /* so that it is somebody who has spoken */
    }
    return streams ? 0 : -1;
}

static uint64_t percentile_us(double part)
{
    uint64_t wanted = (uint64_t)((double)done * part), seen = 0;
    for (uint64_t b = 0; b <= BUCKETS; b++)
        if ((seen += buckets[b]) > wanted)
            return (b + 1) * BUCKET_US;
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
    int count = 1000, poller = epoll_create1(EPOLL_CLOEXEC);
    if (argc < 4)
        goto usage;
    for (int i = 4; i < argc; i++) {
        if (!strcmp(argv[i], "--any"))
            takes_any = 1;
        else if (!strcmp(argv[i], "--connections") && i + 1 < argc)
            count = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--window") && i + 1 < argc)
            window = atoi(argv[++i]);
        else
            goto usage;
    }
    if (count < 1 || count > CONNECTIONS_MAX || window < 1 || window > WINDOW_MAX)
        goto usage;
    if (map_records(argv[3]) < 0 || open_streams(poller, atoi(argv[1]), count) < 0) {
        perror("stream_load");
        return 1;
    }
    one_answer_each(poller);
    printf("ready\n");
    fflush(stdout);
    if (!await_line())
        return 1;
    uint64_t start = now_ns(), until = start + (uint64_t)(atof(argv[2]) * 1e9);
    for (int i = 0; i < stream_count; i++)
        if (streams[i].sock >= 0)
            ask(&streams[i], window, start);
    closed_loop(poller, until);
    printf("{\"sent\": %llu, \"done\": %llu, \"lost\": %llu, \"wrong\": %llu, \"held\": %d, \"seconds\": %.3f, "
           "\"mean_us\": %.1f, \"p99_us\": %llu, \"p999_us\": %llu, \"max_us\": %.0f, \"rcodes\": {",
           (unsigned long long)sent, (unsigned long long)done, (unsigned long long)lost, (unsigned long long)wrong, held,
           (double)(until - start) / 1e9, done ? (double)latency_sum_ns / (double)done / 1e3 : 0.0,
           (unsigned long long)percentile_us(0.99), (unsigned long long)percentile_us(0.999), (double)latency_max_ns / 1e3);
    const char *comma = "";
    for (int r = 0; r < 16; r++)
        if (rcodes[r]) {
            printf("%s\"%d\": %llu", comma, r, (unsigned long long)rcodes[r]);
            comma = ", ";
        }
    printf("}}\n");
    fflush(stdout);
    await_line();
    return 0;
usage:
    fprintf(stderr, "usage: stream_load PORT SECONDS QUERIES [--connections 1..%d] [--window 1..%d] [--any]\n",
            CONNECTIONS_MAX, WINDOW_MAX);
    return 2;
}
