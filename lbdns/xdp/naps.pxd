# The C types of naps.py.
cimport cython

from lbdns.xdp.nap_words cimport *


cdef class Naps:
    cdef public int pace
    cdef public unsigned long long counted, since_ns


cpdef bint is_nap_due(Naps naps, int waiting) noexcept nogil
cpdef void count_napped(Naps naps, int waiting) noexcept nogil
cpdef bint is_pace_due(Naps naps, int got) noexcept nogil
@cython.locals(brought=cython.ulonglong)
cpdef void find_pace(Naps naps, unsigned long long now_ns) noexcept nogil
