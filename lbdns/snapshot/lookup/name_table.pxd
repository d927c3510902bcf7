# The C types of name_table.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.mapped.octets cimport *
from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.numbers cimport *


cdef class Suffixes:
    cdef public int count, length
    cdef readonly object buffer
    cdef readonly unsigned char[::1] name
    cdef readonly int[::1] starts
    cdef readonly unsigned long long[::1] hashes


@cython.locals(
    count=cython.int, position=cython.int, length=cython.int, hashed=cython.ulonglong, label=cython.int,
    end=cython.int, index=cython.int,
)
cpdef void hash_suffixes(Suffixes suffixes) noexcept nogil

cpdef unsigned long long mask_of(TypedColumns names) noexcept nogil

cpdef unsigned long long spread(unsigned long long hashed) noexcept nogil

cpdef unsigned long long hash_in(
    unsigned long long hashed, unsigned long long zone, unsigned long long public_zones
) noexcept nogil

@cython.locals(wanted=cython.ulonglong, slot=cython.ulonglong, mask=cython.ulonglong, start=cython.int, entry=cython.uint, row=cython.ulonglong)
cpdef unsigned int find(TypedColumns names, unsigned int zone, Suffixes suffixes, int label) noexcept nogil

@cython.locals(size=cython.int)
cdef bint is_same(TypedColumns names, long long offset, Suffixes suffixes, int start) noexcept nogil

@cython.locals(
    size=cython.ulonglong, mask=cython.ulonglong, entry=cython.ulonglong, slot=cython.ulonglong, count=cython.ulonglong,
    slots="unsigned int[::1]", those="unsigned long long[::1]",
)
cpdef object build_table(object hashes)
