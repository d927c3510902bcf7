"""RFC 2136 on a zone's RRsets: each rule by itself, and random updates held to a naive model of the RFC's own words."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import dns.message
import dns.name
import dns.rdataclass
import dns.update
import pytest

from lbdns.dns import record_bounds
from lbdns.dns.codes import FORMERR, NOERROR, NOTAUTH, NOTIMP, NOTZONE, NXRRSET, REFUSED, TYPE_NS, TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.master_form import encode_rdata
from lbdns.dns.rdata.record_types import parse_type
from lbdns.dns.record_bounds import MAX_RECORDS_PER_RRSET, MAX_TYPES_PER_NAME
from lbdns.dns.update_message import UpdateMessage, decode_update
from lbdns.transfer.update.update_section import UpdateOutcome
from lbdns.transfer.update.updating import update_zone
from lbdns.transfer.update.zone_now import Node, RRsetNow, ZoneNow
from tests.transfer import naive_update
from tests.transfer.naive_update import Record
from tests.transfer.random_updates import (
    APEX,
    APEX_DATA,
    APEX_LABELS,
    ZONE,
    encoded,
    message,
    random_update,
    raw,
    whole_message,
)

NAMES = [(), ("a",), ("b",), ("a", "b"), ("*",), ("x", "a", "b")]
SOA_TEXT = "ns1.example.com. hostmaster.example.com. {} 7200 900 1209600 300"


class Stored:
    """A zone that an update finds."""

    def __init__(self, records: Iterable[tuple[bytes, int, int, bytes]]) -> None:
        self.nodes: dict[bytes, dict[int, RRsetNow]] = {}
        self.record_count = 0
        for owner, rdtype, ttl, rdata in records:
            node = self.nodes.setdefault(owner, {})
            held = node.get(rdtype)
            node[rdtype] = RRsetNow(ttl, (*(held.rdatas if held else ()), rdata))
            self.record_count += 1

    def node(self, owner: bytes) -> Node:
        return self.nodes.get(owner, {})


def record(name: str, rdtype: str, text: str, ttl: int = 300) -> tuple[bytes, int, int, bytes]:
    number = parse_type(rdtype)
    return encode_canonical(name), number, ttl, encode_rdata(number, [text], b"\0")


def zone(*more: tuple[bytes, int, int, bytes]) -> ZoneNow:
    apex = [
        record("example.com", "SOA", SOA_TEXT.format(10)),
        record("example.com", "NS", "ns1.example.com."),
        record("www.example.com", "A", "192.0.2.1"),
        record("alias.example.com", "CNAME", "www.example.com."),
    ]
    return ZoneNow(Stored([*apex, *more]), APEX)


def asked(update: dns.message.Message) -> UpdateMessage:
    decoded = decode_update(update.to_wire())
    assert isinstance(decoded, UpdateMessage), decoded
    return decoded


def made(zone: ZoneNow, update: dns.update.UpdateMessage) -> UpdateOutcome:
    return update_zone(zone, asked(update), lambda owner, rdtype, is_added: "")


def new() -> dns.update.UpdateMessage:
    return dns.update.UpdateMessage("example.com")


def test_an_update_adds_replaces_and_deletes() -> None:
    now = zone()
    update = new()
    update.add("new", 60, "TXT", "one")
    update.replace("www", 30, "A", "192.0.2.7")
    update.delete("alias", "CNAME")
    assert made(now, update) == (NOERROR, "")
    assert {key: held and (held.ttl, held.rdatas) for key, held in now.changed.items()} == {
        (encode_canonical("new.example.com"), 16): (60, (b"\3one",)),
        (encode_canonical("www.example.com"), 1): (30, (bytes((192, 0, 2, 7)),)),
        (encode_canonical("alias.example.com"), 5): None,
    }


def test_what_one_update_undoes_is_no_change() -> None:
    now = zone()
    update = new()
    update.delete("www", "A")
    update.add("www", 300, "A", "192.0.2.1")
    assert made(now, update).rcode == NOERROR
    assert now.changed == {}


def test_an_update_sees_those_before_it_and_one_that_fails_leaves_nothing() -> None:
    now = zone()
    first = new()
    first.add("new", 60, "A", "192.0.2.9")
    assert made(now, first).rcode == NOERROR
    second = new()
    second.present("new", "A", "192.0.2.9")
    second.delete("new")
    for octet in range(MAX_RECORDS_PER_RRSET + 1):
        second.add("full", 60, "A", f"198.51.100.{octet}")
    outcome = made(now, second)
    assert outcome.rcode == REFUSED and "more than 100 records" in outcome.why
    assert now.node(encode_canonical("new.example.com")) == {1: RRsetNow(60, (bytes((192, 0, 2, 9)),))}
    assert now.node(encode_canonical("full.example.com")) == {}
    assert now.changed == {}


def test_a_name_has_so_many_types() -> None:
    now, update = zone(), new()
    for number in range(MAX_TYPES_PER_NAME + 1):
        update.add("many", 60, f"TYPE{65000 + number}", r"\# 1 00")
    outcome = made(now, update)
    assert outcome.rcode == REFUSED and "100 record types" in outcome.why


def test_a_zone_grows_to_so_many_records_and_may_shrink_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_bounds, "MAX_UPDATED_ZONE_RECORDS", 6)
    now, update = zone(), new()  # four records
    for number in range(3):
        update.add(f"h{number}", 60, "A", "192.0.2.1")
    outcome = made(now, update)
    assert outcome.rcode == REFUSED and "more than 6 records in the zone" in outcome.why
    assert now.changed == {} and now.record_count == 4
    monkeypatch.setattr(record_bounds, "MAX_UPDATED_ZONE_RECORDS", 2)
    smaller = new()
    smaller.delete("www")
    assert made(now, smaller).rcode == NOERROR
    assert now.record_count == 3


def test_apex_keeps_its_soa_and_a_name_server() -> None:
    now, update = zone(), new()
    update.delete("@", "NS", "ns1.example.com.")
    update.delete("@", "SOA")
    update.delete("@", "NS")
    update.delete("@")
    assert made(now, update).rcode == NOERROR
    assert now.changed == {}
    assert set(now.node(APEX)) == {TYPE_SOA, TYPE_NS}


@pytest.mark.parametrize(("serial", "is_taken"), [(11, True), (10, False), (9, False), (10 + 2**31, False)])
def test_an_soa_is_taken_where_it_is_newer(serial: int, is_taken: bool) -> None:
    now, update = zone(), new()
    update.add("@", 60, "SOA", SOA_TEXT.format(serial))
    update.add("www", 60, "SOA", SOA_TEXT.format(serial))  # there is none: ignored
    assert made(now, update).rcode == NOERROR
    assert set(now.changed) == ({(APEX, TYPE_SOA)} if is_taken else set())


def test_cname_and_other_data_do_not_meet() -> None:
    now, update = zone(), new()
    update.add("www", 60, "CNAME", "other.example.com.")
    update.add("alias", 60, "A", "192.0.2.1")
    update.add("alias", 60, "CNAME", "other.example.com.")
    assert made(now, update).rcode == NOERROR
    assert set(now.changed) == {(encode_canonical("alias.example.com"), 5)}


def test_names_in_data_are_compared_without_their_case() -> None:
    now, update = zone(record("mail.example.com", "MX", "10 MX.example.com.")), new()
    update.present("mail", "MX", "10 mx.EXAMPLE.com.")
    update.delete("mail", "MX", "10 mx.example.com.")
    assert made(now, update).rcode == NOERROR
    assert now.changed == {(encode_canonical("mail.example.com"), 15): None}


def test_permission_is_asked_of_each_record_and_of_all_that_a_deleted_name_has() -> None:
    now = zone(record("_acme-challenge.example.com", "TXT", "old"), record("both.example.com", "TXT", "old"))
    now.put(encode_canonical("both.example.com"), 1, RRsetNow(60, (b"\1\2\3\4",)))

    def texts_alone(owner: bytes, rdtype: int, is_added: bool) -> str:
        return "" if rdtype == 16 else "no text"

    allowed = new()
    allowed.delete("_acme-challenge")
    allowed.add("_acme-challenge", 60, "TXT", "new")
    assert update_zone(now, asked(allowed), texts_alone).rcode == NOERROR
    for refuse in ("both", "nothing-there"):
        update = new()
        update.delete(refuse)
        outcome = update_zone(now, asked(update), texts_alone)
        assert outcome.rcode == REFUSED and outcome.why.endswith(": no text")


WWW = b"\3www\xc0\x0c"
MALFORMED = {
    "no zone": (message(b"", zones=0, sections=(0, 0)), FORMERR),
    "two zones": (message(ZONE + ZONE, zones=2, sections=(0, 0)), FORMERR),
    "zone of type A": (message(APEX + struct.pack("!HH", 1, 1), sections=(0, 0)), FORMERR),
    "zone of class CH": (message(APEX + struct.pack("!HH", 6, 3), sections=(0, 0)), NOTAUTH),
    "a query": (message(ZONE, opcode=0, sections=(0, 0)), NOTIMP),
    "a record is missing": (message(ZONE), FORMERR),
    "a record is cut": (message(ZONE, raw(WWW, 1, 1, 60, b"\1\2\3\4")[:-1]), FORMERR),
    "an owner that points forward": (message(ZONE, raw(b"\xc0\xff", 1, 1, 60, b"\1\2\3\4")), FORMERR),
    "an owner that points at itself": (message(ZONE, raw(b"\xc0\x1d", 1, 1, 60, b"\1\2\3\4")), FORMERR),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_message_is_told(what: str) -> None:
    datagram, rcode = MALFORMED[what]
    assert decode_update(datagram) == rcode


OUTSIDE = encode_canonical("www.example.net")
WRONG = {
    "TTL of a prerequisite": (raw(WWW, 1, 255, 1), (1, 0), FORMERR),
    "prerequisite out of zone": (raw(OUTSIDE, 1, 255, 0), (1, 0), NOTZONE),
    "prerequisite above the zone": (raw(encode_canonical("com"), 255, 255, 0), (1, 0), NOTZONE),
    "prerequisite out of zone, with data": (raw(OUTSIDE, 1, 255, 0, b"\1\2\3\4"), (1, 0), NOTZONE),
    "data of class ANY": (raw(WWW, 1, 255, 0, b"\1\2\3\4"), (1, 0), FORMERR),
    "data of class NONE": (raw(WWW, 1, 254, 0, b"\1\2\3\4"), (1, 0), FORMERR),
    "prerequisite of class CH": (raw(WWW, 1, 3, 0), (1, 0), FORMERR),
    "prerequisite of type AXFR": (raw(WWW, 252, 255, 0), (1, 0), FORMERR),
    "value-dependent prerequisite of type ANY": (raw(WWW, 255, 1, 0), (1, 0), FORMERR),
    "value-dependent prerequisite without data": (raw(WWW, 1, 1, 0), (1, 0), FORMERR),
    "value-dependent prerequisite that is another's": (raw(WWW, 1, 1, 0, b"\1\2\3\4"), (1, 0), NXRRSET),
    "update out of zone": (raw(OUTSIDE, 1, 1, 60, b"\1\2\3\4"), (0, 1), NOTZONE),
    "update of type ANY": (raw(WWW, 255, 1, 60), (0, 1), FORMERR),
    "update of type AXFR": (raw(WWW, 252, 1, 60, b"\1"), (0, 1), FORMERR),
    "update of type OPT": (raw(WWW, 41, 1, 60, b""), (0, 1), FORMERR),
    "update of class CH": (raw(WWW, 1, 3, 60, b"\1\2\3\4"), (0, 1), FORMERR),
    "data too short": (raw(WWW, 1, 1, 60, b"\1\2\3"), (0, 1), FORMERR),
    "data missing": (raw(WWW, 1, 1, 60), (0, 1), FORMERR),
    "text without a string": (raw(WWW, 16, 1, 60), (0, 1), FORMERR),
    "text that is cut": (raw(WWW, 16, 1, 60, b"\5abc"), (0, 1), FORMERR),
    "name with octets behind it": (raw(WWW, 5, 1, 60, b"\1a\0\0"), (0, 1), FORMERR),
    "SRV that is cut": (raw(WWW, 33, 1, 60, b"\0\1\0\1"), (0, 1), FORMERR),
    "CAA that is cut": (raw(WWW, 257, 1, 60, b"\0"), (0, 1), FORMERR),
    "deleted RRset with a TTL": (raw(WWW, 1, 255, 60), (0, 1), FORMERR),
    "deleted RRset with data": (raw(WWW, 1, 255, 0, b"\1\2\3\4"), (0, 1), FORMERR),
    "deleted RRset of type MAILB": (raw(WWW, 253, 255, 0), (0, 1), FORMERR),
    "deleted record with a TTL": (raw(WWW, 1, 254, 60, b"\1\2\3\4"), (0, 1), FORMERR),
    "deleted record of type ANY": (raw(WWW, 255, 254, 0), (0, 1), FORMERR),
    "all is well": (raw(WWW, 1, 1, 60, b"\1\2\3\4"), (0, 1), NOERROR),
    "TTL with its first bit set is 0": (raw(WWW, 1, 1, 0x8000_0001, b"\1\2\3\4"), (0, 1), NOERROR),
    "a type that nobody knows, without data": (raw(WWW, 65280, 1, 60), (0, 1), NOERROR),
    "data whose name is compressed": (raw(WWW, 15, 1, 60, b"\0\1\2mx\xc0\x0c"), (0, 1), NOERROR),
    "RP whose names are compressed": (raw(WWW, 17, 1, 60, b"\1a\xc0\x0c\1b\xc0\x0c"), (0, 1), NOERROR),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_record_that_cannot_be_meant_is_told_and_nothing_is_changed(what: str) -> None:
    data, sections, rcode = WRONG[what]
    good = raw(b"\3new\xc0\x0c", 1, 1, 60, b"\1\2\3\4")
    datagram = message(ZONE, data, good, sections=(sections[0], 1) if sections[0] else (0, 2))
    decoded = decode_update(datagram)
    assert isinstance(decoded, UpdateMessage)
    now = zone()
    assert update_zone(now, decoded, lambda owner, rdtype, is_added: "").rcode == rcode
    assert bool(now.changed) is (rcode == NOERROR)


def test_names_in_data_are_held_uncompressed() -> None:
    decoded = decode_update(message(ZONE, raw(WWW, 15, 1, 60, b"\0\1\2MX\xc0\x0c")))
    assert isinstance(decoded, UpdateMessage)
    assert decoded.updates[0].owner == encode_canonical("www.example.com")
    assert decoded.updates[0].rdata == b"\0\1\2MX" + APEX


def test_any_octets_give_a_message_or_a_number() -> None:
    chance = random.Random(2136)
    update = new()
    update.present("www", "A", "192.0.2.1")
    update.add("www", 60, "NAPTR", '10 20 "u" "E2U" "!x!y!" .')
    update.add("www", 60, "TXT", "one", "two")
    good = update.to_wire()
    for _ in range(3000):
        octets = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        decoded = decode_update(bytes(octets[: chance.randrange(len(octets) + 1)] if chance.random() < 0.3 else octets))
        if isinstance(decoded, UpdateMessage):
            update_zone(zone(), decoded, lambda owner, rdtype, is_added: "")
        else:
            assert decoded in (FORMERR, NOTIMP, NOTAUTH)


# --- the naive model ---


def flat(zone: ZoneNow) -> set[tuple[bytes, int, int, bytes]]:
    owners = [encoded((*name, *APEX_LABELS)) for name in NAMES]
    return {
        (owner, rdtype, held.ttl, rdata)
        for owner in owners
        for rdtype, held in zone.node(owner).items()
        for rdata in held.rdatas
    }


def test_random_updates_do_what_the_naive_model_says() -> None:
    chance = random.Random(3007)
    records = [
        Record(APEX_LABELS, 6, 300, APEX_DATA[6][1]),
        Record(APEX_LABELS, 2, 300, APEX_DATA[2][0]),
        Record(("a", *APEX_LABELS), 1, 300, APEX_DATA[1][0]),
    ]
    now = ZoneNow(Stored([(encoded(one.name), one.type, one.ttl, one.data) for one in records]), APEX)
    seen: dict[int, int] = {}
    for _ in range(5000):
        needed, wanted = random_update(chance, NAMES, APEX_DATA)
        rcode, records = naive_update.update(records, APEX_LABELS, needed, wanted)
        decoded = decode_update(whole_message(needed, wanted))
        assert isinstance(decoded, UpdateMessage)
        before = flat(now)
        outcome = update_zone(now, decoded, lambda owner, rdtype, is_added: "")
        assert outcome.rcode == rcode, (needed, wanted)
        assert flat(now) == {(encoded(one.name), one.type, one.ttl, one.data) for one in records}, (needed, wanted)
        assert now.record_count == len(records)
        assert (flat(now) != before) == bool(now.changed)
        seen[rcode] = seen.get(rcode, 0) + 1
    assert set(seen) == {0, 1, 3, 6, 7, 8, 10}, seen
    assert seen[0] > 2000
