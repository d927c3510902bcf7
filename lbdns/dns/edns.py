"""EDNS (RFC 6891): the OPT record of a query as a value, and that of a reply as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lbdns.dns.codes import FLAG_DO, OPTION_ECS, TYPE_OPT, UDP_BYTES_MAX
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.options.option import ReplyFacts
from lbdns.dns.options.option_table import OPTIONS

OPTION_HEAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class Edns:
    """What a query's OPT record says.

    `flags`: the 16 flags; `options`: by code what those said that lbdns understands (options/option_table.py), None
    where malformed. `is_malformed`: an option or the record is; the rest is then what could be read.
    """

    version: int = 0
    size: int = 512
    flags: int = 0
    options: Mapping[int, Any] = field(default_factory=dict)
    is_malformed: bool = False

    @property
    def dnssec_ok(self) -> bool:
        """Whether the client wants DNSSEC's records (RFC 3225)."""
        return bool(self.flags & FLAG_DO)

    @property
    def client_subnet(self) -> ClientSubnet | None:
        """The first Client Subnet option that is well-formed, None where there is none."""
        found: ClientSubnet | None = self.options.get(OPTION_ECS)
        return found


def decode_edns(size: int, ttl: int, data: bytes) -> Edns:
    """Return the value of an OPT record from its class, TTL and RDATA; never raises."""
    version = ttl >> 16 & 0xFF
    options: dict[int, Any] = {}
    is_malformed = False
    position = 0
    while position < len(data):
        code = int.from_bytes(data[position : position + 2], "big")
        length = int.from_bytes(data[position + 2 : position + OPTION_HEAD_BYTES], "big")
        position += OPTION_HEAD_BYTES
        if position + length > len(data):
            is_malformed = True
            break
        option = OPTIONS.get(code)
        if option is not None and option.decode is not None:
            said = option.decode(data[position : position + length])
            is_malformed |= said is None
            if options.get(code) is None:
                options[code] = said
        position += length
    # Of another version only the number is sure to mean what it says (section 6.1.3).
    return Edns(version, size, ttl & 0xFFFF, options, is_malformed and version == 0)


def encode_edns(edns: Edns | None, rcode: int, reply: ReplyFacts) -> bytes:
    """Return the OPT record of the reply to a query: version 0, our size, no flags, the extended RCODE and the options
    that are due. Nothing where the query had none (section 7)."""
    if edns is None:
        return b""
    data = b""
    for code, option in OPTIONS.items():
        if option.encode is not None and (option.is_unasked or code in edns.options):
            told = option.encode(edns.options.get(code), reply)
            if told is not None:
                data += code.to_bytes(2, "big") + len(told).to_bytes(2, "big") + told
    head = TYPE_OPT.to_bytes(2, "big") + UDP_BYTES_MAX.to_bytes(2, "big")
    return b"\0" + head + ((rcode >> 4) << 24).to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
