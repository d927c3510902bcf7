# The C types of proxy_header.py.
cimport cython

from lbdns.dns.proxy_words cimport *


cdef class ProxyHeader:
    cdef public int version, port
    cdef public unsigned long long high, low


@cython.locals(command=cython.int, family=cython.int, block=cython.int, size=cython.int, at=cython.int)
cpdef int read_proxy_header(
    ProxyHeader header, const unsigned char[::1] data, int start, int length
) noexcept nogil

@cython.locals(index=cython.int, octet=cython.ulonglong)
cdef bint is_begun(const unsigned char[::1] data, int start, int length) noexcept nogil

@cython.locals(value=cython.ulonglong, index=cython.int)
cdef unsigned long long number_at(const unsigned char[::1] data, int at, int octets) noexcept nogil
