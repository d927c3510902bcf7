"""What goes over the bus of the store: entries, bases, sums; and how an append ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from lbdns.fleet.bus.fleet_bus import BusUnreached, OutcomeUnknown, SequenceMoved
from lbdns.fleet.fleet_document import BadDocument, decode_document, encode_document
from lbdns.fleet.replica import message_parts
from lbdns.fleet.replica.appending import append_entry, append_parts, read_parts
from lbdns.fleet.replica.fleet_base import BaseNote, FleetBase, decode_base, encode_base, is_due
from lbdns.fleet.replica.message_parts import Framed, joined
from lbdns.fleet.replica.revision_message import SentRevision, StreamEntry, decode_entry, encode_entry
from lbdns.fleet.replica.state_sum import MODULUS, moved_sum, row_sum, rows_sum
from tests.fleet.played_bus import Link, PlayedBus, PlayedHub

ROW = ("a" * 32, "pool", "", '{"name": "eu"}', "t0", "t1", 7, "", 1)
TOKEN = ("b" * 32, "ops", "write", "00" * 32, "t0")
ENTRY = StreamEntry(
    "c" * 32, "AMS-1", 812, 8, 1 << 127, (SentRevision(8, "t", "ann", "ümlaut", (ROW, "d" * 32)),), (TOKEN, "e"), 3
)
BASE = FleetBase("f" * 32, "AMS-1", 812, 8, 5, "9" * 32, 3, "t", "ann", "why", (ROW,), (TOKEN,))


def opened(frames: Framed) -> dict[str, Any]:
    said = decode_document(frames.head)
    return joined(said, frames.parts) if frames.parts else said


def test_an_entry_is_read_as_it_was_sent() -> None:
    assert decode_entry(opened(encode_entry(ENTRY))) == ENTRY
    assert decode_base(opened(encode_base(BASE))) == BASE


def test_a_later_release_may_say_more() -> None:
    said = decode_document(encode_entry(ENTRY).head)
    said["revisions"][0][5][0].append("a column that came later")
    said["revisions"][0].append("a field that came later")
    said["later"] = {"any": 1}
    assert decode_entry(said) == ENTRY
    with pytest.raises(BadDocument, match="version 2"):
        decode_document(encode_document({"id": "x"}, version=2))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("follows", one) for one in (None, -1, "1", True)),
        ("sum", "no number"),
        ("revisions", [[1, "t"]]),
        ("revisions", [[1, "t", "a", "m", "", [["id"]]]]),
        ("revisions", 1),
        ("tokens", [[1, 2, 3, 4, 5]]),
        ("id", 1),
    ],
)
def test_an_entry_that_is_none_is_refused(key: str, value: object) -> None:
    with pytest.raises(BadDocument, match="an entry of the stream cannot be read"):
        decode_entry({**decode_document(encode_entry(ENTRY).head), key: value})


def test_a_large_entry_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_parts, "PART_BYTES", 100)
    rng = random.Random(1)
    body = '{"name": "%s"}' % "".join(rng.choices("abcdefghijklmnop", k=5000))  # noqa: UP031
    entry = StreamEntry("c" * 32, "AMS-1", 1, 8, 1, (SentRevision(8, "t", "a", "m", ((*ROW[:3], body, *ROW[4:]),)),))
    frames = encode_entry(entry)
    assert len(frames.parts) > 5 and max(map(len, frames.parts)) == 100
    assert decode_entry(opened(frames)) == entry
    with pytest.raises(BadDocument, match="parts of a document of the bus are there"):
        joined(decode_document(frames.head), frames.parts[1:])
    with pytest.raises(BadDocument, match="another than was sent"):
        joined(decode_document(frames.head), [*frames.parts[:-1], b"x"])
    head = decode_document(encode_base(BASE).head)
    assert head["revision"] == 8 and head["as_of"] == 812  # also where the rest is in parts
    monkeypatch.setattr(message_parts, "PARTS_MAX", 5)
    with pytest.raises(BadDocument, match="at most"):
        encode_entry(entry)


def test_a_sum_follows_changes_as_if_it_were_counted_anew() -> None:
    rng = random.Random(2)
    rows: dict[int, tuple[object, ...]] = {}
    total = 0
    for _ in range(500):
        id = rng.randrange(40)
        gone = [rows.pop(id)] if id in rows else []
        if rng.random() < 0.7:
            rows[id] = (id, rng.random(), "x" * rng.randrange(5))
        come = [rows[id]] if id in rows else []
        total = moved_sum(total, rows_sum("object", gone), rows_sum("object", come))
        assert total == rows_sum("object", rows.values())
    assert rows_sum("object", reversed(rows.values())) == total < MODULUS  # whatever their order
    assert len({row_sum("object", one) for one in (("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"))}) == 4
    assert row_sum("object", ("a",)) != row_sum("token", ("a",))


@pytest.mark.parametrize(
    ("base", "revision", "octets", "due"),
    [
        (None, 0, 0, True),
        (BaseNote(10, 100), 1010, 0, False),
        (BaseNote(10, 100), 1011, 0, True),
        (BaseNote(10, 100), 11, 1 << 20, False),
        (BaseNote(10, 100), 11, (1 << 20) + 1, True),
        (BaseNote(10, 1 << 20), 11, 4 << 20, False),
        (BaseNote(10, 1 << 20), 11, (4 << 20) + 1, True),
    ],
)
def test_when_a_base_is_due(base: BaseNote | None, revision: int, octets: int, due: bool) -> None:
    assert is_due(base, revision, octets) is due


def append(arrange: Callable[[PlayedHub, PlayedBus], None], within_s: float = 5.0) -> tuple[int, PlayedHub]:
    """Append an entry behind one that is there, on a bus that is arranged so; returns the sequence, and the hub."""

    async def go() -> int:
        bus = PlayedBus(hub)
        hub.make()
        hub.append("cfg.rev", b"first", "first", 0)
        arrange(hub, bus)
        return await append_entry(bus, "ours", 1, Framed(b"ours"), within_s)

    hub = PlayedHub()
    return asyncio.run(go()), hub


def ids(hub: PlayedHub) -> list[str]:
    return [one.id for one in hub.messages]


def test_an_append_is_done_once() -> None:
    sequence, hub = append(lambda hub, bus: None)
    assert (sequence, ids(hub)) == (2, ["first", "ours"])


def test_an_append_whose_reply_is_lost_is_done_once() -> None:
    def arrange(hub: PlayedHub, bus: PlayedBus) -> None:
        lost = iter([True, True])
        hub.lost_replies = lambda: next(lost, False)

    sequence, hub = append(arrange)
    assert (sequence, ids(hub)) == (2, ["first", "ours"])


def test_a_bus_that_knows_no_ids_any_more_is_asked_what_stands_behind() -> None:
    """The same id and the same sequence again: a real one says that the sequence is wrong."""

    def arrange(hub: PlayedHub, bus: PlayedBus) -> None:
        def lost() -> bool:
            hub.ids.clear()
            hub.lost_replies = lambda: False
            return True

        hub.lost_replies = lost

    sequence, hub = append(arrange)
    assert (sequence, ids(hub)) == (2, ["first", "ours"])


def theirs(hub: PlayedHub, bus: PlayedBus) -> None:
    hub.append("cfg.rev", b"theirs", "theirs", 1)


def test_an_append_that_lost_the_race_is_not_done_and_never_will_be() -> None:
    with pytest.raises(SequenceMoved):
        append(theirs)

    def late(hub: PlayedHub, bus: PlayedBus) -> None:
        hub.late = []  # what is sent does not arrive yet; then another's comes first

        def meanwhile() -> None:
            held, hub.late = hub.late, None
            hub.append("cfg.rev", b"theirs", "theirs", 1)
            hub.late = held
            hub.arrive()

        asyncio.get_running_loop().call_later(0.02, meanwhile)

    hubs: list[PlayedHub] = []

    def arrange(hub: PlayedHub, bus: PlayedBus) -> None:
        hubs.append(hub)
        late(hub, bus)

    with pytest.raises(SequenceMoved):
        append(arrange)
    assert ids(hubs[0]) == ["first", "theirs"]


def test_an_append_that_nobody_answers_has_no_known_outcome() -> None:
    with pytest.raises(OutcomeUnknown) as unknown:
        append(lambda hub, bus: bus.turn(Link.SILENT), 0.2)
    assert unknown.value.id == "ours"


def test_an_append_that_cannot_be_sent_is_not_done() -> None:
    with pytest.raises(BusUnreached):
        append(lambda hub, bus: bus.turn(Link.CUT))


def test_parts_are_there_before_who_names_them_and_once() -> None:
    async def go() -> None:
        hub = PlayedHub()
        hub.make()
        bus = PlayedBus(hub)
        lost = iter([True, False] * 5)
        hub.lost_replies = lambda: next(lost, False)
        parts = [b"one", b"two", b"three"] * 4  # more than nine: their numbers are no texts
        await append_parts(bus, "x", parts)
        assert await read_parts(bus, "x") == parts and await read_parts(bus, "y") == []
        bus.turn(Link.SILENT)
        with pytest.raises(BusUnreached):
            await append_parts(bus, "z", parts, 0.1)

    asyncio.run(go())
