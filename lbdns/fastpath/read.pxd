# The C types of read.py. Module constants become C variables, set once at import.
cimport cython

from lbdns.snapshot.lookup.look_up cimport Found, Zones
from lbdns.snapshot.lookup.name_table cimport Suffixes
from lbdns.steering.kernel.view cimport Decision, Query, View

cdef int LABEL_BYTES_MAX, OPTION_HEAD_BYTES, OPT_BYTES, TYPE_META_FIRST, TYPE_META_LAST
cdef int CLASS_IN, HEADER_BYTES, NAME_BYTES_MAX, OPTION_COOKIE, OPTION_ECS
cdef int OPTION_KEEPALIVE, OPTION_NSID, TYPE_NXNAME, TYPE_OPT, UDP_BYTES_MAX
cdef int UDP_BYTES_MIN


cdef class Server:
    cdef readonly View view
    cdef readonly Zones zones
    cdef readonly Suffixes suffixes
    cdef readonly Found found
    cdef readonly Query query
    cdef readonly Decision decision
    cdef public const unsigned char[::1] incoming
    cdef public unsigned char[::1] outgoing
    cdef public const unsigned char[::1] blob
    cdef public const unsigned int[::1] rrset_template, name_template, zone_template
    cdef public const unsigned char[::1] template_blob
    cdef public const unsigned char[::1] endpoint_address, endpoint_is_nested
    cdef public const unsigned int[::1] endpoint_target, endpoint_zone, endpoint_template
    cdef public const unsigned char[::1] resolved_address
    cdef public const unsigned int[::1] resolved_version
    cdef public unsigned char[::1] resolved
    cdef public int answers, authorities, additionals, owner
    cdef public const unsigned short[::1] endpoint_port, endpoint_priority
    cdef public int name_bytes, qtype, limit, ecs_start, ecs_bytes, ecs_source, rcode
    cdef public bint has_edns, is_steered


cpdef int get16(Server server, int position) noexcept nogil

@cython.locals(position=cython.int, count=cython.int, label=cython.int, index=cython.int, byte=cython.uchar)
cpdef bint read_name(Server server, int start, int length) noexcept nogil

@cython.locals(position=cython.int, records=cython.int, end=cython.int)
cpdef bint read_rest(Server server, int start, int length) noexcept nogil

@cython.locals(code=cython.int, size=cython.int)
cdef bint read_options(
    Server server, int start, int position, int end
) noexcept nogil

@cython.locals(
    family=cython.int, source=cython.int, octets=cython.int, high=cython.ulonglong, low=cython.ulonglong,
    index=cython.int, byte=cython.ulonglong,
)
cdef bint read_ecs(Server server, int at, int size) noexcept nogil
