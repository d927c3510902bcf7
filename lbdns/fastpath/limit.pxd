# The C types of limit.py.
cimport cython

from lbdns.answer.rate_table cimport charge, class_of
from lbdns.dns.codes cimport *
from lbdns.dns.proxy_header cimport read_proxy_header
from lbdns.dns.proxy_words cimport *
from lbdns.fastpath.layout cimport *
from lbdns.fastpath.read cimport Server
from lbdns.mapped.counter_words cimport *
from lbdns.mapped.counters cimport Counters
from lbdns.mapped.rate_words cimport *
from lbdns.steering.kernel.decide cimport walk
from lbdns.steering.kernel.numbers cimport *


@cython.locals(found=cython.ulonglong, size=cython.int)
cpdef int pass_header(Counters counters, Server server, int start, int length) noexcept nogil

@cython.locals(trie=cython.uint, found=cython.ulonglong)
cpdef bint may_ask(Server server) noexcept nogil

@cython.locals(is_none=cython.bint)
cpdef int limit_reply(Server server, int base, int size) noexcept nogil

cdef bint is_proven(Server server) noexcept nogil

@cython.locals(end=cython.int, index=cython.int)
cdef int cut_reply(Server server, int base, int size) noexcept nogil
