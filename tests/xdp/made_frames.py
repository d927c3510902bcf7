"""Frames made for tests, and what is to be found in them: the RFCs' words, written a second time."""

from __future__ import annotations

import struct

CLIENT_MAC, SERVER_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
ADDRESSES = {
    4: (bytes([10, 9, 0, 2]), bytes([10, 9, 0, 1])),
    6: (bytes.fromhex("fd000009" + "0" * 23 + "2"), bytes.fromhex("fd000009" + "0" * 23 + "1")),
}
PORTS = (40000, 53)
HEADS = {4: 42, 6: 62}
TYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}


def checksum(data: bytes) -> int:
    """Return the sum of RFC 1071, not yet complemented."""
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(version: int, addresses: bytes, length: int) -> bytes:
    """Return what UDP's checksum has of the packet before it."""
    return addresses + (struct.pack("!HH", 17, length) if version == 4 else struct.pack("!II", length, 17))


def frame(version: int, data: bytes, said: int | None = None, padding: int = 0) -> bytes:
    """Return a frame from the client with a datagram; `said`: its UDP checksum, the right one without it."""
    length = 8 + len(data)
    source, target = ADDRESSES[version]
    udp = struct.pack("!HHHH", *PORTS, length, 0) + data
    right = 0xFFFF - checksum(pseudo(version, source + target, length) + udp) or 0xFFFF
    udp = struct.pack("!HHHH", *PORTS, length, right if said is None else said) + data
    if version == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 7, 0, 64, 17, 0, source, target)
        head = head[:10] + struct.pack("!H", 0xFFFF - checksum(head)) + head[12:]
    else:
        head = struct.pack("!IHBB16s16s", 0x60000000, length, 17, 64, source, target)
    return SERVER_MAC + CLIENT_MAC + TYPES[version] + head + udp + bytes(padding)


def partial_frame(version: int, data: bytes) -> bytes:
    """Return a frame of a neighbour on the same machine, which leaves UDP's checksum to the card."""
    return frame(version, data, said=checksum(pseudo(version, b"".join(ADDRESSES[version]), 8 + len(data))))


def datagram_of(octets: bytes) -> bytes | None:
    """Return the datagram in a frame, None where the kernel would drop it, or where it is of another kind."""
    version = next((version for version, kind in TYPES.items() if octets[12:14] == kind), 0)
    if not version or len(octets) < HEADS[version]:
        return None
    packet, udp = octets[14:], octets[HEADS[version] - 8 :]
    if version == 4:
        total = int.from_bytes(packet[2:4])
        if packet[0] != 0x45 or packet[9] != 17 or checksum(packet[:20]) != 0xFFFF:
            return None
        addresses, length = packet[12:20], total - 20
    else:
        if packet[6] != 17:
            return None
        addresses, length = packet[8:40], int.from_bytes(packet[4:6])
    if length < 8 or length > len(udp) or int.from_bytes(udp[4:6]) != length:
        return None
    said = int.from_bytes(udp[6:8])
    before = pseudo(version, addresses, length)
    if said == 0:
        return udp[8:length] if version == 4 else None
    is_whole = said == checksum(before) or checksum(before + udp[:length]) == 0xFFFF
    return udp[8:length] if is_whole else None
