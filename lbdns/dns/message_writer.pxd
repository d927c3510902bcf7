# The C types of message_writer.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.writer_numbers cimport *


cdef class MessageWriter:
    cdef readonly unsigned char[::1] buffer
    cdef readonly unsigned long long[::1] slots
    cdef readonly unsigned int[::1] starts
    cdef readonly unsigned long long[::1] hashes
    cdef public unsigned long long message, last_owner, parent_hash
    cdef public int position, records, limit, suffixes, hops, last_position, parent, parent_hops


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

@cython.locals(label=cython.int, end=cython.ulonglong)
cpdef unsigned long long write_name(
    MessageWriter writer, const unsigned char[::1] source, unsigned long long at, bint is_owner
) noexcept nogil

@cython.locals(size=cython.int, hashed=cython.ulonglong, target=cython.int)
cdef void write_child(MessageWriter writer, const unsigned char[::1] source, unsigned long long at) noexcept nogil

@cython.locals(
    count=cython.int, end=cython.ulonglong, hashed=cython.ulonglong, label=cython.int, target=cython.int,
    hops=cython.int, own=cython.int,
)
cdef unsigned long long write_labels(
    MessageWriter writer, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

cdef void note_parent(MessageWriter writer, int target, unsigned long long hashed, int hops) noexcept nogil

@cython.locals(index=cython.ulonglong)
cdef unsigned long long hash_label(
    unsigned long long hashed, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

cdef int slot_of(unsigned long long hashed) noexcept nogil

@cython.locals(slot=cython.int, target=cython.int, hops=cython.int)
cdef int find_suffix(
    MessageWriter writer, unsigned long long hashed, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

@cython.locals(length=cython.int, index=cython.int)
cdef unsigned long long end_of_suffix(
    MessageWriter writer, int target, const unsigned char[::1] source, unsigned long long at
) noexcept nogil

@cython.locals(slot=cython.int)
cdef void add_suffix(MessageWriter writer, unsigned long long hashed, int hops) noexcept nogil

cdef void put16(MessageWriter writer, int number) noexcept nogil

@cython.locals(index=cython.int)
cdef void copy(
    MessageWriter writer, const unsigned char[::1] source, unsigned long long at, int size
) noexcept nogil
