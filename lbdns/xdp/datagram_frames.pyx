# cython: language_level=3
"""A frame as a datagram, and the frame of a reply: Ethernet, IPv4 or IPv6, UDP.

The filter has looked at what kind of frame it is. What the kernel would look at before a socket gets it is looked at
here: IPv4's checksum, the lengths, UDP's checksum. A frame that never was on a wire, from a neighbour on the same
machine, has the sum over addresses and lengths alone in place of that (the card was to add the rest): it is whole.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from lbdns.fastpath.system_calls cimport htons, ntohs

cdef enum:
    ETHER_IPV4 = 0x0800
    ETHER_IPV6 = 0x86DD
    PROTOCOL_UDP = 17
    HOPS = 64


cdef uint64_t add_octets(uint64_t total, const uint8_t *octets, int count) noexcept nogil:
    """Add the 16-bit numbers of some octets to a sum; an odd one is the first of its number."""
    cdef uint32_t four
    cdef uint16_t two
    while count >= 4:
        memcpy(&four, octets, 4)
        total += four
        octets += 4
        count -= 4
    if count >= 2:
        memcpy(&two, octets, 2)
        total += two
        octets += 2
        count -= 2
    if count:
        two = 0
        memcpy(&two, octets, 1)
        total += two
    return total


cdef uint16_t folded(uint64_t total) noexcept nogil:
    """Return a sum in the 16 bits of the Internet checksum (RFC 1071), as it lies in memory."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return <uint16_t>total


cdef uint16_t field_at(const uint8_t *octets) noexcept nogil:
    """Return a number of 16 bits as it lies in memory."""
    cdef uint16_t number
    memcpy(&number, octets, 2)
    return number


cdef void set_field(uint8_t *octets, uint16_t number) noexcept nogil:
    memcpy(octets, &number, 2)


cdef uint64_t pseudo_sum(const uint8_t *frame, int head) noexcept nogil:
    """Return the sum over what UDP's checksum has of the packet before it: addresses, length and protocol."""
    cdef const uint8_t *udp = frame + head - UDP_BYTES
    cdef uint64_t total = <uint64_t>field_at(udp + 4) + htons(PROTOCOL_UDP)
    if head == HEAD4_BYTES:
        return add_octets(total, frame + 26, 8)
    return add_octets(total, frame + 22, 32)


cdef int head_of(const uint8_t *frame, int length) noexcept nogil:
    """Return how many octets stand before the datagram in a frame, 0 where it is broken and to be dropped."""
    cdef int head, packet
    cdef uint16_t said
    cdef uint64_t pseudo
    cdef const uint8_t *udp
    if length < HEAD4_BYTES:
        return 0
    if ntohs(field_at(frame + 12)) == ETHER_IPV4:
        head, packet = HEAD4_BYTES, ntohs(field_at(frame + 16))
        if frame[14] != 0x45 or frame[23] != PROTOCOL_UDP or folded(add_octets(0, frame + 14, 20)) != 0xFFFF:
            return 0
    else:
        head = HEAD6_BYTES
        if length < head or ntohs(field_at(frame + 12)) != ETHER_IPV6 or frame[20] != PROTOCOL_UDP:
            return 0
        packet = ntohs(field_at(frame + 18)) + 40
    udp = frame + head - UDP_BYTES
    if packet < head - ETHERNET_BYTES or ETHERNET_BYTES + packet > length:
        return 0
    if ntohs(field_at(udp + 4)) != packet - (head - ETHERNET_BYTES - UDP_BYTES):
        return 0
    said = field_at(udp + 6)
    if said == 0:
        return head if head == HEAD4_BYTES else 0  # RFC 8200 section 8.1
    pseudo = pseudo_sum(frame, head)
    if folded(pseudo) == said:
        return head
    return head if folded(add_octets(pseudo, udp, packet - (head - ETHERNET_BYTES - UDP_BYTES))) == 0xFFFF else 0


cdef int data_bytes(const uint8_t *frame, int head) noexcept nogil:
    """Return how long the datagram in a frame is."""
    return ntohs(field_at(frame + head - UDP_BYTES + 4)) - UDP_BYTES


cdef int turn_head(uint8_t *reply, const uint8_t *query, int head, int size, uint16_t number) noexcept nogil:
    """Write before a reply of `size` octets, which stands behind `head` octets of a frame, what stands before its query,
    turned round; `number`: the packet's. Return how long the frame is."""
    cdef uint8_t *udp = reply + head - UDP_BYTES
    cdef const uint8_t *asked = query + head - UDP_BYTES
    cdef int length = UDP_BYTES + size
    cdef uint16_t total
    memcpy(reply, query + 6, 6)
    memcpy(reply + 6, query, 6)
    memcpy(reply + 12, query + 12, 2)
    if head == HEAD4_BYTES:
        memset(reply + 14, 0, 12)
        reply[14] = 0x45
        set_field(reply + 16, htons(20 + length))
        set_field(reply + 18, htons(number))
        reply[22] = HOPS
        reply[23] = PROTOCOL_UDP
        memcpy(reply + 26, query + 30, 4)
        memcpy(reply + 30, query + 26, 4)
        set_field(reply + 24, ~folded(add_octets(0, reply + 14, 20)))
    else:
        memset(reply + 14, 0, 4)
        reply[14] = 0x60
        set_field(reply + 18, htons(length))
        reply[20] = PROTOCOL_UDP
        reply[21] = HOPS
        memcpy(reply + 22, query + 38, 16)
        memcpy(reply + 38, query + 22, 16)
    memcpy(udp, asked + 2, 2)
    memcpy(udp + 2, asked, 2)
    set_field(udp + 4, htons(length))
    set_field(udp + 6, 0)
    total = ~folded(add_octets(pseudo_sum(reply, head), udp, length))
    set_field(udp + 6, total if total else 0xFFFF)
    return head + size


# For tests: the same from outside, each in memory of just its size.

def datagram_in(const uint8_t[::1] frame):
    """Return the datagram in a frame, None where it is broken."""
    cdef const uint8_t *octets = &frame[0]
    cdef int head = head_of(octets, len(frame))
    return octets[head:head + data_bytes(octets, head)] if head else None


def answered_with(const uint8_t[::1] frame, bytes reply, int number):
    """Return the frame of a reply to what is in a frame that is not broken."""
    cdef const uint8_t *octets = &frame[0]
    cdef int head = head_of(octets, len(frame)), length = head + len(reply)
    cdef uint8_t *made = <uint8_t *>malloc(length)
    if made == NULL:
        raise MemoryError("no memory for a frame")
    try:
        memcpy(made + head, <const uint8_t *>reply, len(reply))
        return made[:turn_head(made, octets, head, len(reply), number)]
    finally:
        free(made)
