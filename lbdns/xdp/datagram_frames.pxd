# Frames as datagrams (datagram_frames.pyx).

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    ETHERNET_BYTES = 14
    UDP_BYTES = 8
    HEAD4_BYTES = 42  # Ethernet, IPv4 and UDP
    HEAD6_BYTES = 62  # Ethernet, IPv6 and UDP

cdef int head_of(const uint8_t *frame, int length) noexcept nogil
cdef int data_bytes(const uint8_t *frame, int head) noexcept nogil
cdef int turn_head(uint8_t *reply, const uint8_t *query, int head, int size, uint16_t number) noexcept nogil
cdef uint64_t add_octets(uint64_t total, const uint8_t *octets, int count) noexcept nogil
cdef uint16_t folded(uint64_t total) noexcept nogil
