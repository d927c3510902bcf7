# The rounds of a thread that answers (rounds.pyx), and what who reads and sends for it must give.

from libc.stdint cimport uint64_t

from lbdns.fastpath.ahead cimport Ahead
from lbdns.fastpath.floods cimport Floods
from lbdns.fastpath.in_hand cimport BATCH, Hand, InHand
from lbdns.fastpath.known_networks cimport KnownNetworks
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.sampling cimport Sampler
from lbdns.mapped.counters cimport Counters
from lbdns.mapped.tap_ring cimport Tap


cdef class Rounds:
    cdef int event
    cdef int active, in_use, stopping  # shared with the thread that runs the rounds
    cdef Server first, second
    cdef Counters counters
    cdef Ahead ahead
    cdef readonly Floods floods
    cdef InHand in_hand
    cdef KnownNetworks known
    cdef Sampler sampler
    cdef Tap tap
    cdef Hand *hand
    cdef uint64_t random
    cdef const unsigned char[::1] incoming
    cdef unsigned char[::1] outgoing
    # Of each datagram of a batch: where in `incoming` it begins, how long it is, where in `outgoing` its reply goes.
    cdef int starts[BATCH]
    cdef int lengths[BATCH]
    cdef int bases[BATCH]

    # What who reads and sends gives.
    cdef int receive(self, bint stopping) noexcept nogil
    cdef bint set_client(self, Server server, int index) noexcept nogil
    cdef void set_tapped(self, int index) noexcept nogil
    cdef void add_reply(self, int index, int size) noexcept nogil
    cdef void send(self) noexcept nogil
    cdef void show(self, int index) noexcept nogil
    cdef send_later(self, bytes peer, bytes control, bytes data)

    cdef prepare(self, Counters counters, seed, room, KnownNetworks known, Sampler sampler, Tap tap)
    cdef void loop(self, Server first, Server second) noexcept nogil
    cdef void count_time(self, uint64_t took_ns) noexcept nogil
    cdef void keep_longest(self, int word, uint64_t took_ns) noexcept nogil
    cdef void serve_batch(self, Server server, int got, uint64_t now_us) noexcept nogil
    cdef void tap_exchange(self, Server server, int index, int start, int length, int size) noexcept nogil
    cdef void sample(self, Server server, int base) noexcept nogil
    cdef bint defer(self, Server server, int index) noexcept nogil
    cdef void wake(self, int head) noexcept nogil


cdef uint64_t clock_ns(int clock) noexcept nogil
