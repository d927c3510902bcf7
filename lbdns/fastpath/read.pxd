# The C types of read.py.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.wire cimport is_client_subnet, is_cookie, udp_limit
from lbdns.fastpath.layout cimport *
from lbdns.mapped.columns cimport *
from lbdns.snapshot.lookup.look_up cimport Found
from lbdns.snapshot.lookup.name_table cimport Suffixes
from lbdns.steering.kernel.view cimport Decision, Query, View


cdef class Server(View):
    cdef readonly Suffixes suffixes
    cdef readonly Found found
    cdef readonly Query query
    cdef readonly Decision decision
    cdef public const unsigned char[::1] incoming
    cdef public unsigned char[::1] outgoing
    cdef public int answers, authorities, additionals, owner
    cdef public int name_bytes, qtype, limit, ecs_start, ecs_bytes, ecs_source, rcode
    cdef public bint has_edns, dnssec_ok, is_steered


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
