/* The floor of the benchmark over TCP: a server on 127.0.0.1:PORT that sends back what it reads. Usage: stream_echo PORT
 *
 * epoll, one read and one write for each connection that has something: no server that uses the kernel's TCP sockets, and
 * waits for them so, spends less. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, IN_BYTES = 16384, FILES = 8192, BACKLOG = 1024 };

static char in[IN_BYTES];

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: stream_echo PORT\n");
        return 2;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max < FILES ? files.rlim_max : FILES;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), poller = epoll_create1(EPOLL_CLOEXEC), one = 1;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, BACKLOG) < 0 ||
        epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) {
        perror("stream_echo");
        return 1;
    }
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int sock = events[i].data.fd;
            if (sock == listener) {
                int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
                if (accepted >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, accepted, &event) < 0)
                    close(accepted);
                continue;
            }
            ssize_t got = recv(sock, in, IN_BYTES, 0);
            if (got <= 0 || send(sock, in, (size_t)got, MSG_NOSIGNAL) != got)
                close(sock);
        }
    }
}
