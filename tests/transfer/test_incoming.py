"""Transfers as their records come: every form of right ones, and what each wrong one is refused with."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from lbdns.dns.codes import TYPE_A, TYPE_CNAME, TYPE_SOA, TYPE_TXT
from lbdns.dns.name import encode_canonical, encode_name
from lbdns.dns.serial import is_newer
from lbdns.dns.transfer_reply import ReceivedRecord
from lbdns.dns.zone import RRset
from lbdns.transfer.inward.incoming import Incoming, Inexact, TransferBounds, TransferError
from lbdns.transfer.inward.received_checks import check_received
from lbdns.transfer.inward.zone_records import ZoneRecords
from tests.transfer.transfer_records import APEX, NS, address, held_zone, soa, soa_data, taken

Records = list[ReceivedRecord]


def content(zone: ZoneRecords) -> set[tuple[bytes, int, int, frozenset[bytes]]]:
    """Return what a zone holds, without order."""
    return {(one.owner, one.type, one.ttl, frozenset(one.rdatas)) for one in zone.rrsets()}


def test_serials_count_in_a_circle() -> None:
    assert is_newer(2, 1) and is_newer(0, 0xFFFFFFFF) and is_newer(0x7FFFFFFF, 0)
    assert not is_newer(1, 1) and not is_newer(1, 2) and not is_newer(0xFFFFFFFF, 0)
    assert not is_newer(0x80000000, 0) and not is_newer(0, 0x80000000)


@pytest.mark.parametrize("per_message", [1, 2, 100])
def test_the_whole_zone_comes_in_messages_of_any_size(per_message: int) -> None:
    records = [soa(7), NS, *(address(f"h{number}", number) for number in range(20)), soa(7)]
    messages = [records[at : at + per_message] for at in range(0, len(records), per_message)]
    incoming = taken(Incoming(APEX, None), *messages)
    assert incoming.is_done and incoming.kind == "axfr" and not incoming.is_current
    assert content(incoming.records) == content(held_zone(7, *records[2:-1]))


@pytest.mark.parametrize("per_message", [1, 3, 100])
def test_differences_come_condensed_or_one_after_the_other(per_message: int) -> None:
    held = held_zone(1, address("a", 1), address("b", 2), address("b", 3))
    wanted = held_zone(3, address("b", 3), address("c", 5, 60), address("d", 6))
    several = [soa(3), soa(1), address("a", 1), soa(2), address("c", 4), address("d", 6)]
    several += [soa(2), address("b", 2), address("c", 4), soa(3), address("c", 5, 60), soa(3)]
    condensed = [soa(3), soa(1), address("a", 1), address("b", 2), soa(3), address("c", 5, 60), address("d", 6), soa(3)]
    before = content(held)
    for records in (several, condensed):
        messages = [records[at : at + per_message] for at in range(0, len(records), per_message)]
        incoming = taken(Incoming(APEX, held), *messages)
        assert incoming.is_done and incoming.kind == "ixfr" and incoming.serial == 3
        assert content(incoming.records) == content(wanted)
        assert content(held) == before  # which others may still go by


def test_the_whole_zone_may_come_in_place_of_differences() -> None:
    incoming = taken(Incoming(APEX, held_zone(1, address("a", 1))), [soa(3), NS, address("z", 9), soa(3)])
    assert incoming.kind == "axfr" and content(incoming.records) == content(held_zone(3, address("z", 9)))


@pytest.mark.parametrize("serial", [5, 4, 0xFFFFFFF0])
def test_a_lone_soa_that_is_not_newer_says_that_nothing_changed(serial: int) -> None:
    incoming = taken(Incoming(APEX, held_zone(5)), [soa(serial)])
    assert incoming.is_done and incoming.is_current


def test_a_lone_soa_that_is_newer_is_the_first_of_several_messages() -> None:
    incoming = taken(Incoming(APEX, held_zone(5)), [soa(6)])
    assert not incoming.is_done
    taken(incoming, [soa(5)], [soa(6)], [address("a", 1)], [soa(6)])
    assert content(incoming.records) == content(held_zone(6, address("a", 1)))


def test_ttls_of_an_rrset_are_one() -> None:
    whole = taken(Incoming(APEX, None), [soa(1), NS, address("a", 1, 300), address("a", 2, 60), soa(1)])
    assert whole.records.at(address("a", 1).owner)[0].ttl == 60  # RFC 2181 section 5.2
    changed = [soa(2), soa(1), address("a", 1, 60), soa(2), address("a", 1, 900), soa(2)]
    different = taken(Incoming(APEX, whole.records), changed)
    assert different.records.at(address("a", 1).owner)[0].ttl == 900


OUTSIDE = ReceivedRecord(encode_canonical("www.example.net"), TYPE_A, 60, b"\xc0\x00\x02\x01")
ALIKE = ReceivedRecord(encode_canonical("wwwexample.com"), TYPE_A, 60, b"\xc0\x00\x02\x01")
BELOW = ReceivedRecord(encode_canonical("www.example.com"), TYPE_SOA, 60, soa_data(1))
OTHER = ReceivedRecord(encode_canonical("example.net"), TYPE_SOA, 60, soa_data(1))


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([NS], "begins with example.com NS, not with the SOA"),
        ([soa(2), NS, OUTSIDE], "www.example.net A is outside the zone example.com"),
        ([soa(2), NS, ALIKE], "outside the zone"),
        ([OTHER], "outside the zone"),
        ([soa(2), NS, BELOW], "www.example.com has an SOA record, which stands at the apex alone"),
        ([soa(2), NS, soa(3)], "began with serial 2 and has another SOA, of serial 3"),
        ([soa(2), NS, soa(2), address("a", 1)], "records follow the end"),
        ([soa(2), soa(1), address("a", 9), soa(2), soa(2)], "example.com A goes that is not there"),
        ([soa(3), soa(1), soa(2), soa(2), soa(1)], "from serial 2 back to 1"),
        ([soa(3), soa(1), soa(2), address("a", 2), soa(1)], "lead to serial 2, and go on from 1"),
        ([soa(3), soa(1), soa(2), address("b", 2), soa(3)], "lead to serial 2, and go on from 3"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(records: Records, told: str) -> None:
    held = held_zone(1, address("a", 1))
    before = content(held)
    with pytest.raises(TransferError, match=told):
        taken(Incoming(APEX, held), records)
    assert content(held) == before


def test_a_transfer_without_end_ends_here() -> None:
    bounds = TransferBounds(records=1000, octets=50_000)
    for number in range(2):
        incoming = Incoming(APEX, held_zone(1), bounds)
        taken(incoming, [soa(1 << 30), NS if number else soa(1)])
        with pytest.raises(TransferError, match="does not end"):
            for count in range(2000):
                incoming.take(address(f"h{count}", count) if number else soa(2 + count // 2))
        assert incoming.record_count <= 1001
    long = ReceivedRecord(APEX, TYPE_TXT, 60, b"\xff" + bytes(255))
    with pytest.raises(TransferError, match="does not end"):
        taken(Incoming(APEX, None, bounds), [soa(5), NS], [long] * 1000)


def test_an_rrset_and_a_name_have_bounds() -> None:
    many = [ReceivedRecord(APEX, TYPE_TXT, 60, b"\xff" + number.to_bytes(255)) for number in range(101)]
    with pytest.raises(TransferError, match="more than 100 records of one type"):
        taken(Incoming(APEX, None), [soa(5), NS, *many])
    types = [ReceivedRecord(APEX, 1000 + number, 60, b"") for number in range(101)]
    with pytest.raises(TransferError, match="more than 100 types"):
        taken(Incoming(APEX, None), [soa(5), NS, *types])


def text(octets: int, number: int) -> ReceivedRecord:
    """Return a TXT record of so many octets."""
    strings = b"".join(b"\xff" + number.to_bytes(255) for _ in range(octets // 256))
    return ReceivedRecord(encode_canonical("t.example.com"), TYPE_TXT, 60, strings)


CNAME = ReceivedRecord(encode_canonical("a.example.com"), TYPE_CNAME, 60, encode_name("b.example.com."))
OTHER_CNAME = CNAME._replace(rdata=encode_name("c.example.com."))


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([address("a", 1), CNAME], "a.example.com has a CNAME, which stands alone .* and A beside it"),
        ([CNAME, OTHER_CNAME], "a.example.com CNAME has 2 records"),
        ([text(40_000, 1), text(40_000, 2)], "t.example.com TXT has 79,[0-9]+ octets, and no message holds as many"),
    ],
)
def test_what_no_server_could_serve_is_refused(records: Records, told: str) -> None:
    with pytest.raises(TransferError, match=told):
        check_received(held_zone(1, *records))
    check_received(held_zone(1, address("a", 1)))


def test_a_zone_has_an_soa_and_name_servers() -> None:
    empty = taken(Incoming(APEX, None), [soa(1), soa(1)])
    with pytest.raises(TransferError, match="has no NS record"):
        check_received(empty.records)
    with pytest.raises(TransferError, match="has no SOA record"):
        check_received(ZoneRecords(APEX, [RRset(APEX, NS.type, 60, (NS.rdata,))]))


def random_zone(rng: random.Random, serial: int) -> set[tuple[str, int]]:
    """Return some addresses of some names."""
    return {(f"h{rng.randrange(8)}", rng.randrange(5)) for _ in range(rng.randrange(12))}


@pytest.mark.parametrize("seed", range(30))
def test_random_histories_come_to_the_last_zone(seed: int) -> None:
    rng = random.Random(seed)
    start = rng.choice([1, 0xFFFFFFFE])
    serials = [(start + step) % (1 << 32) for step in range(rng.randrange(2, 6))]
    zones = [random_zone(rng, serial) for serial in serials]
    records = [soa(serials[-1])]
    for (before, there), (after, then) in pairwise(zip(serials, zones, strict=True)):
        gone, come = [*(there - then)], [*(then - there)]
        rng.shuffle(gone)
        rng.shuffle(come)
        records += [soa(before), *(address(*one) for one in gone), soa(after), *(address(*one) for one in come)]
    records.append(soa(serials[-1]))
    incoming = Incoming(APEX, held_zone(serials[0], *(address(*one) for one in zones[0])))
    while records:
        count = rng.randrange(1, 6)
        taken(incoming, records[:count])
        records = records[count:]
    assert incoming.is_done
    assert content(incoming.records) == content(held_zone(serials[-1], *(address(*one) for one in zones[-1])))


def test_differences_from_something_else_ask_for_the_whole_zone() -> None:
    with pytest.raises(Inexact):
        taken(Incoming(APEX, held_zone(1)), [soa(2), soa(1), address("a", 1), soa(2), soa(2)])
    with pytest.raises(TransferError, match="differences from what is not held"):
        taken(Incoming(APEX, held_zone(1)), [soa(9), soa(8), address("a", 1), soa(9), soa(9)])
