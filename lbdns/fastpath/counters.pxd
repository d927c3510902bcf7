# The C types of counters.py.
cimport cython

from lbdns.fastpath.read cimport Server
from lbdns.steering.view cimport Decision, View

cdef int ENDPOINTS_FIRST, LOAD_BALANCERS_FIRST, POOLS_FIRST, RCODES_FIRST, RCODE_COUNT
cdef int SLOTS_MAX, SOURCES_FIRST, TYPES_FIRST, TYPE_OTHER


cdef class Counters:
    cdef unsigned long long[::1] words


cpdef void count_word(Counters counters, int word, unsigned long long by) noexcept nogil

cpdef void count_reply(Counters counters, int rcode, int qtype) noexcept nogil

cpdef void count_served(Counters counters, Server server) noexcept nogil

@cython.locals(index=cython.int)
cpdef void count_decision(Counters counters, View view, Decision decision) noexcept nogil

cdef void count_slot(Counters counters, int first, unsigned int slot) noexcept nogil
