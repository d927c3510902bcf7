# The C types of tapping.py.
cimport cython

from lbdns.fastpath.read cimport Server
from lbdns.fastpath.write cimport target_bytes
from lbdns.mapped.tap_ring cimport Tap, put_exchange
from lbdns.mapped.tap_words cimport *
from lbdns.snapshot.lookup.name_rows cimport *
from lbdns.steering.kernel.hashing cimport mix64


cpdef bint is_tapped(Tap tap, unsigned long long draw) noexcept nogil

@cython.locals(zone=cython.uint, zone_bytes=cython.int)
cpdef void tap_served(Tap tap, Server server, int start, int length, int base, int size) noexcept nogil
