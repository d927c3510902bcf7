# The C types of wire.py.
cimport cython

from lbdns.dns.codes cimport *


cpdef int udp_limit(int size) noexcept nogil

@cython.locals(opcode=cython.int)
cpdef int reply_flags(int asked, int rcode) noexcept nogil

cpdef bint is_client_subnet(int family, int source, int scope, int octets, int last) noexcept nogil

cpdef bint is_cookie(int size) noexcept nogil

cpdef int named_head_bytes(int rtype) noexcept nogil

cpdef unsigned long long named_head(
    int rtype, unsigned long long priority, unsigned long long weight, unsigned long long port
) noexcept nogil
