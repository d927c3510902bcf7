"""EDNS (RFC 6891): the OPT record of a query as a value, and that of a reply as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from lbdns.dns.codes import FLAG_CO, FLAG_DO, OPTION_COOKIE, OPTION_ECS, TYPE_OPT, UDP_BYTES_MAX
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.options.cookie import Cookie
from lbdns.dns.options.option import ReplyFacts
from lbdns.dns.options.option_table import ROWS, decoders, encoders

_OPT_HEAD = Struct("!BHHIH")  # the root's name, type, size, extended RCODE with version and flags, length
_OPTION_HEAD = Struct("!HH")
_DECODERS, _ENCODERS = decoders(ROWS), encoders(ROWS)
_FIRST_ALONE = frozenset(row.code for row in ROWS if row.is_first_alone)


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
    def compact_ok(self) -> bool:
        """Whether the client takes NXDOMAIN with a compact denial (RFC 9824 section 5.1)."""
        return bool(self.flags & FLAG_CO)

    @property
    def client_subnet(self) -> ClientSubnet | None:
        """The first Client Subnet option that is well-formed, None where there is none."""
        found: ClientSubnet | None = self.options.get(OPTION_ECS)
        return found

    @property
    def cookie(self) -> Cookie | None:
        """The first Cookie option, None where there is none or it is malformed."""
        found: Cookie | None = self.options.get(OPTION_COOKIE)
        return found


def decode_edns(size: int, ttl: int, data: bytes) -> Edns:
    """Return the value of an OPT record from its class, TTL and RDATA; never raises."""
    version = ttl >> 16 & 0xFF
    options: dict[int, Any] = {}
    is_malformed = False
    position = 0
    while position < len(data):
        if position + _OPTION_HEAD.size > len(data):
            is_malformed = True
            break
        code, length = _OPTION_HEAD.unpack_from(data, position)
        position += _OPTION_HEAD.size
        if position + length > len(data):
            is_malformed = True
            break
        decode = None if code in options and code in _FIRST_ALONE else _DECODERS.get(code)
        if decode is not None:
            said = decode(data[position : position + length])
            is_malformed |= said is None
            if options.get(code) is None:
                options[code] = said
        position += length
    # Of another version only the number is sure to mean what it says (section 6.1.3).
    return Edns(version, size, ttl & 0xFFFF, options, is_malformed and version == 0)


def encode_edns(edns: Edns, rcode: int, reply: ReplyFacts) -> bytes:
    """Return the OPT record of the reply to a query that had one (section 7): version 0, our size, DO as it came
    (RFC 3225 section 3) and no other flag, the extended RCODE and the options that are due."""
    data = _encode_options(edns, reply) if edns.options or reply.error is not None else b""
    return _OPT_HEAD.pack(0, TYPE_OPT, UDP_BYTES_MAX, rcode >> 4 << 24 | edns.flags & FLAG_DO, len(data)) + data


def _encode_options(edns: Edns, reply: ReplyFacts) -> bytes:
    data = b""
    asked = edns.options
    for code, encode, is_unasked in _ENCODERS:
        if is_unasked or code in asked:
            told = encode(asked.get(code), reply)
            if told is not None:
                data += _OPTION_HEAD.pack(code, len(told)) + told
    return data
