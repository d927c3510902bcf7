# The C types of server_cookie.py. Masks in the source are no-ops on unsigned 64-bit integers.
cimport cython

from lbdns.dns.cookie_words cimport *


cdef class ServerCookie:
    cdef public unsigned long long client, hash
    cdef public unsigned int head, stamp
    cdef public bint is_given, is_valid


@cython.locals(age=cython.uint, made_by=cython.int)
cpdef void settle(
    ServerCookie cookie, const unsigned long long[::1] secrets, int version, unsigned long long high,
    unsigned long long low, unsigned long long unix_s,
) noexcept nogil

@cython.locals(index=cython.int)
cdef int find_secret(
    ServerCookie cookie, const unsigned long long[::1] secrets, int version, unsigned long long high,
    unsigned long long low,
) noexcept nogil

cdef unsigned long long swap64(unsigned long long value) noexcept nogil

@cython.locals(
    key_0=cython.ulonglong, key_1=cython.ulonglong, v0=cython.ulonglong, v1=cython.ulonglong, v2=cython.ulonglong,
    v3=cython.ulonglong, words=cython.int, word=cython.ulonglong, turn=cython.int,
)
cdef unsigned long long cookie_hash(
    const unsigned long long[::1] secrets, int index, ServerCookie cookie, int version, unsigned long long high,
    unsigned long long low,
) noexcept nogil

cdef unsigned long long hashed_word(
    int index, ServerCookie cookie, int version, unsigned long long high, unsigned long long low
) noexcept nogil
