# The C types of tap_ring.py.
cimport cython

from lbdns.mapped.fence cimport read_fence, write_fence
from lbdns.mapped.sample_words cimport *
from lbdns.mapped.tap_words cimport *


cdef class Tap:
    cdef public unsigned char[::1] octets
    cdef public unsigned long long[::1] words
    cdef public unsigned long long share, size, owner, query_ns, response_ns
    cdef public unsigned long long client_high, client_low, local_high, local_low
    cdef public int version, transport, client_port, local_port


@cython.locals(head=cython.ulonglong, free=cython.ulonglong, left=cython.ulonglong, wanted=cython.ulonglong)
cdef bint is_ready(Tap tap, unsigned long long size) noexcept nogil

@cython.locals(
    size=cython.ulonglong, head=cython.ulonglong, left=cython.ulonglong, at=cython.ulonglong, index=cython.int
)
cpdef void put_exchange(
    Tap tap,
    const unsigned char[::1] zone,
    unsigned int zone_at,
    int zone_bytes,
    const unsigned char[::1] query,
    int query_at,
    int query_bytes,
    unsigned char[::1] reply,
    int reply_at,
    int reply_bytes,
) noexcept nogil

@cython.locals(index=cython.int)
cdef void put_number(
    Tap tap, unsigned long long at, int octets, unsigned long long value
) noexcept nogil
