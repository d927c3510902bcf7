# The C types of serve.py. Module constants become C variables, set once at import.
cimport cython

from lbdns.fastpath.read cimport Server, get16, read_name, read_rest
from lbdns.snapshot.lookup cimport look_up
from lbdns.snapshot.names cimport hash_suffixes
from lbdns.steering.decide cimport decide

cdef unsigned int NO_TEMPLATE
cdef int AA_BIT, DEFERRED, DROPPED, EDE_BYTES, OPCODE_BITS
cdef int OPTION_HEAD_BYTES, OPT_BYTES, QR_BIT, RCODE_BITS, RD_BIT
cdef int RECORD_HEAD_BYTES, RELOCATION_BIAS, CLASS_IN, EDE_NOT_AUTHORITATIVE, FORMERR
cdef int HEADER_BYTES, OPTION_ECS, OPTION_EDE, REFUSED, TYPE_CNAME
cdef int TYPE_MX, TYPE_OPT, UDP_BYTES_MAX, CNAME, HIT
cdef int NODATA, NXDOMAIN, OUT_OF_ZONE, REFERRAL, STEERED
cdef int ENDPOINT_FLATTEN, ENDPOINT_HOSTNAME, FAMILY_A, FAMILY_NAMED, LB_APEX
cdef int RCODE_NXDOMAIN
cdef int ROW_ADDITIONALS, ROW_ANSWERS, ROW_AUTHORITIES, ROW_FLAGS, ROW_LENGTH
cdef int ROW_OFFSET, ROW_RELOCATION, ROW_RELOCATIONS, TEMPLATE_ROW


@cython.locals(kind=cython.int, template=cython.uint)
cpdef int answer(
    Server server, int start, int length, int base
) noexcept nogil

cdef void put16(Server server, int position, int value) noexcept nogil

@cython.locals(size=cython.int)
cdef int opt_bytes(Server server, int ede) noexcept nogil

@cython.locals(index=cython.int)
cdef int write_opt(
    Server server, int position, int scope, int ede
) noexcept nogil

@cython.locals(end=cython.int, index=cython.int)
cdef int write_head(
    Server server, int start, int base, int flags, int rcode
) noexcept nogil

@cython.locals(index=cython.int)
cdef int write_broken(
    Server server, int start, int base
) noexcept nogil

@cython.locals(position=cython.int)
cdef int write_refused(
    Server server, int start, int base
) noexcept nogil

@cython.locals(
    size=cython.int, flags=cython.int, position=cython.int, offset=cython.uint, first=cython.uint, index=cython.uint,
    target=cython.int, row=cython.ulonglong,
)
cdef int write_template(
    Server server, int start, int base, unsigned int template,
    int rcode, int scope,
) noexcept nogil

@cython.locals(template=cython.uint, limit=cython.int, position=cython.int, index=cython.int, endpoint=cython.int)
cdef int write_steered(
    Server server, int start, int base
) noexcept nogil

@cython.locals(ttl=cython.longlong)
cdef int write_record_head(
    Server server, int position, int rtype, int size
) noexcept nogil

@cython.locals(size=cython.int, index=cython.int)
cdef int write_address(
    Server server, int position, int limit, int endpoint
) noexcept nogil

@cython.locals(position=cython.uint)
cdef int target_bytes(Server server, unsigned int offset) noexcept nogil

@cython.locals(offset=cython.uint, index=cython.int)
cdef int write_target(Server server, int position, int endpoint, int size) noexcept nogil

@cython.locals(flattened=cython.int, size=cython.int)
cdef int write_cname(
    Server server, int position, int limit, int endpoint
) noexcept nogil

@cython.locals(size=cython.int, fixed=cython.int)
cdef int write_named(
    Server server, int position, int limit, int endpoint
) noexcept nogil
