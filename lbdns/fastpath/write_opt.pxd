# The C types of write_opt.py. What another module calls has a Python form too, for the one that is interpreted.
cimport cython

from lbdns.dns.codes cimport *
from lbdns.dns.cookie_words cimport *
from lbdns.dns.keepalive_words cimport *
from lbdns.dns.server_cookie cimport settle
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.mapped.octets cimport *


@cython.locals(size=cython.int)
cpdef int opt_bytes(Server server, int ede) noexcept nogil

cpdef int write_opt(Server server, int position, int scope, int ede) noexcept nogil

cdef int write_cookie(Server server, int position) noexcept nogil

@cython.locals(index=cython.int)
cdef void put_low_first(Server server, int position, unsigned long long value, int octets) noexcept nogil

cdef int nsid_bytes(Server server) noexcept nogil

@cython.locals(size=cython.int, index=cython.int)
cdef int write_nsid(Server server, int position) noexcept nogil

@cython.locals(index=cython.int)
cdef void put_number(Server server, int position, unsigned int value, int octets) noexcept nogil
