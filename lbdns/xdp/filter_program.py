"""The filter: what the kernel runs for each frame that an interface receives.

    to our MAC address? -> IPv4 without options or fragments, or IPv6 without extension headers? -> UDP whose length is
    the packet's? -> to an address and port in the map of ours? -> the AF_XDP socket of the queue, where there is one
       '-- any of these not: to the kernel

What a kernel's sockets would never see (sources that no host has) goes to the kernel too, which drops it. A frame with
a VLAN tag is none of these, as are frames that do not fit where the others lie.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

from lbdns.xdp.bpf_assembler import Assembler

PASS: Final = 2  # XDP_PASS
FRAME_BYTES_MAX: Final = 1536
"""Of a longest frame: the kernel copies it into a chunk of memory that is little longer (rings.pyx)."""
KEY_BYTES: Final = 20
"""Of an address in the map: 16 octets, the port as on the wire, 4 or 6."""
_KEY: Final = struct.Struct("=16s2sH")

_LOOK_UP: Final = 1  # bpf_map_lookup_elem
_REDIRECT: Final = 51  # bpf_redirect_map
_ETHERNET: Final = 14
_IPV4: Final = 20
_IPV6: Final = 40
_UDP: Final = 8
_PROTOCOL_UDP: Final = 17
_CONTEXT, _DATA, _END = 6, 2, 3  # registers
_STACK: Final = 10
_KEY_AT: Final = -24


def address_key(host: str, port: int) -> bytes:
    """Return the key of an address in the map."""
    address = ipaddress.ip_address(host)
    return _KEY.pack(address.packed.ljust(16, b"\0"), port.to_bytes(2), address.version)


def filter_program(mac: bytes, addresses: int, sockets: int) -> bytes:
    """Return the filter of an interface with a MAC address; `addresses`, `sockets`: the descriptors of the map of our
    addresses, and of the one of AF_XDP sockets by queue."""
    code = Assembler()
    code.move(_CONTEXT, 1)
    code.load(4, _DATA, 1, 0)
    code.load(4, _END, 1, 4)
    _need(code, _ETHERNET + _IPV4 + _UDP)
    code.move(4, _DATA)
    code.add(4, FRAME_BYTES_MAX + 1)
    code.jump_if_register(4, "<=", _END, "pass")
    code.load(4, 5, _DATA, 0)
    code.jump_if_low(5, "!=", int.from_bytes(mac[:4], "little"), "pass")
    code.load(2, 5, _DATA, 4)
    code.jump_if(5, "!=", int.from_bytes(mac[4:], "little"), "pass")
    code.load(2, 5, _DATA, 12)
    code.jump_if(5, "==", 0x0008, "v4")
    code.jump_if(5, "==", 0xDD86, "v6")
    code.label("pass")
    code.set(0, PASS)
    code.exit()
    _of_ipv4(code)
    _of_ipv6(code)
    code.label("ours")
    code.set_map(1, addresses)
    code.move(2, _STACK)
    code.add(2, _KEY_AT)
    code.call(_LOOK_UP)
    code.jump_if(0, "==", 0, "pass")
    code.set_map(1, sockets)
    code.load(4, 2, _CONTEXT, 16)  # the queue
    code.set(3, PASS)  # where it has no socket
    code.call(_REDIRECT)
    code.exit()
    return code.program()


def _need(code: Assembler, octets: int) -> None:
    code.move(4, _DATA)
    code.add(4, octets)
    code.jump_if_register(4, ">", _END, "pass")


def _of_ipv4(code: Assembler) -> None:
    ip, udp = _ETHERNET, _ETHERNET + _IPV4
    code.label("v4")
    code.load(1, 5, _DATA, ip)
    code.jump_if(5, "!=", 0x45, "pass")
    code.load(2, 5, _DATA, ip + 6)
    code.keep_bits(5, 0xFF3F)  # more fragments, and where this one belongs
    code.jump_if(5, "!=", 0, "pass")
    code.load(1, 5, _DATA, ip + 9)
    code.jump_if(5, "!=", _PROTOCOL_UDP, "pass")
    code.load(1, 5, _DATA, ip + 12)  # sources of this network, loopback, multicast and beyond
    code.jump_if(5, "==", 0, "pass")
    code.jump_if(5, "==", 127, "pass")
    code.jump_if(5, ">=", 224, "pass")
    code.load(2, 7, _DATA, udp + 4)
    code.swap_16(7)
    code.add(7, _IPV4)
    code.load(2, 8, _DATA, ip + 2)
    code.swap_16(8)
    code.jump_if_register(7, "!=", 8, "pass")
    code.store_number(8, _STACK, _KEY_AT, 0)
    code.store_number(8, _STACK, _KEY_AT + 8, 0)
    code.load(4, 5, _DATA, ip + 16)
    code.store(4, _STACK, _KEY_AT, 5)
    code.load(2, 5, _DATA, udp + 2)
    code.store_number(4, _STACK, _KEY_AT + 16, 4 << 16)
    code.store(2, _STACK, _KEY_AT + 16, 5)
    code.jump("ours")


def _of_ipv6(code: Assembler) -> None:
    ip, udp = _ETHERNET, _ETHERNET + _IPV6
    code.label("v6")
    _need(code, udp + _UDP)
    code.load(1, 5, _DATA, ip)
    code.keep_bits(5, 0xF0)
    code.jump_if(5, "!=", 0x60, "pass")
    code.load(1, 5, _DATA, ip + 6)
    code.jump_if(5, "!=", _PROTOCOL_UDP, "pass")
    code.load(1, 5, _DATA, ip + 8)
    code.jump_if(5, "==", 0xFF, "pass")  # multicast
    code.load(4, 5, _DATA, ip + 8)
    code.load(4, 7, _DATA, ip + 12)
    code.join_bits(5, 7)
    code.jump_if(5, "==", 0, "pass")  # none, loopback, IPv4 within
    code.load(2, 7, _DATA, ip + 4)
    code.load(2, 8, _DATA, udp + 4)
    code.jump_if_register(7, "!=", 8, "pass")
    for word in range(0, 16, 4):
        code.load(4, 5, _DATA, ip + 24 + word)
        code.store(4, _STACK, _KEY_AT + word, 5)
    code.load(2, 5, _DATA, udp + 2)
    code.store_number(4, _STACK, _KEY_AT + 16, 6 << 16)
    code.store(2, _STACK, _KEY_AT + 16, 5)
    code.jump("ours")
