# What the loop asks of the kernel, and of the processor's memory order: structures, functions, a few macros.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <arpa/inet.h>
    #include <errno.h>
    #include <netinet/in.h>
    #include <sys/eventfd.h>
    #include <sys/socket.h>
    #include <time.h>
    #include <unistd.h>
    #define LBDNS_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)
    #define LBDNS_LOAD(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define LBDNS_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

    /* A control message carries a query's local address; sent back it makes that the reply's source. The interface is
       left to routing, but for link-local addresses, which mean nothing without one. */
    static void lbdns_turn_pktinfo(struct msghdr *m) {
        struct cmsghdr *c = CMSG_FIRSTHDR(m);
        if (!c) { m->msg_controllen = 0; return; }
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *i = (struct in_pktinfo *)CMSG_DATA(c);
            i->ipi_ifindex = 0;
            i->ipi_addr.s_addr = 0;
            m->msg_controllen = CMSG_SPACE(sizeof *i);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *i = (struct in6_pktinfo *)CMSG_DATA(c);
            if (!IN6_IS_ADDR_LINKLOCAL(&i->ipi6_addr)) i->ipi6_ifindex = 0;
            m->msg_controllen = CMSG_SPACE(sizeof *i);
        } else m->msg_controllen = 0;
    }

    /* The local address that a query was sent to, in two words, an IPv4 address in the top 32 bits of the first. */
    static void lbdns_local_address(struct msghdr *m, unsigned long long *high, unsigned long long *low) {
        struct cmsghdr *c = CMSG_FIRSTHDR(m);
        *high = *low = 0;
        if (!c) return;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            *high = (unsigned long long)ntohl(((struct in_pktinfo *)CMSG_DATA(c))->ipi_spec_dst.s_addr) << 32;
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            unsigned char *a = ((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_addr.s6_addr;
            for (int i = 0; i < 8; i++) { *high = *high << 8 | a[i]; *low = *low << 8 | a[i + 8]; }
        }
    }
    """
    int EAGAIN, EINTR, AF_INET, AF_INET6, MSG_WAITFORONE, MSG_DONTWAIT, MSG_TRUNC, EFD_NONBLOCK, EFD_CLOEXEC
    int CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC, CLOCK_THREAD_CPUTIME_ID
    int errno

    cdef struct iovec:
        void *iov_base
        size_t iov_len

    cdef struct msghdr:
        void *msg_name
        uint32_t msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags

    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

    cdef struct in6_addr:
        uint8_t s6_addr[16]

    cdef struct sockaddr_in6:
        uint16_t sin6_family
        uint16_t sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id

    cdef struct in_addr:
        uint32_t s_addr

    cdef struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr sin_addr

    cdef struct timespec:
        long tv_sec
        long tv_nsec

    int recvmmsg(int, mmsghdr *, unsigned int, int, timespec *) nogil
    int sendmmsg(int, mmsghdr *, unsigned int, int) nogil
    ssize_t sendmsg(int, msghdr *, int) nogil
    int clock_gettime(int, timespec *) nogil
    int eventfd(unsigned int, int) nogil
    ssize_t c_write "write"(int, const void *, size_t) nogil
    int c_close "close"(int) nogil
    uint32_t ntohl(uint32_t) nogil
    uint16_t ntohs(uint16_t) nogil
    uint16_t htons(uint16_t) nogil
    void LBDNS_FENCE() nogil
    int LBDNS_LOAD(int *) nogil
    void LBDNS_STORE(int *, int) nogil
    void lbdns_turn_pktinfo(msghdr *) nogil
    void lbdns_local_address(msghdr *, unsigned long long *, unsigned long long *) nogil
