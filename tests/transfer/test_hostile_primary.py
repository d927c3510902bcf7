"""Primaries that send what no zone is, or without end: bounded in memory, octets and time, told, nothing changed."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Iterator
from itertools import chain, count, repeat

import pytest

from lbdns.dns.codes import TYPE_A, TYPE_CNAME, TYPE_NS, TYPE_TXT
from lbdns.dns.name import encode_canonical, encode_name
from lbdns.dns.transfer_reply import ReceivedRecord
from tests.transfer.played_primary import PlayedPrimary, played_primary, whole
from tests.transfer.played_supervisor import PlayedSupervisor, asked, played_supervisor
from tests.transfer.transfer_records import APEX, NS, address, encode_message, encode_record, soa

pytestmark = pytest.mark.process

MEMORY_BYTES_MAX = 300 << 20
RECORDS_MAX = 20_000
ROW = [address(f"h{number}", number) for number in range(500)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PlayedPrimary, PlayedSupervisor]]:
    """Have a primary that was right once, and a worker that has its zone."""
    with played_primary() as primary, played_supervisor(tmp_path_factory.mktemp("hostile"), RECORDS_MAX) as supervisor:
        supervisor.terms({APEX: (asked(primary.port, None),)})
        supervisor.wait_for_serial(1)
        yield primary, supervisor


def message(records: Iterable[ReceivedRecord], message_id: int, rtype: int, flags: int = 0x8400) -> bytes:
    """Return a message of a transfer."""
    return encode_message(message_id, rtype, list(records), flags)


def endless(message_id: int, rtype: int) -> Iterable[bytes]:
    """Send a zone that never ends."""
    yield message([soa(2), NS], message_id, rtype)
    for number in count():
        yield message([address(f"h{number}-{one}", one) for one in range(1000)], message_id, rtype)


def endless_soas(message_id: int, rtype: int) -> Iterable[bytes]:
    """Send differences that lead on and on."""
    yield message([soa(1 << 30), soa(1)], message_id, rtype)
    for start in count(2, 250):
        row = chain.from_iterable(repeat(soa(number % (1 << 32)), 2) for number in range(start, start + 250))
        yield message(row, message_id, rtype)


def large_rrset(message_id: int, rtype: int) -> Iterable[bytes]:
    """Send 16 MB of one RRset."""
    yield message([soa(2), NS], message_id, rtype)
    for number in range(256):
        strings = b"".join(b"\xff" + number.to_bytes(255) for _ in range(250))
        yield message([ReceivedRecord(APEX, TYPE_TXT, 60, strings)], message_id, rtype)
    yield message([soa(2)], message_id, rtype)


def bomb(message_id: int, rtype: int) -> Iterable[bytes]:
    """Send names that are compressed as far as they can be, again and again."""
    long = b"".join(b"\x3f" + bytes((97 + number,)) * 63 for number in range(3))
    start = message([soa(2)], message_id, rtype)
    at = len(start)
    first = long[:-1] + b"z" + b"\xc0\x0c" + struct.pack("!HHIH", TYPE_NS, 1, 60, 2) + b"\xc0\x0c"
    body = [first]
    records = 1
    for number in range(4000):
        owner = bytes((3,)) + f"{number % 1000:03d}".encode() + struct.pack("!H", 0xC000 | at)
        body.append(owner + struct.pack("!HHIH", TYPE_NS, 1, 60, 2) + struct.pack("!H", 0xC000 | at))
        records += 1
    whole_message = start[:6] + struct.pack("!H", 1 + records) + start[8:] + b"".join(body)
    yield from repeat(whole_message[:65_000])


def wrong(*records: ReceivedRecord) -> object:
    """Return what sends a zone with these among its records."""
    return lambda message_id, rtype: whole(message_id, rtype, 2, *records)


def at_other(name: str) -> ReceivedRecord:
    """Return an address of another zone's name."""
    return ReceivedRecord(encode_canonical(name), TYPE_A, 60, b"\xc0\x00\x02\x01")


def of_class(message_id: int, rtype: int) -> Iterable[bytes]:
    """Send a record of class CH among those of a zone."""
    head = message([soa(2), NS], message_id, rtype)
    yield head[:6] + struct.pack("!H", 3) + head[8:] + encode_record(address("a", 1), rclass=3)


CNAME = ReceivedRecord(encode_canonical("h1.example.com"), TYPE_CNAME, 60, encode_name("h2.example.com."))
MALFORMED = ReceivedRecord(encode_canonical("h1.example.com"), TYPE_A, 60, b"\xc0\x00\x02")
HOSTILE = {
    "endless": (endless, "the transfer does not end|more than"),
    "SOAs without end": (endless_soas, "the transfer does not end|another SOA"),
    "16 MB of one RRset": (large_rrset, "more than 100 records of one type|no message holds"),
    "compression": (bomb, "cut off|does not end|outside|malformed"),
    "out of zone": (wrong(at_other("www.example.net")), r"www.example.net A is outside the zone example.com"),
    "above the zone": (wrong(at_other("com")), "com A is outside the zone"),
    "CNAME beside others": (wrong(*ROW[:3], CNAME), "h1.example.com has a CNAME, which stands alone"),
    "another class": (of_class, "class 3"),
    "malformed data": (wrong(MALFORMED), "h1.example.com A has malformed data"),
    "another ID": (lambda number, rtype: whole(number ^ 1, rtype, 2), "the ID of another question"),
    "no reply": (lambda number, rtype: [message([soa(2), NS, soa(2)], number, rtype, flags=0)], "is no reply"),
    "another zone": (
        lambda number, rtype: [encode_message(number, rtype, [soa(2)], apex=encode_canonical("example.net"))],
        "about something else",
    ),
    "REFUSED": (lambda number, rtype: [message([], number, rtype, flags=0x8405)], "REFUSED"),
    "SERVFAIL": (lambda number, rtype: [message([], number, rtype, flags=0x8402)], "SERVFAIL"),
    "nothing": (lambda number, rtype: [message([], number, rtype)], "has no records"),
    "cut short": (lambda number, rtype: [message([soa(2), NS], number, rtype, flags=0x8600)], "cut short"),
    "half a zone": (lambda number, rtype: [message([soa(2), NS], number, rtype)], "closed the connection before"),
    "half a header": (lambda number, rtype: [b"\0\1\2"], "shorter than a header"),
    "no name servers": (lambda number, rtype: [message([soa(2), *ROW[:2], soa(2)], number, rtype)], "no NS record"),
    "serial that goes back": (
        lambda number, rtype: whole(number, rtype, 1, *ROW[:2]) if rtype == 252 else [message([], number, rtype)],
        "has serial 1, and 1 is here already",
    ),
    "two zones": (
        lambda number, rtype: [message([soa(2), NS, *ROW[:2], soa(3)], number, rtype)],
        "the zone changed meanwhile",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_bounded_and_told_and_changes_nothing(
    kind: str, stage: tuple[PlayedPrimary, PlayedSupervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, supervisor = stage
    before = supervisor.copy(APEX)
    play, told = HOSTILE[kind]
    failed = supervisor.status().counts.get("transfers_failed", 0)
    monkeypatch.setattr(primary, "serial", 2)
    monkeypatch.setattr(primary, "messages", play)
    supervisor.notice(APEX, 2)
    status = supervisor.wait(lambda status: status.counts.get("transfers_failed", 0) > failed)
    status = supervisor.wait(lambda status: status.is_wrong)
    assert status.serial == 1 and status.primaries[0].problem
    assert any(word in status.last_error for word in told.split("|")), status.last_error
    assert supervisor.copy(APEX) == before
    assert supervisor.memory_bytes() < MEMORY_BYTES_MAX


def test_what_is_said_while_a_transfer_is_under_way_is_not_forgotten(
    stage: tuple[PlayedPrimary, PlayedSupervisor],
) -> None:
    primary, supervisor = stage
    has_begun, may_go_on = threading.Event(), threading.Event()

    def slowly(message_id: int, rtype: int) -> Iterable[bytes]:
        is_first = not has_begun.is_set()
        has_begun.set()
        assert may_go_on.wait(10)
        yield from whole(message_id, rtype, 2 if is_first else 3)

    primary.serial, primary.messages = 2, slowly
    supervisor.notice(APEX, 2)
    assert has_begun.wait(10)
    supervisor.notice(APEX, 3)
    supervisor.status()  # what was sent before has come
    primary.serial = 3
    may_go_on.set()
    supervisor.wait_for_serial(3)


def test_it_is_believed_again_when_it_is_right(stage: tuple[PlayedPrimary, PlayedSupervisor]) -> None:
    primary, supervisor = stage
    primary.serial = 4
    primary.messages = lambda message_id, rtype: whole(message_id, rtype, 4)
    supervisor.notice(APEX, 4)
    supervisor.wait(lambda status: status.serial == 4 and status.state == "current")
