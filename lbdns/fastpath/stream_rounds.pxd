# The C types of stream_rounds.py.
cimport cython

from lbdns.fastpath.counting cimport count_served
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.sampling cimport Sampler, is_due, sample_served, take
from lbdns.fastpath.serve cimport serve
from lbdns.fastpath.tapping cimport is_tapped, tap_served
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.mapped.sample_words cimport *
from lbdns.mapped.stream_words cimport *
from lbdns.mapped.tap_ring cimport Tap
from lbdns.steering.kernel.hashing cimport mix64
from lbdns.steering.kernel.numbers cimport *


cdef class StreamRounds:
    cdef Counters counters
    cdef Sampler sampler
    cdef Tap tap
    cdef object clock
    cdef unsigned long long random
    cdef const unsigned char[::1] incoming
    cdef unsigned char[::1] outgoing
    cdef int room
    cdef readonly int taken
    cdef readonly bint is_left

    cpdef adopt(self, Server server)

    @cython.locals(at=cython.int, end=cython.int, length=cython.int, reply=cython.int, _=cython.int)
    cpdef int answer(
        self, Server server, int size, int messages_max, int version, unsigned long long high, unsigned long long low, int port
    ) except -1

    cdef int note(self, Server server, int start, int length, int base, int size) except -1
