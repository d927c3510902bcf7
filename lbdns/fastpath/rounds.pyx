# cython: language_level=3
"""The rounds of one thread of the fast path: a batch of datagrams, the view in force, replies; without the interpreter.

    receive -> the view in force, once a batch -> serve each -> count it, sample some -> send
                                                 `- deferred: into the queue of the client's network, for the slow path
                                                    in the same process

How datagrams come and go is left to who inherits this: from a socket (loop.pyx), or as frames from a network card's
queue (lbdns/xdp). One thread runs `run`; all other methods belong to the thread of the event loop. The two share what
is in hand (in_hand.pyx: queues with one writer and one reader, emptied in turn, so that a flood from one network waits
for itself), the word that says which of two Servers is in force, and counters. This file is Cython alone, as system
calls have no interpreted form; what it calls for each datagram has one.
"""

from libc.stdint cimport uint64_t

from lbdns.fastpath.sampling import no_sampler
from lbdns.mapped.counter_words import BATCH_BOUNDS_US
from lbdns.fastpath.ahead cimport Ahead, give_hashes, is_worth_it
from lbdns.fastpath.in_hand cimport (
    BATCH,
    COUNT_BITS,
    QUEUE_BYTES,
    QUEUES,
    InHand,
    Waiting,
    control_of,
    shown,
)
from lbdns.fastpath.floods cimport Floods, note_limited
from lbdns.fastpath.known_networks cimport KnownNetworks, network_number
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.limit cimport pass_header
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.sampling cimport Sampler, begin_batch, sample_served, take
from lbdns.fastpath.tapping cimport tap_served
from lbdns.mapped.tap_ring cimport Tap
from lbdns.fastpath.system_calls cimport (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE,
    CLOCK_THREAD_CPUTIME_ID,
    EFD_CLOEXEC,
    EFD_NONBLOCK,
    LBDNS_FENCE,
    LBDNS_LOAD,
    LBDNS_STORE,
    c_close,
    c_write,
    clock_gettime,
    eventfd,
    timespec,
)

# The road of a query as one piece of C, written from its modules by setup.py.
include "lbdns/fastpath/road.pxi"

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


cdef class Rounds:
    """One thread's rounds. Who inherits it calls `prepare`, and gives it `incoming` and `outgoing`."""

    def __cinit__(self):
        self.event = -1
        self.in_use = -1

    cdef prepare(self, Counters counters, seed, room, KnownNetworks known, Sampler sampler, Tap tap):
        """Begin. `room`, `room_bytes` of memory, holds what is read and not yet answered; what an earlier process left
        there is answered first. What `known` networks have deferred waits apart from all other."""
        cdef uint64_t one = 1
        self.counters = counters
        self.sampler = no_sampler() if sampler is None else sampler
        self.tap = Tap() if tap is None else tap
        self.ahead = Ahead()
        self.floods = Floods()
        self.random = seed
        self.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
        if self.event < 0:
            raise MemoryError("no memory for the fast path")
        self.in_hand = InHand(room)
        self.known = KnownNetworks() if known is None else known
        self.hand = self.in_hand.hand
        if self.in_hand.head != self.in_hand.tail:
            c_write(self.event, &one, sizeof(uint64_t))

    def __dealloc__(self):
        if self.event >= 0:
            c_close(self.event)

    cdef int receive(self, bint stopping) noexcept nogil:
        """Wait for a batch, a moment at most, and not at all when `stopping`; return of how many datagrams it is, with
        `starts`, `lengths` and `bases` of each."""
        return 0

    cdef bint set_client(self, Server server, int index) noexcept nogil:
        """Put the client's address into the query; False for a datagram that nobody is answered."""
        return False

    cdef void set_tapped(self, int index) noexcept nogil:
        """Say in `tap` to which local address a datagram came, where the settings do not."""

    cdef void add_reply(self, int index, int size) noexcept nogil:
        """Add the reply to a datagram of the batch to those that `send` sends."""

    cdef void send(self) noexcept nogil:
        """Send the replies of a batch; one that cannot be sent is its client's loss and stops no other."""

    cdef void show(self, int index) noexcept nogil:
        """Have a datagram of the batch that is to be deferred stand in `hand`, with whom its reply goes to."""

    cdef send_later(self, bytes peer, bytes control, bytes data):
        """Send a reply of the slow path to whom `held` said."""

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
        if data:
            self.send_later(peer, control, data)

    def run(self):
        """Serve until `stop`."""
        cdef Server first = self.first, second = self.second
        with nogil:
            self.loop(first, second)

    cdef void loop(self, Server first, Server second) noexcept nogil:
        cdef int got, chosen, last = -1, drained = 0, stopping
        cdef uint64_t began, ran
        while True:
            stopping = LBDNS_LOAD(&self.stopping)
            got = self.receive(stopping)
            if got <= 0:
                if stopping:
                    return
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

    cdef void serve_batch(self, Server server, int got, uint64_t now_us) noexcept nogil:
        cdef int index, start, length, base, size, deferred = 0, head = self.in_hand.head
        # Where proxies stand before datagrams, no name is where it seems.
        cdef bint is_ahead = got > 1 and not server.has_proxies and is_worth_it(server)
        server.query.now_s, server.now_us = now_us // 1000000, now_us
        server.unix_s = clock_ns(CLOCK_REALTIME_COARSE) // 1000000000
        if self.tap.share:
            self.tap.query_ns = clock_ns(CLOCK_REALTIME)
        if is_ahead:
            self.ahead.add(server, got, self.starts, self.lengths)
            self.ahead.fetch(server, self.counters)
        for index in range(got):
            LBDNS_STORE(&self.hand.serving, index + 1)
            if not self.set_client(server, index):
                self.counters.words[DROPPED_COUNT] += 1
                continue
            self.random += GOLDEN
            server.query.draw_base = mix64(self.random)
            start, length, base = self.starts[index], self.lengths[index], self.bases[index]
            if server.has_proxies:
                size = pass_header(self.counters, server, start, length)
                if size < 0:
                    continue
                start, length = start + size, length - size
            server.is_hashed = is_ahead and give_hashes(self.ahead, server, index)
            size = serve(server, start, length, base)
            if size == DEFERRED:
                if self.defer(server, index):
                    deferred += 1
                    continue
                size = write_overflow(server, start, base)
            count_served(self.counters, server, size)
            if server.limited and not server.has_proxies:  # a proxy's clients do not send to this socket
                note_limited(self.floods, server.query.resolver_version, server.query.resolver_high)
            if is_tapped(self.tap, server.query.draw_base):
                self.tap_exchange(server, index, start, length, size)
            if size > 0:
                if is_due(self.sampler):
                    self.sample(server, base)
                self.add_reply(index, size)
        LBDNS_STORE(&self.hand.serving, 0)
        self.counters.words[DATAGRAMS] += got
        if deferred:
            self.wake(head)
        self.send()

    cdef void tap_exchange(self, Server server, int index, int start, int length, int size) noexcept nogil:
        """Copy a datagram and its reply for dnstap, with who asked whom when."""
        self.tap.response_ns = clock_ns(CLOCK_REALTIME)
        self.tap.version = server.query.resolver_version
        self.tap.client_high = server.query.resolver_high
        self.tap.client_low = server.query.resolver_low
        self.tap.client_port = server.client_port
        self.set_tapped(index)
        tap_served(self.tap, server, start, length, self.bases[index], size)

    cdef void sample(self, Server server, int base) noexcept nogil:
        """Write the reply that a sample falls on into the ring, where there is room."""
        if take(self.sampler):
            self.sampler.unix_ns = clock_ns(CLOCK_REALTIME_COARSE)
            sample_served(self.sampler, server, base)

    cdef bint defer(self, Server server, int index) noexcept nogil:
        """Put a datagram into a queue of its network; return whether there is room."""
        cdef uint64_t network = network_number(server.query.resolver_high, server.query.resolver_version)
        self.show(index)
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


def serve_in_rounds(Server server, int start, int length, int base):
    """Serve as the rounds do, by their own copy of the road, for whoever holds that against the others."""
    return serve(server, start, length, base)
