# The C types of sample_ring.py.
cimport cython

from lbdns.mapped.fence cimport write_fence
from lbdns.mapped.sample_words cimport *


cdef class SampleRing:
    cdef public unsigned long long[::1] words
    cdef public unsigned int[::1] halves
    cdef public float[::1] floats
    cdef public unsigned char[::1] octets
    cdef public unsigned long long owner, capacity, number, place


cpdef bint is_owned(SampleRing ring) noexcept nogil

@cython.locals(start=cython.ulonglong, word=cython.ulonglong)
cpdef void begin_record(SampleRing ring) noexcept nogil

cpdef void end_record(SampleRing ring) noexcept nogil
