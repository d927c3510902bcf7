# The C types of zone_walk.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.mapped.columns cimport *
from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.snapshot.lookup.look_up cimport find_rrset
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.numbers cimport *


cdef class ContentCursor:
    cdef public unsigned int zone, soa, apex, rrset, owner, entry, row, row_end, nsec3, nsec3_end, flat, flat_end
    cdef public unsigned int name_owner


@cython.locals(entry=cython.uint)
cpdef bint begin_content(TypedColumns names, unsigned int zone, ContentCursor cursor) noexcept nogil

cpdef bint next_rrset(TypedColumns names, ContentCursor cursor) noexcept nogil

cdef void take_flat(TypedColumns names, ContentCursor cursor) noexcept nogil

@cython.locals(row=cython.ulonglong)
cdef bint next_static(TypedColumns names, ContentCursor cursor) noexcept nogil

@cython.locals(total=cython.ulonglong)
cpdef unsigned long long content_octets(TypedColumns names, unsigned int zone, ContentCursor cursor) noexcept nogil

@cython.locals(head=cython.uint, at=cython.ulonglong, total=cython.ulonglong, first=cython.uint, index=cython.uint)
cdef unsigned long long rrset_octets(TypedColumns names, unsigned long long owner, unsigned int row) noexcept nogil
