# The C types of message_writer.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.writer_numbers cimport *


cdef class MessageWriter:
    cdef readonly unsigned char[::1] buffer
    cdef readonly unsigned long long[::1] slots
    cdef readonly unsigned int[::1] starts
    cdef readonly unsigned long long[::1] hashes
    cdef public unsigned long long message, last_owner
    cdef public int position, records, limit, suffixes, hops, last_position


@cython.locals(slot=cython.int)
cpdef void begin_message(MessageWriter writer, int limit) noexcept nogil

cpdef void write_question(MessageWriter writer, const unsigned char[::1] question, int size) noexcept nogil

@cython.locals(start=cython.int, head=cython.int, end=cython.int)
cpdef bint write_record(
    MessageWriter writer, const unsigned char[::1] owners, unsigned long long owner, int rtype, unsigned int ttl,
    const unsigned char[::1] datas, unsigned long long data, int length
) noexcept nogil

@cython.locals(end=cython.ulonglong, names=cython.int, _=cython.int)
cdef void write_data(
    MessageWriter writer, int rtype, const unsigned char[::1] datas, unsigned long long data, int length
) noexcept nogil

cpdef int compressed_names(int rtype) noexcept nogil

@cython.locals(count=cython.int, end=cython.ulonglong, target=cython.int, hops=cython.int, own=cython.int, label=cython.int)
cpdef unsigned long long write_name(
    MessageWriter writer, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

@cython.locals(hashed=cython.ulonglong, label=cython.int, index=cython.ulonglong)
cdef void hash_suffixes(
    MessageWriter writer, const unsigned char[::1] source, int count, unsigned long long end
) noexcept nogil

@cython.locals(slot=cython.int, target=cython.int, hops=cython.int)
cdef int find_suffix(MessageWriter writer, const unsigned char[::1] source, int label) noexcept nogil

@cython.locals(length=cython.int, index=cython.int)
cdef bint is_suffix(
    MessageWriter writer, int target, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

@cython.locals(slot=cython.int)
cdef void add_suffix(MessageWriter writer, unsigned long long hashed, int hops) noexcept nogil

cdef void put16(MessageWriter writer, int number) noexcept nogil

@cython.locals(index=cython.int)
cdef void copy(
    MessageWriter writer, const unsigned char[::1] source, unsigned long long at, int size
) noexcept nogil
