# cython: language_level=3
"""START HERE, where the road of a datagram begins and ends (the package says which files come after this one).

The loop of the fast path: batches of datagrams in and out of one socket, without the interpreter.

    recvmmsg -> the view in force, once a batch -> serve each -> count it, sample some -> sendmmsg
                                                  `- deferred: into the queue of the client's network, for the slow path
                                                     in the same process

One thread runs `Loop.run` for one socket; all other methods belong to the thread of the event loop. The two share what
is in hand (in_hand.pyx: the batch, and queues with one writer and one reader, emptied in turn, so that a flood from one
network waits for itself), the word that says which of two Servers is in force, and counters. This file is Cython alone,
as system calls have no interpreted form; what it calls for each datagram has one.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from lbdns.fastpath.sampling import no_sampler
from lbdns.mapped.counter_words import BATCH_BOUNDS_US
from lbdns.fastpath.ahead cimport Ahead, is_worth_it
from lbdns.fastpath.counting cimport count_served
from lbdns.fastpath.in_hand cimport (
    BATCH,
    CONTROL_BYTES,
    COUNT_BITS,
    IN_BYTES,
    QUEUE_BYTES,
    QUEUES,
    UNREAD,
    Hand,
    InHand,
    Waiting,
    control_of,
    datagram_of,
    shown,
)
from lbdns.fastpath.known_networks cimport KnownNetworks, network_number
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.limit cimport pass_header
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.sampling cimport Sampler, begin_batch, is_due, sample_served, take
from lbdns.fastpath.serve cimport serve, write_overflow
from lbdns.fastpath.tapping cimport is_tapped, tap_served
from lbdns.mapped.tap_ring cimport Tap
from lbdns.fastpath.system_calls cimport (
    AF_INET,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE,
    CLOCK_THREAD_CPUTIME_ID,
    EFD_CLOEXEC,
    EFD_NONBLOCK,
    EINTR,
    LBDNS_FENCE,
    LBDNS_LOAD,
    LBDNS_STORE,
    MSG_DONTWAIT,
    MSG_TRUNC,
    MSG_WAITFORONE,
    c_close,
    c_write,
    clock_gettime,
    errno,
    eventfd,
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
    timespec,
)
from lbdns.steering.kernel.hashing cimport mix64

cdef enum:
    DRAIN_BATCHES = 64

cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15ULL
cdef uint64_t bounds_ns[BATCH_BOUND_COUNT]
for _number, _bound in enumerate(BATCH_BOUNDS_US):
    bounds_ns[_number] = _bound * 1000


cdef uint64_t clock_ns(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <uint64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef class Loop:
    """The fast path of one UDP socket. `fd` must be blocking, with a receive time-out so that `stop` is noticed.

    `room`, `room_bytes` of memory, holds what is read and not yet answered; what an earlier process left there is
    answered first. What `known` networks have deferred waits apart from all other.
    """

    cdef int fd, event, is_wildcard
    cdef int active, in_use, stopping  # shared with the thread that runs the loop
    cdef Server first, second
    cdef Counters counters
    cdef Ahead ahead
    cdef InHand in_hand
    cdef KnownNetworks known
    cdef Sampler sampler
    cdef Tap tap
    cdef Hand *hand
    cdef uint64_t random
    cdef mmsghdr *messages
    cdef mmsghdr *replies
    cdef iovec *vectors
    cdef iovec *reply_vectors
    cdef const unsigned char[::1] incoming
    cdef unsigned char[::1] outgoing

    def __cinit__(self, int fd, bint is_wildcard, Counters counters, seed, room, KnownNetworks known=None, Sampler sampler=None,
                  Tap tap=None):
        cdef uint64_t one = 1
        self.fd = fd
        self.is_wildcard = is_wildcard
        self.counters = counters
        self.sampler = no_sampler() if sampler is None else sampler
        self.tap = Tap() if tap is None else tap
        self.ahead = Ahead()
        self.random = seed
        self.in_use = -1
        self.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        self.in_hand = InHand(room)
        self.known = KnownNetworks() if known is None else known
        self.hand = self.in_hand.hand
        self.messages = self.hand.messages
        self.replies = <mmsghdr *>calloc(BATCH, sizeof(mmsghdr))
        self.vectors = <iovec *>calloc(BATCH, sizeof(iovec))
        self.reply_vectors = <iovec *>calloc(BATCH, sizeof(iovec))
        if self.event < 0 or not (self.replies and self.vectors and self.reply_vectors):
            raise MemoryError("no memory for the fast path")
        self.incoming = self.in_hand.incoming
        self.outgoing = bytearray(BATCH * OUT_BYTES)
        if self.in_hand.head != self.in_hand.tail:
            c_write(self.event, &one, sizeof(uint64_t))

    def __dealloc__(self):
        free(self.replies)
        free(self.vectors)
        free(self.reply_vectors)
        if self.event >= 0:
            c_close(self.event)

    @property
    def event_fd(self):
        """Readable when deferred datagrams wait."""
        return self.event

    @staticmethod
    def room_bytes():
        """Return how much memory a socket's queries in hand need, in bytes."""
        return sizeof(Hand)

    @staticmethod
    def known_networks():
        """Return a table for what several sockets are to know of networks."""
        return KnownNetworks()

    @property
    def left(self):
        """How many queries an earlier process left behind, those that wait for the slow path among them."""
        return self.in_hand.left + self.in_hand.waiting()

    @property
    def left_out(self):
        """Those that two processes died of: (datagram, client's packed address, port)."""
        return self.in_hand.left_out

    @property
    def is_empty(self):
        """Whether nothing waits for the slow path."""
        return LBDNS_LOAD(&self.in_hand.head) == LBDNS_LOAD(&self.in_hand.tail)

    def start_with(self, Server first, Server second):
        """Set the two Servers, of which `first` is in force; before `run`."""
        for server in (first, second):
            server.incoming = self.incoming
            server.outgoing = self.outgoing
        self.first = first
        self.second = second

    def idle_server(self):
        """Return the Server that is not in force and may be loaded anew, or None while a batch still uses it."""
        cdef int target = 1 - self.active
        LBDNS_FENCE()
        if LBDNS_LOAD(&self.in_use) == target:
            return None
        return self.second if target else self.first

    def swap(self):
        """Put the other Server in force, from the next batch on."""
        LBDNS_STORE(&self.active, 1 - self.active)
        LBDNS_FENCE()

    def stop(self):
        """Let `run` answer what has arrived and return."""
        LBDNS_STORE(&self.stopping, 1)

    def take(self, bint is_known=False):
        """Return the next deferred datagram of known networks, or of unknown ones, as (datagram, client's packed address,
        port), or None. Queues have turns."""
        cdef Waiting *waiting = self.in_hand.take(is_known)
        return None if waiting == NULL else shown(waiting)

    def reply(self, bytes data):
        """Send the reply to the datagram last taken (b"" for none) and let go of it."""
        self.reply_to(*self.held(), data)
        self.in_hand.let_go()

    def held(self):
        """Return whom `reply_to` sends the reply to the datagram last taken to, as (address, control message)."""
        cdef Waiting *waiting = self.in_hand.current
        return (<char *>&waiting.peer)[:waiting.peer_bytes], (<char *>control_of(waiting))[:waiting.control_bytes]

    def reply_to(self, bytes peer, bytes control, bytes data):
        """Send a reply (b"" for none) to whom `held` said, whether or not that is let go of."""
        cdef msghdr message
        cdef iovec vector
        if not data:
            return
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

    def run(self):
        """Serve until `stop`."""
        cdef Server first = self.first, second = self.second
        with nogil:
            self.loop(first, second)

    cdef void loop(self, Server first, Server second) noexcept nogil:
        cdef int got = BATCH, chosen, last = -1, drained = 0, stopping, left = self.in_hand.left
        cdef uint64_t began, ran
        while True:
            stopping = LBDNS_LOAD(&self.stopping)
            if left:
                got = left
            else:
                self.make_room(got)
                got = recvmmsg(self.fd, self.messages, BATCH, MSG_DONTWAIT if stopping else MSG_WAITFORONE, NULL)
            if got <= 0:
                if stopping:
                    return
                got = 0
                self.counters.words[BEAT_NS] = clock_ns(CLOCK_MONOTONIC)
                continue
            began = clock_ns(CLOCK_MONOTONIC)
            self.counters.words[BEAT_NS] = began
            begin_batch(self.sampler, began)
            # One view a batch: say which Server is in use, then look again, so that nobody loads it meanwhile.
            while True:
                chosen = LBDNS_LOAD(&self.active)
                LBDNS_STORE(&self.in_use, chosen)
                LBDNS_FENCE()
                if LBDNS_LOAD(&self.active) == chosen:
                    break
            ran = 0 if chosen == last else clock_ns(CLOCK_THREAD_CPUTIME_ID)
            if chosen:
                self.serve_batch(second, got, began // 1000)
            else:
                self.serve_batch(first, got, began // 1000)
            LBDNS_STORE(&self.in_use, -1)
            if chosen != last:
                if last >= 0:  # the first batch of all meets everything for the first time
                    self.keep_longest(LONGEST_ADOPTION_NS, clock_ns(CLOCK_THREAD_CPUTIME_ID) - ran)
                last = chosen
            self.count_time(clock_ns(CLOCK_MONOTONIC) - began)
            if left:
                left, got = 0, BATCH  # what the others hold points to an earlier process
            if stopping:
                drained += 1
                if drained > DRAIN_BATCHES:
                    return

    cdef void count_time(self, uint64_t took_ns) noexcept nogil:
        """Count how long a batch took."""
        cdef int bucket = 0
        while bucket < BATCH_BOUND_COUNT and took_ns > bounds_ns[bucket]:
            bucket += 1
        self.counters.words[BATCH_TIMES_FIRST + bucket] += 1
        self.counters.words[BATCH_NS] += took_ns
        self.keep_longest(LONGEST_BATCH_NS, took_ns)

    cdef void keep_longest(self, int word, uint64_t took_ns) noexcept nogil:
        if took_ns > self.counters.words[word]:
            self.counters.words[word] = took_ns

    cdef void make_room(self, int used) noexcept nogil:
        """Give the first `used` messages back the room that a batch took of them."""
        cdef int index
        cdef msghdr *header
        for index in range(used):
            self.messages[index].msg_len = UNREAD
            header = &self.messages[index].msg_hdr
            self.vectors[index].iov_base = <void *>&self.incoming[index * IN_BYTES]
            self.vectors[index].iov_len = IN_BYTES
            header.msg_iov = &self.vectors[index]
            header.msg_iovlen = 1
            header.msg_name = &self.hand.peers[index]
            header.msg_namelen = sizeof(sockaddr_in6)
            if self.is_wildcard:
                header.msg_control = &self.hand.controls[index * CONTROL_BYTES]
                header.msg_controllen = CONTROL_BYTES

    cdef void serve_batch(self, Server server, int got, uint64_t now_us) noexcept nogil:
        cdef int index, start, length, size, count = 0, deferred = 0, head = self.in_hand.head
        server.query.now_s, server.now_us = now_us // 1000000, now_us
        server.unix_s = clock_ns(CLOCK_REALTIME_COARSE) // 1000000000
        if self.tap.share:
            self.tap.query_ns = clock_ns(CLOCK_REALTIME)
        if got > 1 and is_worth_it(server):
            for index in range(got):
                self.ahead.add(server, index * IN_BYTES, self.messages[index].msg_len)
            self.ahead.fetch(server)
        for index in range(got):
            LBDNS_STORE(&self.hand.serving, index + 1)
            if self.messages[index].msg_hdr.msg_flags & MSG_TRUNC or not self.set_client(server, index):
                self.counters.words[DROPPED_COUNT] += 1
                continue
            self.random += GOLDEN
            server.query.draw_base = mix64(self.random)
            start, length = index * IN_BYTES, self.messages[index].msg_len
            if server.has_proxies:
                size = pass_header(self.counters, server, start, length)
                if size < 0:
                    continue
                start, length = start + size, length - size
            size = serve(server, start, length, index * OUT_BYTES)
            if size == DEFERRED:
                if self.defer(server, index):
                    deferred += 1
                    continue
                size = write_overflow(server, start, index * OUT_BYTES)
            count_served(self.counters, server, size)
            if is_tapped(self.tap, server.query.draw_base):
                self.tap_exchange(server, index, start, length, size)
            if size > 0:
                if is_due(self.sampler):
                    self.sample(server, index * OUT_BYTES)
                self.add_reply(count, index, size)
                count += 1
        LBDNS_STORE(&self.hand.serving, 0)
        self.counters.words[DATAGRAMS] += got
        if deferred:
            self.wake(head)
        self.send(count)

    cdef void tap_exchange(self, Server server, int index, int start, int length, int size) noexcept nogil:
        """Copy a datagram and its reply for dnstap, with who asked whom when."""
        self.tap.response_ns = clock_ns(CLOCK_REALTIME)
        self.tap.version = server.query.resolver_version
        self.tap.client_high = server.query.resolver_high
        self.tap.client_low = server.query.resolver_low
        self.tap.client_port = server.client_port
        if self.is_wildcard:
            lbdns_local_address(&self.messages[index].msg_hdr, &self.tap.local_high, &self.tap.local_low)
        tap_served(self.tap, server, start, length, index * OUT_BYTES, size)

    cdef void sample(self, Server server, int base) noexcept nogil:
        """Write the reply that a sample falls on into the ring, where there is room."""
        if take(self.sampler):
            self.sampler.unix_ns = clock_ns(CLOCK_REALTIME_COARSE)
            sample_served(self.sampler, server, base)

    cdef bint set_client(self, Server server, int index) noexcept nogil:
        """Put the client's address into the query; False for source port 0, which nobody can be answered at."""
        cdef sockaddr_in6 *peer = &self.hand.peers[index]
        cdef int octet
        cdef uint64_t high = 0, low = 0
        if peer.sin6_port == 0:
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

    cdef void add_reply(self, int count, int index, int size) noexcept nogil:
        cdef msghdr *query = &self.messages[index].msg_hdr
        cdef msghdr *header = &self.replies[count].msg_hdr
        self.reply_vectors[count].iov_base = &self.outgoing[index * OUT_BYTES]
        self.reply_vectors[count].iov_len = size
        header.msg_iov = &self.reply_vectors[count]
        header.msg_iovlen = 1
        header.msg_name = query.msg_name
        header.msg_namelen = query.msg_namelen
        if self.is_wildcard:
            lbdns_turn_pktinfo(query)
            header.msg_control = query.msg_control
            header.msg_controllen = query.msg_controllen

    cdef bint defer(self, Server server, int index) noexcept nogil:
        """Put a datagram into a queue of its network; return whether there is room."""
        cdef uint64_t network = network_number(server.query.resolver_high, server.query.resolver_version)
        if not self.in_hand.put(network, self.known.holds(network, server.query.now_s), index, 0):
            self.counters.words[OVERFLOWS] += 1
            return False
        self.counters.words[DEFERRED_COUNT] += 1
        return True

    cdef void wake(self, int head) noexcept nogil:
        """Wake the reader of the queues, whose head was at `head` before this batch; one that has not come that far is
        awake, and finds the rest: it looks at the head after it has moved the tail, as this looks at the tail after it
        has moved the head."""
        cdef uint64_t one = 1
        LBDNS_FENCE()
        if ((LBDNS_LOAD(&self.in_hand.tail) - head) & COUNT_BITS) <= QUEUES * QUEUE_BYTES:
            c_write(self.event, &one, sizeof(uint64_t))

    cdef void send(self, int count) noexcept nogil:
        """Send the replies of a batch; one that cannot be sent is its client's loss and stops no other."""
        cdef int sent = 0, now
        while sent < count:
            now = sendmmsg(self.fd, &self.replies[sent], count - sent, 0)
            if now > 0:
                sent += now
            elif errno != EINTR:
                self.counters.words[SEND_ERRORS] += 1
                sent += 1
