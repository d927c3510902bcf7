/* The floor of the benchmark: a UDP server on 127.0.0.1:PORT that sends every datagram back with QR and AA set.
 *
 * Batches of up to 64 through recvmmsg and sendmmsg, nothing else: no server that uses the kernel's UDP sockets spends
 * less. Usage: echo PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, DATAGRAM_BYTES = 1232, RECEIVE_BUFFER_BYTES = 4 << 20, FLAGS_AT = 2, QR_AND_AA = 0x84 };

static unsigned char datagrams[BATCH][DATAGRAM_BYTES];
static struct sockaddr_in clients[BATCH];
static struct iovec parts[BATCH];
static struct mmsghdr batch[BATCH];

static void make_room(void)
{
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = datagrams[i], .iov_len = DATAGRAM_BYTES};
        batch[i].msg_hdr = (struct msghdr){
            .msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &clients[i], .msg_namelen = sizeof clients[i]};
    }
}

static void send_back(int sock, int count)
{
    for (int i = 0; i < count; i++) {
        parts[i].iov_len = batch[i].msg_len;
        if (batch[i].msg_len > FLAGS_AT)
            datagrams[i][FLAGS_AT] |= QR_AND_AA;
    }
    for (int done = 0; done < count;) {
        int sent = sendmmsg(sock, batch + done, (unsigned)(count - done), 0);
        done += sent > 0 ? sent : 1; /* one that cannot be sent is lost */
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: echo PORT\n");
        return 2;
    }
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = RECEIVE_BUFFER_BYTES;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof here) < 0) {
        perror("echo");
        return 1;
    }
    for (;;) {
        make_room();
        int count = recvmmsg(sock, batch, BATCH, MSG_WAITFORONE, NULL);
        if (count > 0)
            send_back(sock, count);
        else if (errno != EINTR && errno != ECONNREFUSED) {
            perror("echo");
            return 1;
        }
    }
}
