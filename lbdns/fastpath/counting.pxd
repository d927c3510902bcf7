# The C types of counting.py.
cimport cython

from lbdns.dns.cookie_words cimport *
from lbdns.fastpath.read cimport Server
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.rate_words cimport *
from lbdns.mapped.counters cimport Counters, count_reply, count_slot
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, View


cpdef void count_served(Counters counters, Server server, int size) noexcept nogil

cdef int standing_of(Server server) noexcept nogil

cpdef void count_limited(Counters counters, int limited, int answer_class) noexcept nogil

@cython.locals(index=cython.int)
cpdef void count_decision(Counters counters, View view, Decision decision) noexcept nogil

@cython.locals(first=cython.uint, start=cython.uint, index=cython.uint)
cdef void count_hits(Counters counters, View view, unsigned int lb, unsigned int verdict) noexcept nogil
