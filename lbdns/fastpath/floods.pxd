# The C types of floods.py.
cimport cython

from lbdns.base.networks cimport *
from lbdns.fastpath.flood_words cimport *
from lbdns.steering.kernel.hashing cimport mix64


cdef class Floods:
    cdef public unsigned long long[::1] words


@cython.locals(network=cython.ulonglong, place=cython.int, votes=cython.ulonglong)
cpdef void note_limited(Floods floods, int version, unsigned long long high) noexcept nogil
