# The C types of signed.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.proofs cimport (
    apex_bytes,
    apex_pointer,
    denial_ttl,
    lower_soa_ttl,
    made_signatures,
    sum_up,
    write_made_nsec,
    write_made_signatures,
    write_nsec,
    write_signatures,
    write_soa,
    write_tail,
)
from lbdns.fastpath.read cimport Server
from lbdns.fastpath.write cimport (
    decide_found,
    endpoint_row,
    field16,
    field32,
    put16,
    target_bytes,
    write_body,
    write_end,
    write_head,
    write_host_addresses,
    write_hosts,
    write_target,
    write_template,
    write_truncated,
)
from lbdns.fastpath.write_opt cimport opt_bytes
from lbdns.mapped.columns cimport *
from lbdns.mapped.octets cimport *
from lbdns.snapshot.lookup.denial cimport find_nsec
from lbdns.snapshot.lookup.look_up cimport has_load_balancer
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.numbers cimport *


@cython.locals(kind=cython.int, signed=cython.uint, is_below=cython.bint)
cpdef int serve_signed(Server server, int start, int base, unsigned int template) noexcept nogil

@cython.locals(offset=cython.ulonglong)
cdef bint is_below_wildcard(Server server) noexcept nogil

cdef bint is_chained_wildcard(Server server) noexcept nogil

cdef int room_for(Server server, int base) noexcept nogil

cdef int finish(Server server, int start, int base, int position, int scope) noexcept nogil

@cython.locals(limit=cython.int, position=cython.int, size=cython.int, row=cython.uint, entry=cython.uint)
cdef int write_signed_rrset(
    Server server, int start, int base, unsigned int template, bint is_below
) noexcept nogil

@cython.locals(
    is_missing=cython.bint, is_below=cython.bint, zone=cython.uint, limit=cython.int, position=cython.int,
    entry=cython.uint, other=cython.uint, is_exact=cython.bint, is_compact=cython.bint,
)
cdef int write_denial(Server server, int start, int base) noexcept nogil

@cython.locals(size=cython.int, label=cython.int)
cdef int encloser_label(Server server, bint is_below) noexcept nogil

@cython.locals(limit=cython.int, position=cython.int)
cdef int write_made_denial(Server server, int start, int base, long long ttl_max, int scope) noexcept nogil

@cython.locals(
    none=cython.uint, size=cython.int, position=cython.int, is_whole=cython.bint, end=cython.int, prefix=cython.int,
    entry=cython.uint,
)
cdef int deny_after_aliases(
    Server server, int start, int base, unsigned int before, int limit
) noexcept nogil

cdef void name_asked(Server server) noexcept nogil

@cython.locals(position=cython.int, count=cython.int, _=cython.int, label=cython.int, index=cython.int, byte=cython.uchar)
cdef bint name_at(Server server, int base, int pointer) noexcept nogil

cdef bint is_literal(Server server) noexcept nogil

@cython.locals(limit=cython.int, position=cython.int, size=cython.int, first=cython.int, rtype=cython.int)
cdef int steer_signed(Server server, int start, int base, unsigned int before) noexcept nogil

@cython.locals(size=cython.int, number=cython.int)
cdef int write_decided_addresses(Server server, int position, int limit) noexcept nogil

@cython.locals(endpoint=cython.int, size=cython.int)
cdef int write_alias(Server server, int position, int limit) noexcept nogil

@cython.locals(row=cython.uint, after=cython.uint, flags=cython.int, size=cython.int)
cdef int write_after_alias(Server server, int base, int position, int limit) noexcept nogil
