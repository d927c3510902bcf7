# The C types of rate_table.py. Masks in the source are no-ops on unsigned 64-bit integers.
cimport cython

from lbdns.mapped.rate_words cimport *
from lbdns.base.networks cimport *
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.hashing cimport mix64


cdef class RateTable:
    cdef public unsigned long long[::1] words


cpdef int class_of(int kind, bint is_none) noexcept nogil

@cython.locals(
    network=cython.ulonglong, kind=cython.ulonglong, key=cython.ulonglong, burst=cython.ulonglong,
    first=cython.ulonglong, place=cython.ulonglong, owed=cython.ulonglong, least=cython.ulonglong,
    index=cython.ulonglong, word=cython.ulonglong, left=cython.ulonglong, is_beyond=cython.bint,
    slip=cython.ulonglong,
)
cpdef int charge(
    RateTable table, const unsigned long long[::1] limit, int version, unsigned long long high,
    unsigned long long zone, int answer_class, unsigned long long now_us, unsigned long long draw,
) noexcept nogil
