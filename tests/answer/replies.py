"""Replies read strictly, and the laws that every one of them keeps, whatever was asked.

What is not dnspython's to say is read here from the bytes: where names are compressed, and how records lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import Struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from tests.answer.packets import OPTION_ECS, Query

DO = 0x8000
UDP_MIN, UDP_MAX, TCP_MAX = 512, 1232, 65535
HEADER = Struct("!6H")
FIXED = Struct("!HHIH")
COMPRESSIBLE = {"NS", "CNAME", "PTR", "MX", "SOA"}  # of the types of RFC 1035, those that a zone of today holds
ERRORS = {"FORMERR", "NOTIMP", "REFUSED", "NOTAUTH", "BADVERS"}
FAMILY_0, UNKNOWN_OPTION = bytes((0, 8, 0, 4, 0, 0, 0, 0)), bytes((0xFD, 0xE9, 0, 4, 0, 0, 0, 0))
OPT_BYTES_MAX = 11 + 24 + 4 + 63 + 6 + 6 + 28  # ECS, NSID, EDE, keepalive, cookie


@dataclass(frozen=True)
class Raw:
    """A record as it lies in a message: `owner` expanded, `rdata` as sent, starting at offset `start`."""

    section: int
    owner: bytes
    type: int
    rclass: int
    ttl: int
    rdata: bytes
    start: int


class Reply:
    """A reply's bytes, read by dnspython with every strictness it has."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.message = dns.message.from_wire(_readable(wire), keyring=False)
        _, self.flags, *self.counts = HEADER.unpack_from(wire)

    @property
    def rcode(self) -> str:
        """The RCODE's name, with the OPT record's part of it."""
        return dns.rcode.to_text(self.message.rcode())

    @property
    def aa(self) -> bool:
        """The AA bit."""
        return bool(self.flags & dns.flags.AA)

    @property
    def tc(self) -> bool:
        """The TC bit."""
        return bool(self.flags & dns.flags.TC)

    @cached_property
    def records(self) -> list[Raw]:
        """Every record, OPT and TSIG among them."""
        return list(_records(self.wire))

    @cached_property
    def question(self) -> bytes:
        """The question's bytes, empty where there is none."""
        if not self.counts[0]:
            return b""
        end = 12
        while self.wire[end]:
            assert self.wire[end] < 64, "the question's name is not compressed"
            end += self.wire[end] + 1
        return self.wire[12 : end + 5]

    @property
    def answer(self) -> list[str]:
        """The answer section's records, a text each, sorted."""
        return self._texts(0)

    @property
    def authority(self) -> list[str]:
        """The authority section's."""
        return self._texts(1)

    @property
    def additional(self) -> list[str]:
        """The additional section's, without OPT and TSIG."""
        return self._texts(2)

    def _texts(self, section: int) -> list[str]:
        return sorted(_text(self.wire, raw) for raw in self.records if raw.section == section and raw.type not in META)

    @property
    def opts(self) -> list[Raw]:
        """The OPT records."""
        return [raw for raw in self.records if raw.type == dns.rdatatype.OPT]

    def options(self) -> dict[int, bytes]:
        """The EDNS options' data by code."""
        found = {}
        for raw in self.opts:
            position = 0
            while position < len(raw.rdata):
                code, length = Struct("!HH").unpack_from(raw.rdata, position)
                assert code not in found, f"option {code} twice"
                found[code] = raw.rdata[position + 4 : position + 4 + length]
                assert len(found[code]) == length
                position += 4 + length
        return found

    @property
    def scope(self) -> int | None:
        """SCOPE PREFIX-LENGTH, None without a Client Subnet option."""
        data = self.options().get(OPTION_ECS)
        return None if data is None else data[3]

    @property
    def ede(self) -> int | None:
        """The extended error's code."""
        data = self.options().get(dns.edns.OptionType.EDE)
        return None if data is None else int.from_bytes(data[:2], "big")


def _readable(wire: bytes) -> bytes:
    """Return a message without what dnspython cannot take although it is right: an ECS option of family 0, and the
    opcode UPDATE, whose questions it wants to make sense."""
    if wire[2] >> 3 & 0xF == dns.opcode.UPDATE:
        wire = wire[:2] + bytes((wire[2] & 0x87 | dns.opcode.STATUS << 3,)) + wire[3:]
    return wire.replace(FAMILY_0, UNKNOWN_OPTION)


META = (dns.rdatatype.OPT, dns.rdatatype.TSIG)


def _records(wire: bytes) -> Iterator[Raw]:
    """Walk the message's records; every byte of it must belong to something."""
    *_, questions, answers, authorities, additionals = HEADER.unpack_from(wire)
    position = 12
    for _ in range(questions):
        position = _name(wire, position)[1] + 4
    for section, count in enumerate((answers, authorities, additionals)):
        for _ in range(count):
            owner, position = _name(wire, position)
            rtype, rclass, ttl, length = FIXED.unpack_from(wire, position)
            start = position + FIXED.size
            assert start + length <= len(wire)
            yield Raw(section, owner, rtype, rclass, ttl, wire[start : start + length], start)
            position = start + length
    assert position == len(wire), "bytes after the last record"


def _name(wire: bytes, start: int) -> tuple[bytes, int]:
    """Return a name expanded, and the offset after it; pointers lead backwards only."""
    name, position, end, lowest = b"", start, 0, start
    while True:
        length = wire[position]
        if length >= 0xC0:
            target = int.from_bytes(wire[position : position + 2], "big") & 0x3FFF
            assert 12 <= target < lowest, f"a pointer at {position} to {target}"
            end = end or position + 2
            position = lowest = target
            continue
        assert length < 64
        name += wire[position : position + 1 + length]
        position += 1 + length
        if not length:
            assert len(name) <= 255
            return name, end or position


def _text(wire: bytes, raw: Raw) -> str:
    owner = dns.name.from_wire(raw.owner, 0)[0]
    rtype = dns.rdatatype.RdataType.make(raw.type)
    rclass = dns.rdataclass.RdataClass.make(raw.rclass)
    rdata = dns.rdata.from_wire(rclass, rtype, wire, raw.start, len(raw.rdata))
    name = dns.rdatatype.to_text(rtype)
    if raw.rclass == 1 and name not in COMPRESSIBLE:
        assert rdata.to_wire() == raw.rdata, f"{name} data is not as it stands in the zone"
    return f"{owner} {raw.ttl} {name} {rdata}"


def check_laws(asked: Query, reply: Reply, over_tcp: bool) -> None:
    """Assert what PROTOCOL says of every reply: what is repeated, which bits are clear, how large it may be."""
    sent_flags = int.from_bytes(asked.wire[2:4], "big")
    opcode = sent_flags >> 11 & 0xF
    assert reply.wire[:2] == asked.wire[:2], "ID"
    assert reply.flags & 0x8000, "QR"
    assert reply.flags >> 11 & 0xF == opcode, "opcode"
    assert bool(reply.flags & 0x0100) == (opcode == 0 and bool(sent_flags & 0x0100)), "RD"
    assert not reply.flags & 0x00F0, "RA, Z, AD and CD are clear"
    assert reply.question == asked.asks, "the question's bytes"
    assert len(reply.opts) == (1 if asked.has_opt else 0), "OPT in, OPT out; none in, none out"
    for raw in reply.opts:
        assert (raw.section, raw.owner, raw.ttl >> 16 & 0xFF) == (2, b"\0", 0), "the OPT's header"
        assert raw.ttl & 0xFFFF == asked.opt_flags & DO, "DO comes back as it was, and no other flag (RFC 3225)"
        assert raw.rclass == UDP_MAX
    echoed = reply.options().get(OPTION_ECS)
    if asked.subnet is None:
        assert echoed is None, "a Client Subnet option that nobody sent"
    else:
        assert echoed is not None
        assert (echoed[:3], echoed[4:]) == (asked.subnet[:3], asked.subnet[4:]), "FAMILY, SOURCE and ADDRESS"
    assert len(reply.wire) <= size_limit(asked, over_tcp)
    if reply.rcode in ERRORS:
        assert not reply.aa
        assert reply.counts[1:3] == [0, 0]
        assert len(reply.wire) <= max(len(asked.wire), 12 + len(reply.question)) + OPT_BYTES_MAX
    if reply.tc:
        assert reply.counts[1:3] == [0, 0] and not reply.additional, "header, question and OPT suffice"
    _check_records(reply)


def _check_records(reply: Reply) -> None:
    """Assert one TTL for an RRset, no record twice, and that every rdata reads as its type."""
    ttls: dict[tuple[int, bytes, int], int] = {}
    seen = set()
    for raw in reply.records:
        if raw.type in META:
            continue
        text = _text(reply.wire, raw)
        assert (raw.section, text) not in seen, f"twice: {text}"
        seen.add((raw.section, text))
        key = (raw.section, raw.owner.lower(), raw.type)
        assert ttls.setdefault(key, raw.ttl) == raw.ttl, f"two TTLs in one RRset: {text}"


def size_limit(asked: Query, over_tcp: bool) -> int:
    """Return how large the reply may be."""
    if over_tcp:
        return TCP_MAX
    return UDP_MIN if asked.opt_size is None else min(max(asked.opt_size, UDP_MIN), UDP_MAX)
