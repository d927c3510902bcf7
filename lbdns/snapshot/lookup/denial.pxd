# The C types of denial.py.
cimport cython

from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.snapshot.lookup.name_table cimport Suffixes
from lbdns.steering.kernel.numbers cimport *


@cython.locals(
    low=cython.uint, count=cython.uint, half=cython.uint, begin=cython.ulonglong, skipped=cython.int, last=cython.int,
    at=cython.int,
)
cpdef unsigned int find_nsec(
    TypedColumns names, unsigned int zone, Suffixes suffixes, int label, bint is_wildcard
) noexcept nogil

@cython.locals(
    end=cython.ulonglong, at=cython.ulonglong, index=cython.int, start=cython.int, position=cython.int,
    octet=cython.int, wanted=cython.int,
)
cdef int compare(
    TypedColumns names, unsigned long long offset, int skipped, Suffixes suffixes, int label, int last, bint is_wildcard
) noexcept nogil

@cython.locals(start=cython.uint, low=cython.uint, count=cython.uint, half=cython.uint)
cpdef unsigned int find_nsec3(
    TypedColumns names, unsigned int zone, const unsigned char[::1] hashed
) noexcept nogil

@cython.locals(at=cython.ulonglong, index=cython.int)
cdef bint is_before(TypedColumns names, const unsigned char[::1] hashed, unsigned int row) noexcept nogil
