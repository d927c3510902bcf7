# The C types of zone_messages.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.message_writer cimport MessageWriter, write_record
from lbdns.mapped.columns cimport *
from lbdns.mapped.typed_columns cimport TypedColumns
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.snapshot.lookup.zone_walk cimport ContentCursor, begin_content, next_rrset
from lbdns.steering.kernel.numbers cimport *


cdef class ZoneMessages:
    cdef readonly ContentCursor cursor
    cdef public unsigned int rrset, owner, record, record_end
    cdef public bint is_signatures, is_last, has_ended


cpdef bint begin_messages(TypedColumns names, unsigned int zone, ZoneMessages messages) noexcept nogil

cpdef bint fill_message(TypedColumns names, ZoneMessages messages, MessageWriter writer) noexcept nogil

@cython.locals(ttl=cython.uint, at=cython.uint, data=cython.uint, size=cython.int)
cdef bint write_next(TypedColumns names, ZoneMessages messages, MessageWriter writer) noexcept nogil

cdef void next_part(TypedColumns names, ZoneMessages messages) noexcept nogil

cdef void take_rrset(TypedColumns names, ZoneMessages messages, unsigned int rrset, unsigned int owner) noexcept nogil
