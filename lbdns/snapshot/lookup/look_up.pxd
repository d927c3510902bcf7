# The C types of look_up.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.snapshot.lookup.name_table cimport Suffixes, find
from lbdns.steering.kernel.numbers cimport *


cdef class Found:
    cdef public int kind, family
    cdef public unsigned int zone, entry, row, load_balancer


cpdef unsigned int directory_of(int view) noexcept nogil

@cython.locals(label=cython.int, zone=cython.uint, index=cython.int, entry=cython.uint)
cpdef int look_up(
    TypedColumns names, Suffixes suffixes, int qtype, unsigned int directory, Found found
) noexcept nogil

@cython.locals(index=cython.int, entry=cython.uint)
cpdef int find_zone(
    TypedColumns names, Suffixes suffixes, int first, unsigned int directory, Found found
) noexcept nogil

@cython.locals(flags=cython.int, row=cython.ulonglong)
cdef int at_encloser(TypedColumns names, bint is_exact, int qtype, Found found) noexcept nogil

@cython.locals(position=cython.int, rrsets=cython.uint, has_any=cython.bint)
cdef void at_name(TypedColumns names, int qtype, Found found) noexcept nogil

@cython.locals(start=cython.uint, row=cython.uint)
cpdef unsigned int find_rrset(TypedColumns names, unsigned int entry, int rtype) noexcept nogil

@cython.locals(first=cython.ulonglong)
cpdef bint has_load_balancer(TypedColumns names, unsigned int entry) noexcept nogil
