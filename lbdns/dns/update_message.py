"""An UPDATE message (RFC 2136) as a value, or the RCODE of one that is malformed.

    header    zone, prerequisites, updates, additional: how many records each section has (section 2.2)
    zone      one question: the apex, SOA, the zone's class (2.3)
    records   owner in lower case, type, class, TTL, data uncompressed and checked

Total: every byte string gives an `UpdateMessage` or a number. What a record asks for is not judged here
(lbdns/transfer/update): of a class that says more than data, the data is what stands there.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from lbdns.dns.codes import (
    CLASS_IN,
    CLASS_NONE,
    FLAG_QR,
    FORMERR,
    HEADER_BYTES,
    NOTAUTH,
    NOTIMP,
    OPCODE_UPDATE,
    TYPE_OPT,
    TYPE_SOA,
)
from lbdns.dns.name import checked_name_end, expand_name, skip_name
from lbdns.dns.rdata.received_rdata import received_rdata
from lbdns.dns.rdata.unsound import unsound_reason

_HEADER: Final = Struct("!6H")
_QUESTION: Final = Struct("!HH")
_RECORD: Final = Struct("!HHIH")
_TTL_SIGN: Final = 0x8000_0000
_META_FIRST: Final = 128
_META_LAST: Final = 255


class UpdateRecord(NamedTuple):
    """A record of the prerequisite or update section. `rdata`: None where it is malformed, or its class and type can
    have none and it has some."""

    owner: bytes
    type: int
    rclass: int
    ttl: int
    rdata: bytes | None


class UpdateMessage(NamedTuple):
    """What an UPDATE asks for: the zone's apex in lower case, and both sections in their order."""

    id: int
    apex: bytes
    prerequisites: tuple[UpdateRecord, ...]
    updates: tuple[UpdateRecord, ...]


def is_meta(rdtype: int) -> bool:
    """Tell whether a type is of questions or of messages alone, so that no zone has it (RFC 6895 section 3.1)."""
    return _META_FIRST <= rdtype <= _META_LAST or rdtype in (0, TYPE_OPT)


def decode_update(message: bytes) -> UpdateMessage | int:
    """Return what a message asks for, or the RCODE of one that is not to be read as an UPDATE: FORMERR, NOTIMP for
    another opcode, NOTAUTH for a zone of another class than IN."""
    if len(message) < HEADER_BYTES:
        return FORMERR
    message_id, flags, zones, *counts = _HEADER.unpack_from(message)
    if flags & FLAG_QR:
        return FORMERR
    if flags >> 11 & 0xF != OPCODE_UPDATE:
        return NOTIMP
    end = checked_name_end(message, HEADER_BYTES) if zones == 1 else None
    if end is None or end + _QUESTION.size > len(message):
        return FORMERR
    rdtype, rclass = _QUESTION.unpack_from(message, end)
    if rdtype != TYPE_SOA:
        return FORMERR
    sections: list[tuple[UpdateRecord, ...]] = []
    at = end + _QUESTION.size
    for count in counts[:2]:
        records = []
        for _ in range(count):
            read = _read_record(message, at)
            if read is None:
                return FORMERR
            record, at = read
            records.append(record)
        sections.append(tuple(records))
    if rclass != CLASS_IN:
        return NOTAUTH
    return UpdateMessage(message_id, message[HEADER_BYTES:end].lower(), *sections)


def _read_record(message: bytes, start: int) -> tuple[UpdateRecord, int] | None:
    """Return the record at `start` and where the next one begins, None where there is none."""
    owner_end = skip_name(message, start)
    if owner_end is None or owner_end + _RECORD.size > len(message):
        return None
    owner = expand_name(message, start)
    rdtype, rclass, ttl, length = _RECORD.unpack_from(message, owner_end)
    data = owner_end + _RECORD.size
    end = data + length
    if owner is None or end > len(message):
        return None
    # RFC 2181 section 8: with the first bit set, a TTL counts as 0.
    ttl = 0 if ttl & _TTL_SIGN else ttl
    return UpdateRecord(owner.lower(), rdtype, rclass, ttl, _rdata(message, rdtype, rclass, data, end)), end


def _rdata(message: bytes, rdtype: int, rclass: int, start: int, end: int) -> bytes | None:
    """Return a record's data, of a class that says more than data "" where there is none.

    What is to be deleted may be what no new record may: a store may have it from before that was checked.
    """
    if rclass == CLASS_IN:
        rdata = None if is_meta(rdtype) else received_rdata(message, rdtype, start, end)
        return None if rdata is None or unsound_reason(rdtype, rdata) else rdata
    if start == end:
        return b""
    return received_rdata(message, rdtype, start, end) if rclass == CLASS_NONE and not is_meta(rdtype) else None
