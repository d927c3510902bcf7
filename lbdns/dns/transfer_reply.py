"""A message of a transfer, or the reply to a question for an SOA, as who asked reads it: records and signature, or what
is wrong with it.

Strict and bounded: a message has at most 65,535 octets, so its records are at most some thousands, and their names,
told in full, some megabytes. Records of another class than IN, and data that its type does not have, make it malformed.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import CLASS_ANY, CLASS_IN, FLAG_QR, HEADER_BYTES, OPCODE_MASK, RCODE_MASK, TYPE_OPT, TYPE_TSIG
from lbdns.dns.message import Signature, decode_signature
from lbdns.dns.name import expand_name, show_name, skip_name
from lbdns.dns.rdata.received_rdata import received_rdata
from lbdns.dns.rdata.record_types import type_text

_HEADER: Final = Struct("!6H")
_QUESTION: Final = Struct("!HH")
_RECORD: Final = Struct("!HHIH")
_TTL_SIGN: Final = 0x8000_0000
_META_FIRST: Final = 128
_META_LAST: Final = 255


class BadReply(LbdnsError):
    """What came is no reply to what was asked; the text says why."""


class ReceivedRecord(NamedTuple):
    """A record: `owner` in lower case, `rdata` uncompressed, as lbdns holds them."""

    owner: bytes
    type: int
    ttl: int
    rdata: bytes


class TransferReply(NamedTuple):
    """One message. `question`: name in lower case and type, None where it has none; `rcode`: the header's, with the
    OPT record's bits where it has one."""

    flags: int
    rcode: int
    question: tuple[bytes, int] | None
    answers: tuple[ReceivedRecord, ...]
    signature: Signature | None


def read_reply(message: bytes, message_id: int, opcode: int = 0) -> TransferReply:
    """Return what a message says that is to be the reply to one of an ID and opcode; raises BadReply."""
    if len(message) < HEADER_BYTES:
        raise BadReply("the reply is shorter than a header")
    found_id, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(message)
    if found_id != message_id:
        raise BadReply("the reply has the ID of another question")
    if not flags & FLAG_QR or flags & OPCODE_MASK != opcode << 11:
        raise BadReply("what came is no reply to a question of this kind")
    if questions > 1:
        raise BadReply(f"the reply has {questions} questions")
    at = HEADER_BYTES
    question = None
    if questions:
        question, at = _read_question(message)
    found = []
    owners: dict[bytes, bytes] = {}
    for _ in range(answers):
        record, at = _read_answer(message, at, owners)
        found.append(record)
    tail = _read_tail(message, at, authorities, additionals)
    return TransferReply(flags, flags & RCODE_MASK | tail.rcode_bits, question, tuple(found), tail.signature)


def _read_question(message: bytes) -> tuple[tuple[bytes, int], int]:
    name, end = expand_name(message, HEADER_BYTES), skip_name(message, HEADER_BYTES)
    if name is None or end is None or end + _QUESTION.size > len(message):
        raise BadReply("the reply's question is malformed")
    rdtype, rclass = _QUESTION.unpack_from(message, end)
    if rclass != CLASS_IN:
        raise BadReply(f"the reply is about class {rclass}")
    return (name.lower(), rdtype), end + _QUESTION.size


def _read_answer(message: bytes, start: int, owners: dict[bytes, bytes]) -> tuple[ReceivedRecord, int]:
    """Return the record at `start` and where it ends; `owners`: names that were read, by how they are compressed."""
    end = skip_name(message, start)
    if end is None or end + _RECORD.size > len(message):
        raise BadReply("a record of the reply is cut off")
    spelt = message[start:end]
    owner = owners.get(spelt)
    if owner is None:
        whole = expand_name(message, start)
        if whole is None:
            raise BadReply("a name in the reply is malformed")
        # What is spelt alike in one message is the same name: pointers are offsets in it.
        owner = owners[spelt] = whole.lower()
    rdtype, rclass, ttl, length = _RECORD.unpack_from(message, end)
    data = end + _RECORD.size
    if data + length > len(message):
        raise BadReply("a record of the reply is cut off")
    if rclass != CLASS_IN:
        raise BadReply(f"{show_name(owner)} has a record of class {rclass}")
    if _META_FIRST <= rdtype <= _META_LAST or rdtype in (0, TYPE_OPT):
        raise BadReply(f"{show_name(owner)} has a record of type {type_text(rdtype)}, which no zone has")
    rdata = received_rdata(message, rdtype, data, data + length)
    if rdata is None:
        raise BadReply(f"{show_name(owner)} {type_text(rdtype)} has malformed data")
    # RFC 2181 section 8: with the first bit set, a TTL counts as 0.
    return ReceivedRecord(owner, rdtype, 0 if ttl & _TTL_SIGN else ttl, rdata), data + length


class _Tail(NamedTuple):
    rcode_bits: int
    signature: Signature | None


def _read_tail(message: bytes, at: int, authorities: int, additionals: int) -> _Tail:
    """Return what the records behind the answers say of the message itself."""
    rcode_bits = 0
    signature = None
    for left in range(authorities + additionals, 0, -1):
        end = skip_name(message, at)
        if end is None or end + _RECORD.size > len(message):
            raise BadReply("a record of the reply is cut off")
        rdtype, rclass, ttl, length = _RECORD.unpack_from(message, end)
        data = end + _RECORD.size
        if data + length > len(message):
            raise BadReply("a record of the reply is cut off")
        if rdtype == TYPE_OPT:
            rcode_bits = ttl >> 24 << 4
        elif rdtype == TYPE_TSIG:
            owner = expand_name(message, at)
            signature = decode_signature(owner, message[data : data + length], at)
            if left > 1 or signature is None or rclass != CLASS_ANY:
                raise BadReply("the reply's TSIG record is malformed")
        at = data + length
    if at != len(message):
        raise BadReply("octets follow the reply's last record")
    return _Tail(rcode_bits, signature)
