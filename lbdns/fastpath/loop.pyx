# cython: language_level=3
"""START HERE, where the road of a datagram begins and ends (the package says which files come after this one).

Batches of datagrams in and out of one socket: recvmmsg -> the rounds of a thread (rounds.pyx) -> sendmmsg. What was read
and not yet answered lies in hand (in_hand.pyx), where the process that goes on for this one finds it.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from lbdns.fastpath.in_hand cimport BATCH, CONTROL_BYTES, IN_BYTES, IN_STRIDE, UNREAD, Hand
from lbdns.fastpath.known_networks cimport KnownNetworks
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.rounds cimport Rounds
from lbdns.fastpath.sampling cimport Sampler
from lbdns.fastpath.system_calls cimport (
    AF_INET,
    EINTR,
    MSG_DONTWAIT,
    MSG_TRUNC,
    MSG_WAITFORONE,
    errno,
    iovec,
    lbdns_local_address,
    lbdns_turn_pktinfo,
    mmsghdr,
    msghdr,
    ntohl,
    ntohs,
    recvmmsg,
    sendmmsg,
    sendmsg,
    sockaddr_in,
    sockaddr_in6,
)
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.mapped.tap_ring cimport Tap


cdef enum:
    LINE_BYTES = 64


cdef class Loop(Rounds):
    """The fast path of one UDP socket. `fd` must be blocking, with a receive time-out so that `stop` is noticed.

    `room`, `room_bytes` of memory, holds what is read and not yet answered; what an earlier process left there is
    answered first. What `known` networks have deferred waits apart from all other.
    """

    cdef int fd, is_wildcard, used, count
    cdef int filled  # of `outgoing`, by replies of the batch, which stand close together so that they stay in the nearest cache
    cdef mmsghdr *messages
    cdef mmsghdr *replies
    cdef iovec *vectors
    cdef iovec *reply_vectors

    def __cinit__(self, int fd, bint is_wildcard, Counters counters, seed, room, KnownNetworks known=None, Sampler sampler=None,
                  Tap tap=None):
        cdef int index
        self.fd = fd
        self.is_wildcard = is_wildcard
        self.prepare(counters, seed, room, known, sampler, tap)
        self.messages = self.hand.messages
        self.replies = <mmsghdr *>calloc(BATCH, sizeof(mmsghdr))
        self.vectors = <iovec *>calloc(BATCH, sizeof(iovec))
        self.reply_vectors = <iovec *>calloc(BATCH, sizeof(iovec))
        if not (self.replies and self.vectors and self.reply_vectors):
            raise MemoryError("no memory for the fast path")
        self.incoming = self.in_hand.incoming
        self.outgoing = bytearray(BATCH * OUT_BYTES)
        self.used = BATCH
        for index in range(BATCH):
            self.starts[index] = index * IN_STRIDE
            self.replies[index].msg_hdr.msg_iov = &self.reply_vectors[index]
            self.replies[index].msg_hdr.msg_iovlen = 1

    def __dealloc__(self):
        free(self.replies)
        free(self.vectors)
        free(self.reply_vectors)

    cdef send_later(self, bytes peer, bytes control, bytes data):
        cdef msghdr message
        cdef iovec vector
        memset(&message, 0, sizeof(msghdr))
        vector.iov_base = <char *>data
        vector.iov_len = len(data)
        message.msg_name = <char *>peer
        message.msg_namelen = len(peer)
        message.msg_iov = &vector
        message.msg_iovlen = 1
        if control:
            message.msg_control = <char *>control
            message.msg_controllen = len(control)
        if sendmsg(self.fd, &message, MSG_DONTWAIT) < 0:
            self.counters.words[SEND_ERRORS] += 1

    cdef int receive(self, bint stopping) noexcept nogil:
        cdef int got = self.in_hand.left, index
        if got:
            self.in_hand.left = 0
            self.used = BATCH  # what the others hold points to an earlier process
        else:
            self.make_room(self.used)
            got = recvmmsg(self.fd, self.messages, BATCH, MSG_DONTWAIT if stopping else MSG_WAITFORONE, NULL)
            self.used = max(got, 0)
        for index in range(got):
            self.lengths[index] = self.messages[index].msg_len
        return got

    cdef void make_room(self, int used) noexcept nogil:
        """Give the first `used` messages back the room that a batch took of them."""
        cdef int index
        cdef msghdr *header
        for index in range(used):
            self.messages[index].msg_len = UNREAD
            header = &self.messages[index].msg_hdr
            self.vectors[index].iov_base = <void *>&self.incoming[index * IN_STRIDE]
            self.vectors[index].iov_len = IN_BYTES
            header.msg_iov = &self.vectors[index]
            header.msg_iovlen = 1
            header.msg_name = &self.hand.peers[index]
            header.msg_namelen = sizeof(sockaddr_in6)
            if self.is_wildcard:
                header.msg_control = &self.hand.controls[index * CONTROL_BYTES]
                header.msg_controllen = CONTROL_BYTES

    cdef void set_tapped(self, int index) noexcept nogil:
        if self.is_wildcard:
            lbdns_local_address(&self.messages[index].msg_hdr, &self.tap.local_high, &self.tap.local_low)

    cdef bint set_client(self, Server server, int index) noexcept nogil:
        """Put the client's address into the query; False for what came cut short, and for source port 0, which nobody can
        be answered at."""
        cdef sockaddr_in6 *peer = &self.hand.peers[index]
        cdef int octet
        cdef uint64_t high = 0, low = 0
        self.bases[index] = self.filled
        if self.messages[index].msg_hdr.msg_flags & MSG_TRUNC or peer.sin6_port == 0:
            return False
        server.client_port = ntohs(peer.sin6_port)
        if peer.sin6_family == AF_INET:
            server.query.resolver_version = 4
            server.query.resolver_high = <uint64_t>ntohl((<sockaddr_in *>peer).sin_addr.s_addr) << 32
            server.query.resolver_low = 0
            return True
        for octet in range(8):
            high = (high << 8) | peer.sin6_addr.s6_addr[octet]
            low = (low << 8) | peer.sin6_addr.s6_addr[octet + 8]
        server.query.resolver_version = 6
        server.query.resolver_high = high
        server.query.resolver_low = low
        return True

    cdef void add_reply(self, int index, int size) noexcept nogil:
        cdef msghdr *query = &self.messages[index].msg_hdr
        cdef msghdr *header = &self.replies[self.count].msg_hdr
        self.reply_vectors[self.count].iov_base = &self.outgoing[self.filled]
        self.reply_vectors[self.count].iov_len = size
        self.filled += (size + LINE_BYTES - 1) // LINE_BYTES * LINE_BYTES
        header.msg_name = query.msg_name
        header.msg_namelen = query.msg_namelen
        if self.is_wildcard:
            lbdns_turn_pktinfo(query)
            header.msg_control = query.msg_control
            header.msg_controllen = query.msg_controllen
        self.count += 1

    cdef void show(self, int index) noexcept nogil:
        """Have the control message of a datagram that is to be deferred say whom its reply leaves from."""
        if self.messages[index].msg_hdr.msg_controllen:
            lbdns_turn_pktinfo(&self.messages[index].msg_hdr)

    cdef void send(self) noexcept nogil:
        cdef int sent = 0, now
        while sent < self.count:
            now = sendmmsg(self.fd, &self.replies[sent], self.count - sent, 0)
            if now > 0:
                sent += now
            elif errno != EINTR:
                self.counters.words[SEND_ERRORS] += 1
                sent += 1
        self.count = self.filled = 0
