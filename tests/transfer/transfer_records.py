"""Records and messages as a primary sends them, for tests."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from lbdns.dns.codes import TYPE_A, TYPE_NS, TYPE_SOA
from lbdns.dns.name import encode_canonical, encode_name
from lbdns.dns.transfer_reply import ReceivedRecord
from lbdns.transfer.inward.incoming import Incoming
from lbdns.transfer.inward.zone_records import ZoneRecords

APEX = encode_canonical("example.com")
TTL = 300


def soa_data(serial: int, refresh: int = 3600, retry: int = 600, expire: int = 86_400) -> bytes:
    """Return the data of an SOA record."""
    names = encode_name("ns1.example.com.") + encode_name("hostmaster.example.com.")
    return names + struct.pack("!5I", serial, refresh, retry, expire, 300)


def soa(serial: int) -> ReceivedRecord:
    """Return the SOA record of the zone."""
    return ReceivedRecord(APEX, TYPE_SOA, TTL, soa_data(serial))


def address(label: str, number: int, ttl: int = TTL) -> ReceivedRecord:
    """Return an A record."""
    name = encode_canonical(f"{label}.example.com")
    return ReceivedRecord(name, TYPE_A, ttl, struct.pack("!I", 0xC0000200 + number))


NS = ReceivedRecord(APEX, TYPE_NS, TTL, encode_name("ns1.example.com."))


def held_zone(serial: int, *records: ReceivedRecord) -> ZoneRecords:
    """Return a zone with an SOA, NS and these records."""
    made = ZoneRecords(APEX)
    for record in (soa(serial), NS, *records):
        made.add(*record, keeps_lowest=True)
    return made


def taken(incoming: Incoming, *messages: Iterable[ReceivedRecord]) -> Incoming:
    """Give messages to a transfer, each some records; return it."""
    for message in messages:
        for record in message:
            incoming.take(record)
        incoming.end_of_message()
    return incoming


def encode_record(record: ReceivedRecord, rclass: int = 1) -> bytes:
    """Return a record on the wire, uncompressed."""
    head = struct.pack("!HHIH", record.type, rclass, record.ttl, len(record.rdata))
    return record.owner + head + record.rdata


def encode_message(
    message_id: int, rtype: int, records: Sequence[ReceivedRecord], flags: int = 0x8400, apex: bytes = APEX
) -> bytes:
    """Return a message of a transfer."""
    head = struct.pack("!6H", message_id, flags, 1, len(records), 0, 0)
    return head + apex + struct.pack("!HH", rtype, 1) + b"".join(map(encode_record, records))
