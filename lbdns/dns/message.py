"""A request's datagram as a value, or what is wrong with it: a QUERY's, a NOTIFY's or UPDATE's where those are taken.

Strict where PROTOCOL's "Bad input" says so, and total: every byte string gives a `Message`, a `Refusal` or None (drop).
Records beyond the question are walked, not kept: of them only OPT and TSIG mean something in a query, the first SOA in
an IXFR or a NOTIFY, and all of an UPDATE's to whoever takes that.
"""

from __future__ import annotations

from collections.abc import Collection
from struct import Struct
from typing import Final, NamedTuple

from lbdns.dns.codes import (
    CLASS_ANY,
    FLAG_QR,
    FORMERR,
    HEADER_BYTES,
    NOTIMP,
    OPCODE_QUERY,
    TYPE_IXFR,
    TYPE_OPT,
    TYPE_SOA,
    TYPE_TSIG,
)
from lbdns.dns.edns import Edns, decode_edns
from lbdns.dns.name import checked_name_end, expand_name, skip_name

QUERIES: Final = frozenset({OPCODE_QUERY})
SOA_TAIL_BYTES: Final = 20
"""Of an SOA's data behind its two names: serial, refresh, retry, expire, minimum (RFC 1035 section 3.3.13)."""
_HEADER = Struct("!6H")
_RECORD = Struct("!HHIH")
_QUESTION = Struct("!HH")


class Signature(NamedTuple):
    """A query's TSIG record (RFC 8945): key and algorithm names in wire form, what a reply repeats of it, and what its
    MAC is about. `start`: where in the datagram it stands."""

    key: bytes
    algorithm: bytes
    time_and_fudge: bytes
    original_id: bytes
    start: int
    mac: bytes
    error: int
    other: bytes

    @property
    def time_s(self) -> int:
        """When it was signed, in unix seconds."""
        return int.from_bytes(self.time_and_fudge[:6])

    @property
    def fudge_s(self) -> int:
        """By how much clocks may differ from that."""
        return int.from_bytes(self.time_and_fudge[6:])


class Message(NamedTuple):
    """A request that could be read. `qname` is in lower case, `qname_asked` as it came; wire format both. Of an UPDATE
    these are the zone's section (RFC 2136 section 2.3).

    `counts`: of the records in the three sections behind the question, OPT and TSIG among the last ones'. `serial`: of
    the first SOA in an IXFR's authority section (RFC 1995 section 3) or a NOTIFY's answer section (RFC 1996 section
    3.7), None where there is none.
    """

    id: int
    flags: int
    qname: bytes
    qname_asked: bytes
    qtype: int
    qclass: int
    edns: Edns | None = None
    signature: Signature | None = None
    counts: tuple[int, int, int] = (0, 0, 0)
    serial: int | None = None

    @property
    def opcode(self) -> int:
        """What is asked for: OPCODE_*."""
        return self.flags >> 11 & 0xF

    @property
    def question(self) -> bytes:
        """The question's bytes."""
        return self.qname_asked + _QUESTION.pack(self.qtype, self.qclass)


class Refusal(NamedTuple):
    """A query that gets an error whatever it asks: `rcode`, and as much of it as could be read. `is_for_cookie`: it
    asks nothing, and has a cookie (RFC 7873 section 5.4)."""

    id: int
    flags: int
    rcode: int
    question: bytes = b""
    edns: Edns | None = None
    signature: Signature | None = None
    is_for_cookie: bool = False


class _Records(NamedTuple):
    edns: Edns | None = None
    signature: Signature | None = None
    is_malformed: bool = False
    serial: int | None = None


def decode(datagram: bytes, opcodes: Collection[int] = QUERIES) -> Message | Refusal | None:
    """Return what a datagram asks; None for what gets no reply: shorter than a header, or itself a response.

    `opcodes`: those that are taken; all others are not implemented.
    """
    if len(datagram) < HEADER_BYTES:
        return None
    message_id, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(datagram)
    if flags & FLAG_QR:
        return None
    opcode = flags >> 11 & 0xF
    is_taken = opcode in opcodes
    end = checked_name_end(datagram, HEADER_BYTES) if questions == 1 else None
    if end is None or end + _QUESTION.size > len(datagram):
        rest = _records_after(datagram, questions, answers + authorities, additionals)
        is_for_cookie = opcode == OPCODE_QUERY and not (questions or answers or authorities) and _has_cookie(rest)
        rcode = FORMERR if is_taken else NOTIMP
        return Refusal(message_id, flags, rcode, b"", rest.edns, is_for_cookie=is_for_cookie)
    asked = datagram[HEADER_BYTES:end]
    qtype, qclass = _QUESTION.unpack_from(datagram, end)
    question = datagram[HEADER_BYTES : end + _QUESTION.size]
    rest = _decode_records(datagram, end + _QUESTION.size, answers + authorities, additionals)
    if not is_taken:
        return Refusal(message_id, flags, NOTIMP, question, rest.edns, None if rest.is_malformed else rest.signature)
    # Answers belong to no query, authorities to IXFR alone (RFC 1995).
    is_out_of_place = opcode == OPCODE_QUERY and (answers or (authorities and qtype != TYPE_IXFR))
    if rest.is_malformed or is_out_of_place:
        return Refusal(message_id, flags, FORMERR, question, rest.edns)
    counts = answers, authorities, additionals
    lower = asked.lower()
    return Message(message_id, flags, lower, asked, qtype, qclass, rest.edns, rest.signature, counts, rest.serial)


def _records_after(datagram: bytes, questions: int, skipped: int, additionals: int) -> _Records:
    """Return what stands behind the questions of a message that has another number of them than one, or one that cannot
    be read."""
    position = HEADER_BYTES
    for _ in range(questions):
        end = checked_name_end(datagram, position)
        if end is None or questions == 1:
            return _Records(is_malformed=True)
        position = end + _QUESTION.size
    return _decode_records(datagram, position, skipped, additionals)


def _has_cookie(rest: _Records) -> bool:
    """Whether what stands behind a question is well-formed, unsigned, and has a cookie."""
    if rest.is_malformed or rest.signature is not None or rest.edns is None:
        return False
    return rest.edns.version == 0 and rest.edns.cookie is not None


def _decode_records(datagram: bytes, start: int, skipped: int, additionals: int) -> _Records:
    """Walk the records after the question; the last `additionals` of them may hold one OPT and, last of all, one
    TSIG. What is out of place makes the message malformed and is passed; where lengths lie, the walk ends."""
    edns: Edns | None = None
    signature: Signature | None = None
    is_malformed = False
    serial: int | None = None
    position = start
    for index in range(skipped + additionals):
        owner_end = skip_name(datagram, position)
        if owner_end is None or owner_end + _RECORD.size > len(datagram):
            return _Records(edns, is_malformed=True)
        rtype, rclass, ttl, length = _RECORD.unpack_from(datagram, owner_end)
        data_start = owner_end + _RECORD.size
        data_end = data_start + length
        if rtype == TYPE_OPT:
            if index < skipped or edns is not None or datagram[position] != 0:
                is_malformed = True
            else:
                edns = decode_edns(rclass, ttl, datagram[data_start:data_end])
                is_malformed |= edns.is_malformed
        if data_end > len(datagram):
            return _Records(edns, is_malformed=True)
        if rtype == TYPE_TSIG:
            if index == skipped + additionals - 1 and additionals:
                signature = decode_signature(expand_name(datagram, position), datagram[data_start:data_end], position)
            is_malformed |= signature is None or rclass != CLASS_ANY
        if rtype == TYPE_SOA and serial is None and index < skipped:
            serial = _serial_of(datagram, data_start, data_end)
        position = data_end
    return _Records(edns, signature, is_malformed, serial)


def _serial_of(datagram: bytes, start: int, end: int) -> int | None:
    """Return the serial of an SOA's data, whose names may be compressed; None where it is malformed."""
    first = skip_name(datagram, start)
    tail = skip_name(datagram, first) if first is not None else None
    return int.from_bytes(datagram[tail : tail + 4]) if tail is not None and tail + SOA_TAIL_BYTES == end else None


def decode_signature(owner: bytes | None, data: bytes, start: int) -> Signature | None:
    """Return the value of the TSIG record at `start`, None where it is malformed (the algorithm's name is never
    compressed)."""
    end = checked_name_end(data, 0)
    if owner is None or end is None or len(data) < end + 10:
        return None
    mac_end = end + 10 + int.from_bytes(data[end + 8 : end + 10], "big")
    if len(data) < mac_end + 6 or len(data) != mac_end + 6 + int.from_bytes(data[mac_end + 4 : mac_end + 6], "big"):
        return None
    error = int.from_bytes(data[mac_end + 2 : mac_end + 4], "big")
    mac, other = data[end + 10 : mac_end], data[mac_end + 6 :]
    return Signature(owner, data[:end], data[end : end + 8], data[mac_end : mac_end + 2], start, mac, error, other)
