# The C types of counters.py.
cimport cython

from lbdns.mapped.counter_words cimport *


cdef class Counters:
    cdef public unsigned long long[::1] words


cpdef void count_word(Counters counters, int word, unsigned long long by) noexcept nogil

cpdef void count_reply(Counters counters, int rcode, int qtype) noexcept nogil

cpdef void count_slot(Counters counters, int first, unsigned int slot) noexcept nogil
