# The C types of read.py.
cimport cython

from lbdns.answer.rate_table cimport RateTable
from lbdns.dns.codes cimport *
from lbdns.dns.cookie_words cimport *
from lbdns.dns.proxy_header cimport ProxyHeader
from lbdns.dns.server_cookie cimport ServerCookie
from lbdns.dns.wire cimport is_client_subnet, is_cookie, udp_limit
from lbdns.fastpath.layout cimport *
from lbdns.mapped.columns cimport *
from lbdns.mapped.octets cimport *
from lbdns.mapped.rate_words cimport *
from lbdns.mapped.signature_lookup cimport SignedKey
from lbdns.snapshot.lookup.look_up cimport Found
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.snapshot.lookup.name_table cimport Suffixes
from lbdns.steering.kernel.numbers cimport *
from lbdns.steering.kernel.view cimport Decision, Query, View


cdef class Server(View):
    cdef readonly Suffixes suffixes
    cdef readonly Found found
    cdef readonly Query query
    cdef readonly Decision decision
    cdef public const unsigned char[::1] incoming
    cdef public unsigned char[::1] outgoing
    cdef readonly unsigned int[::1] passed
    cdef public int answers, authorities, additionals, owner
    cdef public int name_bytes, qtype, qclass, limit, ecs_start, ecs_bytes, ecs_source, rcode, extended, ede
    cdef public int edns_version, edns_flags
    cdef public bint has_edns, has_nsid, asks_expiry, is_malformed, is_steered, is_long
    cdef public bint has_views, has_signed
    cdef public bint is_stream, has_keepalive, is_partial
    cdef readonly ServerCookie cookie
    cdef public int cookie_bytes, opt_start
    cdef public bint has_cookie
    cdef public unsigned int unix_s
    cdef readonly ProxyHeader proxied
    cdef public RateTable rates
    cdef public unsigned long long now_us
    cdef public int limited, answer_class, client_port
    cdef public bint is_barred, has_cookies, has_bars, has_proxies, has_limit
    cdef readonly SignedKey made_key
    cdef readonly unsigned char[::1] made_name
    cdef public int made_name_bytes, signatures_sent
    cdef public long long negative_ttl
    cdef public int listener_view, seen_view, view_scope, kind, heard
    cdef public unsigned int directory, generation, asked_zone
    cdef public bint is_hashed


cpdef int get16(Server server, int position) noexcept nogil

@cython.locals(position=cython.int, count=cython.int, label=cython.int)
cpdef bint read_name(Server server, int start, int length) noexcept nogil

cpdef void forget_rest(Server server) noexcept nogil

@cython.locals(position=cython.int, skipped=cython.int, records=cython.int)
cpdef bint read_rest(Server server, int start, int length) noexcept nogil

@cython.locals(position=cython.int, first=cython.int, label=cython.int, skipped=cython.int, _=cython.int)
cpdef bint read_unasked(Server server, int start, int length) noexcept nogil

@cython.locals(index=cython.int, head=cython.int, rtype=cython.int, data=cython.int, end=cython.int)
cdef bint read_records(
    Server server, int start, int length, int position, int skipped, int additionals
) noexcept nogil

@cython.locals(label=cython.int)
cdef int skip_name(Server server, int start, int position, int length) noexcept nogil

@cython.locals(code=cython.int, size=cython.int, is_well=cython.bint)
cdef bint read_options(
    Server server, int start, int position, int end
) noexcept nogil

cdef bint read_cookie(Server server, int at, int size) noexcept nogil

@cython.locals(value=cython.ulonglong, index=cython.int)
cdef unsigned long long read_low_first(Server server, int at, int octets) noexcept nogil

@cython.locals(
    family=cython.int, source=cython.int, octets=cython.int, high=cython.ulonglong, low=cython.ulonglong,
    index=cython.int, byte=cython.ulonglong,
)
cdef bint read_ecs(Server server, int at, int size) noexcept nogil
