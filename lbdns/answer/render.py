"""Replies to bytes, with dnslib's buffer for name compression. The only module here that knows dnslib.

Names in rdata are compressed for the types of RFC 1035 alone (RFC 3597 section 4); all other rdata goes out as it
stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from struct import Struct

from dnslib import DNSBuffer, DNSLabel

from lbdns.answer.reply import ASKED, Answer, Records, Transport
from lbdns.dns.codes import (
    CLASS_ANY,
    CLASS_IN,
    FLAG_AA,
    FLAG_TC,
    HEADER_BYTES,
    POINTER_BITS,
    QUESTION_TAIL_BYTES,
    RCODE_MASK,
    TCP_BYTES_MAX,
    TYPE_CNAME,
    TYPE_RRSIG,
    TYPE_SOA,
    TYPE_TSIG,
    UDP_BYTES_MIN,
)
from lbdns.dns.edns import Edns, encode_edns
from lbdns.dns.message import Message, Refusal
from lbdns.dns.name import POINTER_TARGET_MAX, labels_of
from lbdns.dns.options.option import ReplyFacts
from lbdns.dns.rdata.layouts import FieldsLayout
from lbdns.dns.rdata.record_types import RECORD_TYPES
from lbdns.dns.tsig import Seal
from lbdns.dns.wire import reply_flags, udp_limit

_HEADER = Struct("!6H")
_RECORD_HEAD = Struct("!HHIH")
POINTER_HOPS_MAX = 10
"""Pointers that lead from one name to the next: Go's resolver follows ten, dnspython sixteen."""
QUESTION_POINTER = b"\xc0\x0c"
TTL_OFFSET = 4  # behind a record's owner: type and class stand before it
Sections = tuple[Sequence[Records], Sequence[Records], Sequence[Records]]


def render(
    message: Message, answer: Answer, transport: Transport, nsid: bytes, seal: Seal | None = None, cookie: bytes = b""
) -> bytes:
    """Return the reply's bytes: whole, or without what is optional, or truncated to header, question and OPT.

    `seal`: what it is signed with, where it is; `cookie`: for the query's, empty where there is none.
    """
    flags = reply_flags(message.flags, answer.rcode)
    if answer.is_authoritative:
        flags |= FLAG_AA
    opt = opt_record(message.edns, answer.rcode, transport, nsid, answer, cookie)
    limit = size_limit(message.edns, transport)
    if seal is not None:
        return _pack_signed(message, answer, flags, opt, limit, seal)
    if answer.tsig_error:
        return _pack_unsigned(message, flags, opt, answer.tsig_error, limit)
    whole = _pack_within(message, answer, flags, opt, limit)
    return _pack(message, answer.apex, flags | FLAG_TC, ((), (), ()), opt) if whole is None else whole


def render_refusal(
    refusal: Refusal, rcode: int, transport: Transport, nsid: bytes, seal: Seal | None = None, cookie: bytes = b""
) -> bytes:
    """Return the reply to a query that gets an error whatever it asks; `seal`, `cookie`: as `render` has it."""
    opt = opt_record(refusal.edns, rcode, transport, nsid, cookie=cookie)
    header = _header(
        refusal.id,
        reply_flags(refusal.flags, rcode),
        1 if refusal.question else 0,
        0,
        0,
        1 if opt else 0,
    )
    reply = header + refusal.question + opt
    return reply if seal is None or len(reply) + seal.size > size_limit(refusal.edns, transport) else seal.sign(reply)


def size_limit(edns: Edns | None, transport: Transport) -> int:
    """Return the most bytes a reply may have."""
    if transport is Transport.TCP:
        return TCP_BYTES_MAX
    if edns is None:
        return UDP_BYTES_MIN
    return udp_limit(edns.size)


def opt_record(
    edns: Edns | None,
    rcode: int,
    transport: Transport,
    nsid: bytes,
    answer: Answer | None = None,
    cookie: bytes = b"",
) -> bytes:
    """Return the OPT record of a reply, b"" where the request had none; `cookie`: as `render` has it."""
    if edns is None:
        return b""
    said = answer or Answer()
    facts = ReplyFacts(said.scope, said.ede, nsid, transport is Transport.TCP, said.ede_text, said.expire_s, cookie)
    return encode_edns(edns, rcode, facts)


def _header(message_id: int, flags: int, questions: int, answers: int, authorities: int, additionals: int) -> bytes:
    return _HEADER.pack(message_id, flags, questions, answers, authorities, additionals)


def _record_head(rtype: int, rclass: int, ttl: int, length: int) -> bytes:
    return _RECORD_HEAD.pack(rtype, rclass, ttl, length)


class _Buffer(DNSBuffer):  # type: ignore[misc]
    """dnslib's buffer with bounds on pointers: a name beyond what 14 bits reach is no target (RFC 1035 4.1.4), nor is
    one from which so many more lead on that clients give up.

    `pointers`: where each pointer stands and where it leads, as offsets in the message; `ttl_at`: where the TTL of the
    last record stands; `made`: the name that a DNAME made last, and where it stands.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ttl_at = 0
        self.made: tuple[bytes, int] | None = None
        self.pointers: list[tuple[int, int]] = []
        self._hops: dict[int, int] = {}

    def encode_name(self, name: DNSLabel) -> None:
        labels = name.label
        written: list[int] = []
        for index, label in enumerate(labels):
            suffix = labels[index:]
            target = self.names.get(suffix)
            if target is not None:
                hops = self._hops.get(target, 0) + 1
                if hops <= POINTER_HOPS_MAX:
                    self._hops.update(dict.fromkeys(written, hops))
                    self.pointers.append((len(self.data), target))
                    self.append((POINTER_BITS | target).to_bytes(2, "big"))
                    return
            if len(self.data) <= POINTER_TARGET_MAX:
                self.names[suffix] = len(self.data)
                written.append(len(self.data))
            self.append(bytes((len(label),)) + label)
        self.append(b"\0")

    def encode_owner(self, owner: bytes) -> None:
        """Append a record's owner: a pointer where it was asked for, or made by a DNAME of what was."""
        if owner == ASKED:
            self.append(QUESTION_POINTER)
        elif self.made is not None and owner == self.made[0]:
            self.pointers.append((len(self.data), self.made[1]))
            self.append((POINTER_BITS | self.made[1]).to_bytes(2, "big"))
        else:
            self.encode_name(_label(owner))


def _pack(message: Message, apex: bytes, flags: int, sections: Sections, opt: bytes) -> bytes:
    """Return a whole reply."""
    if not any(sections):
        return _header(message.id, flags, 1, 0, 0, 1 if opt else 0) + message.question + opt
    buffer = _Buffer()
    counts = _counts(sections)
    counts[2] += 1 if opt else 0
    buffer.append(_header(message.id, flags, 1, *counts) + message.question)
    _pack_sections(buffer, apex, len(message.qname), sections)
    buffer.append(opt)
    return bytes(buffer.data)


def _pack_within(message: Message, answer: Answer, flags: int, opt: bytes, limit: int) -> bytes | None:
    """Return a reply, whole or without what is optional; None where neither fits."""
    for additional in ([*answer.glue, *answer.additional], answer.glue):
        reply = _pack(message, answer.apex, flags, (answer.answer, answer.authority, additional), opt)
        if len(reply) <= limit:
            return reply
    return None


def _pack_signed(message: Message, answer: Answer, flags: int, opt: bytes, limit: int, seal: Seal) -> bytes:
    """Return a signed reply: what does not fit beside the signature is truncated, and then its RCODE is NOERROR (RFC
    8945 section 5.3). Where the signature does not fit beside the question, it is left out."""
    whole = _pack_within(message, answer, flags, opt, limit - seal.size)
    if whole is not None:
        return seal.sign(whole)
    cut = _pack(message, answer.apex, (flags | FLAG_TC) & ~RCODE_MASK, ((), (), ()), opt)
    return cut if len(cut) + seal.size > limit else seal.sign(cut)


def _pack_unsigned(message: Message, flags: int, opt: bytes, tsig_error: int, limit: int) -> bytes:
    """Return the unsigned reply to a query whose signature nobody here can have made (RFC 8945 section 5.3.2)."""
    signature = message.signature
    if signature is None:
        raise ValueError("the query is not signed")
    rdata = (
        signature.algorithm
        + signature.time_and_fudge
        + b"\0\0"
        + signature.original_id
        + tsig_error.to_bytes(2, "big")
        + b"\0\0"
    )
    tsig = signature.key + _record_head(TYPE_TSIG, CLASS_ANY, 0, len(rdata)) + rdata
    reply = _header(message.id, flags, 1, 0, 0, 2 if opt else 1) + message.question + opt + tsig
    if len(reply) <= limit:
        return reply
    # Three names of the greatest length pass 512 octets; without the TSIG record they do not.
    return _header(message.id, flags | FLAG_TC, 1, 0, 0, 1 if opt else 0) + message.question + opt


def _counts(sections: Sequence[Sequence[Records]]) -> list[int]:
    return [sum(len(records.rdatas) + len(records.signatures) for records in section) for section in sections]


def _pack_sections(buffer: _Buffer, apex: bytes, name_length: int, sections: Sequence[Sequence[Records]]) -> list[int]:
    """Append the records of a reply to a question whose name, `name_length` bytes long, stands in the zone of `apex`;
    return where each section ends.

    Owners that were asked for point at the question. Other names point at each other and at the question's suffix that
    is the zone's apex, never at what the client put before it: so these bytes are the same for every name that a set
    of records answers, but for the distance of the pointers. Nor do names after a CNAME that is sent plain, which a
    DNAME made or a load balancer chose, point at what stands before it: what it leads to has the bytes that it has
    alone.
    """
    if apex:
        labels = _label(apex).label
        position = HEADER_BYTES + name_length - len(apex)
        for index, label in enumerate(labels):
            buffer.names[labels[index:]] = position
            position += len(label) + 1
    shared = dict(buffer.names)
    apart = None
    ends = []
    for section in sections:
        if section:
            buffer.made = None  # of the answer's owners alone
        for records in section:
            if records.is_apart and records.owner != apart:
                apart = records.owner
                buffer.names = dict(shared)
            _pack_records(buffer, records)
            if records.is_plain and records.type == TYPE_CNAME:
                buffer.names = dict(shared)
                target = records.rdatas[0]
                buffer.made = (target, len(buffer.data) - len(target)) if records.is_synthesised else None
        ends.append(len(buffer.data))
    return ends


@dataclass(frozen=True, slots=True)
class Template:
    """The records of a reply, rendered before anyone asks: all that follows the question, but for OPT.

    `pointers`: (offset in `body`, target as an offset from the end of the question's name, negative inside that name);
    `counts`: records a section; `ttl_at`: where in `body` the TTL of the SOA stands that says how long a negative
    answer holds, 0 where it is none. The last `optional` records give way where they do not fit: the first `least`
    bytes of the body are all that must be there. `owner_at`: where in `body` the name after the last record stands,
    where there is one.
    """

    rcode: int
    is_authoritative: bool
    counts: tuple[int, int, int]
    body: bytes
    pointers: tuple[tuple[int, int], ...]
    ttl_at: int
    least: int
    optional: int
    owner_at: int = 0

    def without_optional(self) -> Template:
        """Return it without the records that may give way."""
        answers, authorities, additionals = self.counts
        return replace(
            self,
            counts=(answers, authorities, additionals - self.optional),
            body=self.body[: self.least],
            pointers=tuple(pointer for pointer in self.pointers if pointer[0] < self.least),
            optional=0,
        )

    def truncated(self) -> Template:
        """Return it without any record: what is left of an answer that no datagram can hold."""
        return replace(self, counts=(0, 0, 0), body=b"", pointers=(), ttl_at=0, least=0, optional=0)


def render_template(answer: Answer, owner: bytes | None = None) -> Template:
    """Return an answer as a template that serves questions of any length in its zone.

    `owner`: one more name after the last record, as it would stand before another.
    """
    buffer = _Buffer()
    sections = (answer.answer, answer.authority, answer.glue, answer.additional)
    question_end = HEADER_BYTES + len(answer.apex)
    start = question_end + QUESTION_TAIL_BYTES
    buffer.append(bytes(start))
    *_, least, end = _pack_sections(buffer, answer.apex, len(answer.apex), sections)
    if owner is not None:
        buffer.encode_owner(owner)
        least += len(buffer.data) - end
    pointers = tuple((position - start, target - question_end) for position, target in buffer.pointers)
    answers, authorities, glue, optional = _counts(sections)
    counts = (answers, authorities, glue + optional)
    is_negative = bool(answer.authority) and answer.authority[-1].type == TYPE_SOA
    ttl_at = buffer.ttl_at - start if is_negative else 0
    body = bytes(buffer.data[start:])
    return Template(
        answer.rcode,
        answer.is_authoritative,
        counts,
        body,
        pointers,
        ttl_at,
        least=least - start,
        optional=optional,
        owner_at=end - start,
    )


def _pack_records(buffer: _Buffer, records: Records) -> None:
    for rdata in records.rdatas:
        buffer.encode_owner(records.owner)
        buffer.ttl_at = len(buffer.data) + TTL_OFFSET
        if records.is_plain or records.type not in _COMPRESSED:
            buffer.append(_record_head(records.type, CLASS_IN, records.ttl, len(rdata)) + rdata)
            continue
        buffer.append(_record_head(records.type, CLASS_IN, records.ttl, 0))
        start = len(buffer.data)
        if records.type == TYPE_CNAME:
            buffer.encode_name(_label(rdata))
        else:
            for piece in _pieces(records.type, rdata):
                if isinstance(piece, bytes):
                    buffer.append(piece)
                else:
                    buffer.encode_name(piece)
        buffer.data[start - 2 : start] = (len(buffer.data) - start).to_bytes(2, "big")
    for signature in records.signatures:
        buffer.encode_owner(records.owner)
        buffer.append(_record_head(TYPE_RRSIG, CLASS_IN, records.ttl, len(signature)) + signature)


def _make_label(name: bytes) -> DNSLabel:
    """Return dnslib's label for a wire name: by labels, never by text, so that dots and escapes in labels survive."""
    return DNSLabel(tuple(labels_of(name)))


@lru_cache(maxsize=1024)
def _label(name: bytes) -> DNSLabel:
    """Return the label of an owner or a CNAME's target, which a DNAME may have made from what the client asked: few are
    remembered, so that names that never come again take no memory."""
    return _make_label(name)


@lru_cache(maxsize=65_536)
def _pieces(rtype: int, rdata: bytes) -> tuple[bytes | DNSLabel, ...]:
    """Return data with names that are compressed, and which comes from a zone as it stands: its names, and the octets
    between them."""
    pieces: list[bytes | DNSLabel] = []
    at = 0
    for start, end in _COMPRESSED[rtype].names(rdata):
        pieces += [rdata[at:start], _make_label(rdata[start:end])]
        at = end
    return (*pieces, rdata[at:])


_COMPRESSED = {
    row.number: row.layout
    for row in RECORD_TYPES.values()
    if row.is_compressed and isinstance(row.layout, FieldsLayout)
}
