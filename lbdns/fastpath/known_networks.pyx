# cython: language_level=3
"""Networks from which somebody has come over TCP of late: nobody forges that, as he would not hear what he must answer.

A datagram's source may be anybody's word. What is deferred from these networks waits in queues of its own (in_hand.pyx),
so that a flood in the name of thousands of others takes none of that. Who is told to come over TCP for want of room, and
does, is known from then on.

The thread of the event loop notes, the fast path's threads look, without a lock: where they look while a place is taken
anew, they see it as free.
"""

from libc.stdint cimport uint64_t

from lbdns.base.networks cimport *
from lbdns.fastpath.system_calls cimport CLOCK_MONOTONIC_COARSE, LBDNS_FENCE, LBDNS_LOAD, LBDNS_STORE, clock_gettime, timespec
from lbdns.steering.kernel.hashing cimport mix64

cdef enum:
    KNOWN_S = 3600  # as long as a server's cookie is good for (RFC 9018, section 4.3)


cdef uint64_t network_number(uint64_t high, int version) noexcept nogil:
    """Return a number for a client's network (base/networks.py). `high`: its address's first 64 bits."""
    return mix64(high >> (64 - (NETWORK_BITS_V4 if version == 4 else NETWORK_BITS_V6)))


cdef class KnownNetworks:
    """A table of bounded size, for all sockets of a process; whose time is over first makes room."""

    def note(self, bytes address):
        """Note that somebody has come over TCP; `address`: his, of 4 or 16 bytes."""
        cdef int octets = len(address), index, place, oldest, first
        cdef uint64_t high = 0, network
        cdef timespec now
        for index in range(8):
            high = (high << 8) | (<uint64_t>address[index] if index < octets else 0)
        network = network_number(high, 4 if octets == 4 else 6)
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
        first = oldest = <int>(network % KNOWN_SETS) * KNOWN_WAYS
        for place in range(first, first + KNOWN_WAYS):
            if self.until_s[place] and self.networks[place] == network:
                LBDNS_STORE(&self.until_s[place], <int>now.tv_sec + KNOWN_S)
                return
            if self.until_s[place] < self.until_s[oldest]:
                oldest = place
        LBDNS_STORE(&self.until_s[oldest], 0)
        LBDNS_FENCE()
        self.networks[oldest] = network
        LBDNS_STORE(&self.until_s[oldest], <int>now.tv_sec + KNOWN_S)

    cdef bint holds(self, uint64_t network, int now_s) noexcept nogil:
        """Return whether a network is known at this time of the monotonic clock."""
        cdef int place, first = <int>(network % KNOWN_SETS) * KNOWN_WAYS
        for place in range(first, first + KNOWN_WAYS):
            if LBDNS_LOAD(&self.until_s[place]) > now_s and self.networks[place] == network:
                return True
        return False
