# Networks that have shown themselves (known_networks.pyx).

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    KNOWN_SETS = 1024
    KNOWN_WAYS = 4
    KNOWN_MAX = 4096  # KNOWN_SETS * KNOWN_WAYS


cdef class KnownNetworks:
    cdef uint64_t networks[KNOWN_MAX]
    cdef int until_s[KNOWN_MAX]
    cdef bint holds(self, uint64_t network, int now_s) noexcept nogil


cdef uint64_t network_number(uint64_t high, int version) noexcept nogil
