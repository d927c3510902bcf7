"""Queries as bytes, well formed or not: the parts of a message, and a value that knows what it asked.

Names are texts in master-file notation (`\\000` and `\\.` as there) or ready-made wire names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.name
import dns.rdatatype

ID = 0xC0DE
RD = 0x0100
QR = 0x8000
IN = 1

OPTION_NSID, OPTION_ECS, OPTION_COOKIE, OPTION_KEEPALIVE, OPTION_PADDING = 3, 8, 10, 11, 12

Name = str | bytes


def wire_name(name: Name) -> bytes:
    """Return a name in wire form, its case kept."""
    return name if isinstance(name, bytes) else dns.name.from_text(name).to_wire() or b""


def u16(number: int) -> bytes:
    """Return two octets."""
    return number.to_bytes(2, "big")


def header(flags: int = RD, counts: Sequence[int] = (1, 0, 0, 0), message_id: int = ID) -> bytes:
    """Return a message's header."""
    return b"".join(map(u16, (message_id, flags, *counts)))


def question(name: Name, qtype: int | str = "A", qclass: int = IN) -> bytes:
    """Return a question."""
    return wire_name(name) + u16(type_number(qtype)) + u16(qclass)


def type_number(qtype: int | str) -> int:
    """Return the number of a type."""
    return qtype if isinstance(qtype, int) else int(dns.rdatatype.from_text(qtype))


def record(
    owner: Name, rtype: int | str, rdata: bytes, rclass: int = IN, ttl: int = 0, length: int | None = None
) -> bytes:
    """Return a resource record; `length` overrides RDLENGTH."""
    size = len(rdata) if length is None else length
    return wire_name(owner) + u16(type_number(rtype)) + u16(rclass) + ttl.to_bytes(4, "big") + u16(size) + rdata


def opt(
    *options: bytes,
    size: int = 1232,
    version: int = 0,
    flags: int = 0,
    owner: Name = b"\0",
    length: int | None = None,
) -> bytes:
    """Return an OPT record; `flags` are the 16 bits of DO and Z."""
    return record(owner, 41, b"".join(options), size, version << 16 | flags, length)


def option(code: int, data: bytes = b"", length: int | None = None) -> bytes:
    """Return an EDNS option; `length` overrides OPTION-LENGTH."""
    return u16(code) + u16(len(data) if length is None else length) + data


def subnet(prefix: str, scope: int = 0) -> bytes:
    """Return the data of a Client Subnet option for a prefix such as `192.0.2.0/24`: as many octets as it needs."""
    network = ipaddress.ip_network(prefix)
    source = network.prefixlen
    address = network.network_address.packed[: (source + 7) // 8]
    return u16(1 if network.version == 4 else 2) + bytes((source, scope)) + address


def tsig(key: Name, algorithm: Name = "hmac-sha256.", mac: bytes = bytes(32), original_id: int = ID) -> bytes:
    """Return a TSIG record (RFC 8945 section 4.2), signed by nobody."""
    data = wire_name(algorithm) + bytes(6) + u16(300) + u16(len(mac)) + mac + u16(original_id) + u16(0) + u16(0)
    return record(key, 250, data, 255)


@dataclass(frozen=True)
class Query:
    """A message to send, and what a reply takes up of it: its question, the OPT's size and flags, its Client Subnet."""

    wire: bytes
    asks: bytes = b""
    opt_size: int | None = None
    subnet: bytes | None = None
    opt_flags: int = 0

    @property
    def has_opt(self) -> bool:
        """Whether an OPT comes back."""
        return self.opt_size is not None

    @property
    def id(self) -> int:
        """The message's ID."""
        return int.from_bytes(self.wire[:2], "big")

    def with_id(self, message_id: int) -> Query:
        """Return the same query under another ID."""
        return replace(self, wire=u16(message_id) + self.wire[2:])


def query(
    name: Name,
    qtype: int | str = "A",
    *,
    edns: bytes | bool = False,
    ecs: str | bytes | None = None,
    flags: int = RD,
    qclass: int = IN,
    additional: Sequence[bytes] = (),
    size: int = 1232,
    tail: bytes = b"",
) -> Query:
    """Return a well-formed query. `edns`: an OPT record, or whether to send a plain one; `ecs`: a prefix, or an
    option's data; `additional`: records after the OPT; `tail`: bytes after the message."""
    data = subnet(ecs) if isinstance(ecs, str) else ecs
    if data is not None:
        edns = opt(option(OPTION_ECS, data), size=size)
    elif isinstance(edns, bool):
        edns = opt(size=size) if edns else b""
    records = [*([edns] if edns else []), *additional]
    asks = question(name, qtype, qclass)
    wire = header(flags, (1, 0, 0, len(records))) + asks + b"".join(records) + tail
    opt_size = int.from_bytes(edns[3:5], "big") if edns else None
    return Query(wire, asks, opt_size, data, int.from_bytes(edns[7:9], "big"))


def slow_query(name: Name, qtype: int | str = "A") -> Query:
    """Return a query that every fast path leaves to the slow path: a signed one, whose reply is NOTAUTH."""
    return query(name, qtype, additional=[tsig("nobody.")])
