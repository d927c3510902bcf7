# The C types of write.py. What another module calls has a Python form too, for the one that is interpreted.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.wire cimport named_head, named_head_bytes, reply_flags
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server, get16
from lbdns.fastpath.write_opt cimport opt_bytes, write_opt
from lbdns.mapped.columns cimport *
from lbdns.mapped.octets cimport *
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.decide cimport decide
from lbdns.steering.kernel.numbers cimport *


cpdef void put16(Server server, int position, int value) noexcept nogil

cpdef unsigned int field16(Server server, unsigned long long offset) noexcept nogil

cpdef unsigned int field32(Server server, unsigned long long offset) noexcept nogil

@cython.locals(end=cython.int)
cpdef int write_head(Server server, int start, int base, int flags, int rcode) noexcept nogil

cpdef int write_end(Server server, int base, int position, int scope, int ede) noexcept nogil

@cython.locals(index=cython.int)
cpdef int write_broken(Server server, int start, int base, int rcode) noexcept nogil

@cython.locals(
    flags=cython.int, relocations=cython.int, steers=cython.int, at=cython.ulonglong, body=cython.ulonglong, name_end=cython.int, shift=cython.int, target=cython.int,
)
cpdef int write_body(Server server, int base, int position, unsigned int template, int size) noexcept nogil

@cython.locals(value=cython.longlong, octet=cython.int)
cpdef long long get32(Server server, int position) noexcept nogil

cdef int write_picks(Server server, int base, int position, int limit) noexcept nogil

@cython.locals(ttl=cython.longlong)
cdef int write_record_head(Server server, int position, int rtype, int size) noexcept nogil

@cython.locals(
    size=cython.int, count=cython.int, number=cython.int, at=cython.int, word=cython.int, octet=cython.int
)
cdef int write_addresses(Server server, int position, int limit) noexcept nogil

@cython.locals(position=cython.uint)
cpdef int target_bytes(Server server, unsigned int offset) noexcept nogil

@cython.locals(offset=cython.uint)
cpdef int write_target(Server server, int position, int endpoint, int size) noexcept nogil

cdef int write_named(Server server, int base, int position, int limit) noexcept nogil

@cython.locals(
    fixed=cython.int, head=cython.ulonglong, octet=cython.int, index=cython.int, endpoint=cython.int, size=cython.int
)
cpdef int write_hosts(Server server, int position, int limit) noexcept nogil

@cython.locals(
    index=cython.int, endpoint=cython.int, size=cython.int, row=cython.uint, after=cython.uint, required=cython.int
)
cpdef int write_host_addresses(Server server, int base, int position, int limit, bint is_signed) noexcept nogil

@cython.locals(position=cython.int)
cpdef int write_refusal(Server server, int start, int base, int rcode, int ede) noexcept nogil

@cython.locals(position=cython.int)
cpdef int write_template(
    Server server, int start, int base, unsigned int template, int rcode
) noexcept nogil

@cython.locals(flags=cython.int, room=cython.int, size=cython.int, end=cython.int)
cpdef int write_rest(
    Server server, int start, int base, int position, unsigned int template, int scope
) noexcept nogil

@cython.locals(position=cython.int)
cpdef int write_truncated(Server server, int start, int base, int scope) noexcept nogil

@cython.locals(label=cython.int)
cdef bint set_owners(Server server, int position, int end) noexcept nogil

cpdef int write_steered(Server server, int start, int base, unsigned int before) noexcept nogil

@cython.locals(
    none=cython.uint, limit=cython.int, flags=cython.int, size=cython.int, first=cython.int, end=cython.int
)
cpdef int steer_on(Server server, int start, int base, int position, unsigned int before) noexcept nogil

cpdef bint decide_found(Server server, unsigned int before) noexcept nogil

@cython.locals(rules=cython.uint)
cdef bint are_rules_left(Server server, unsigned int before) noexcept nogil

@cython.locals(size=cython.int, at=cython.int, ttl=cython.longlong)
cdef int write_none(Server server, int start, int base, int position, unsigned int template) noexcept nogil

@cython.locals(row=cython.uint)
cpdef unsigned int endpoint_row(Server server, unsigned int endpoint) noexcept nogil

@cython.locals(
    size=cython.int, end=cython.int, row=cython.uint, after=cython.uint, flags=cython.int, rest=cython.int
)
cdef int write_cname(Server server, int base, int position, int limit, int endpoint) noexcept nogil
