# The C types of proofs.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.write cimport field16, get32, put16, target_bytes, write_body
from lbdns.mapped.columns cimport *
from lbdns.mapped.octets cimport *
from lbdns.mapped.signature_lookup cimport add_rdata, begin_key, copy_signed, end_key, find_signed, signed_bytes
from lbdns.mapped.signature_words cimport *
from lbdns.snapshot.lookup.look_up cimport find_rrset
from lbdns.snapshot.lookup.name_rows cimport *


cdef void put32(Server server, int position, long long value) noexcept nogil

cpdef int write_tail(Server server, int position, int rtype, long long ttl, int size) noexcept nogil

cdef int copy_blob(Server server, int position, unsigned long long offset, int size) noexcept nogil

cdef unsigned int name_offset(Server server, unsigned long long entry) noexcept nogil

cpdef int apex_bytes(Server server) noexcept nogil

cpdef int apex_pointer(Server server) noexcept nogil

@cython.locals(first=cython.uint, index=cython.uint, size=cython.int)
cpdef int write_signatures(
    Server server, int position, int limit, int owner, unsigned int row, long long ttl
) noexcept nogil

@cython.locals(size=cython.int)
cpdef void sum_up(Server server, int first, int end) noexcept nogil

@cython.locals(
    apex=cython.uint, signer_bytes=cython.int, first=cython.uint, index=cython.uint, slot=cython.longlong,
    size=cython.int,
)
cpdef int write_made_signatures(
    Server server, int position, int limit, int rtype, long long signed_ttl, long long ttl
) noexcept nogil

cpdef int made_signatures(Server server) noexcept nogil

@cython.locals(template=cython.uint, size=cython.int, at=cython.int, ttl=cython.longlong, row=cython.uint)
cpdef int write_soa(Server server, int base, int position, int limit, long long ttl_max) noexcept nogil

@cython.locals(row=cython.ulonglong)
cdef unsigned int nsec_row(Server server, unsigned int entry) noexcept nogil

@cython.locals(
    row=cython.uint, rdata=cython.uint, size=cython.int, prefix=cython.int, owner=cython.int, end=cython.int,
    ttl=cython.longlong,
)
cpdef int write_nsec(
    Server server, int base, int position, int limit, unsigned int entry, bint is_asked
) noexcept nogil

@cython.locals(ttl=cython.longlong)
cpdef long long denial_ttl(Server server) noexcept nogil

@cython.locals(ttl=cython.longlong, row=cython.uint, _=cython.int)
cpdef void lower_soa_ttl(Server server, int at, long long ttl_max) noexcept nogil

@cython.locals(
    types=cython.uint, bitmap=cython.int, size=cython.int, first=cython.int, end=cython.int, octet=cython.int,
)
cpdef int write_made_nsec(
    Server server, int base, int position, int limit, unsigned int entry, long long ttl, int prefix
) noexcept nogil
