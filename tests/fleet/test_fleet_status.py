"""What machines of a fleet say of themselves: encoded, decoded, of older and newer releases; who was heard when."""

from __future__ import annotations

import json
import zlib

import pytest

from lbdns.fleet.fleet_document import DEFLATED_FROM, BadDocument, decode_document, encode_document
from lbdns.fleet.fleet_status import FORGOTTEN_S, LOST_S, FleetRoster, decode_status, encode_status, signed_digest
from lbdns.fleet.observing.hearing import EXCUSED_MAX_S
from lbdns.model.fleet_report import MachineStatus

AMS = MachineStatus(
    name="AMS-1",
    version="0.2.0",
    region="WEU",
    pop="AMS",
    revision=14,
    served=13,
    lag=1,
    mistakes=("pools.eu: no monitor x",),
    up_s=12.5,
    heard=("FRA-1",),
    known=2,
    cut_off_s=3.0,
    bus="away",
    signed=signed_digest(["example.com"]),
    signed_count=1,
)


def test_a_status_comes_back_as_it_was_said() -> None:
    assert decode_status(encode_status(AMS)) == AMS
    many = MachineStatus("AMS-1", heard=tuple(f"M-{number}" for number in range(1000)))
    data = encode_status(many)
    assert len(data) < DEFLATED_FROM * 4, "long documents are deflated"
    assert decode_status(data) == many


def test_a_newer_and_an_older_release_are_understood() -> None:
    newer = json.loads(encode_status(AMS)) | {"mood": {"good": True}, "version": "0.9.0"}
    assert decode_status(json.dumps(newer).encode()).version == "0.9.0"
    older = {"v": 1, "name": "FRA-1", "version": "0.1.0"}
    assert decode_status(json.dumps(older).encode()) == MachineStatus("FRA-1", "0.1.0")
    with pytest.raises(BadDocument, match="has version 2, and this lbdns reads up to 1: a newer release wrote it"):
        decode_status(encode_document({"name": "FRA-1"}, version=2))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"v": true, "name": "A"}',
        b'{"v": 1}',
        b'{"v": 1, "name": "a.b"}',
        b'{"v": 1, "name": "A", "up_s": NaN}',
        b'{"v": 1, "name": "A", "heard": 5}',
        b"{" + b"[" * 100_000,
        zlib.compress(b'{"v": 1, "name": "A"}')[:-6],
        zlib.compress(b" " * (2 << 20)),
    ],
)
def test_what_is_damaged_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(BadDocument, match=r"bus|machine"):
        decode_status(data)


def test_the_bound_holds_for_what_is_inflated() -> None:
    with pytest.raises(BadDocument, match="longer than 1,000 octets"):
        decode_document(zlib.compress(b'{"v":1,"a":"' + b"a" * 100_000 + b'"}'), bytes_max=1000)


def test_who_is_heard_goes_by_the_receivers_clock() -> None:
    roster = FleetRoster()
    roster.hear(AMS, 100.0)
    roster.hear(MachineStatus("FRA-1"), 101.0)
    roster.hear(AMS, 102.0)
    ams, fra = roster.rows(102.0 + LOST_S)
    assert (ams.status.name, ams.age_s, ams.is_heard, ams.for_s) == ("AMS-1", LOST_S, True, 2.0 + LOST_S)
    assert (fra.status.name, fra.is_heard, fra.for_s) == ("FRA-1", False, 1.0 + LOST_S)
    roster.hear(MachineStatus("FRA-1"), 110.0)
    assert [(one.is_heard, one.for_s) for one in roster.rows(111.0)] == [(False, 9.0), (True, 1.0)], (
        "since it came back"
    )
    assert not roster.rows(111.0 + FORGOTTEN_S)


def test_who_leaves_is_gone_at_once() -> None:
    roster = FleetRoster()
    roster.hear(MachineStatus("FRA-1"), 1.0)
    roster.hear(MachineStatus("FRA-1", is_leaving=True), 2.0)
    assert not roster.rows(2.0)


def test_a_roster_outlives_a_restart_without_claiming_to_hear() -> None:
    before = FleetRoster()
    before.hear(AMS, 100.0)
    kept = json.loads(json.dumps(before.kept(101.0)))
    after = FleetRoster()
    after.hear(MachineStatus("FRA-1"), 5.0)
    after.restore([*kept, {"name": "X"}, {}, {**kept[0], "status": {"name": 5}}], 5.0, passed_s=60.0)
    ams, fra = after.rows(5.0)
    assert (ams.status, ams.is_heard, ams.age_s) == (AMS, False, 61.0)
    assert fra.is_heard
    after.hear(AMS, 6.0)
    assert after.rows(6.0)[0].for_s == 0.0


def test_who_lacks_revisions_is_told_with_for_how_long() -> None:
    roster = FleetRoster()
    for at_s, lag in ((1.0, 0), (2.0, 3), (3.0, 1)):
        roster.hear(MachineStatus("FRA-1", lag=lag), at_s)
    assert roster.rows(3.5)[0].lags_s == 1.5
    roster.hear(MachineStatus("FRA-1"), 4.0)
    assert roster.rows(4.5)[0].lags_s == 0.0


def test_the_digest_tells_apart_who_signs_what() -> None:
    assert signed_digest([]) == ""
    assert signed_digest(["b.example", "a.example"]) == signed_digest(["a.example", "b.example"])
    assert signed_digest(["a.example"]) != signed_digest(["b.example"])


def test_two_machines_of_one_name_are_told_from_one_that_started_again() -> None:
    roster = FleetRoster()

    def doubled(run: str, now_s: float) -> bool:
        roster.hear(MachineStatus("FRA-1", run=run), now_s)
        (row,) = roster.rows(now_s)
        return row.is_doubled

    assert not doubled("a", 0.0) and not doubled("b", 1.0), "it started again"
    assert not doubled("b", 2.0)
    assert doubled("a", 2.5) and doubled("b", 3.0)
    assert doubled("b", 4.0) and not doubled("b", 3.0 + LOST_S + 0.1), "the other one is gone"


def test_who_stood_still_takes_nobody_for_silent() -> None:
    roster = FleetRoster()
    roster.hear(MachineStatus("B"), 10.0)
    roster.hear(MachineStatus("C"), 1.0)  # lost before
    roster.stood_still(8.0, 20.0)
    rows = {one.status.name: one for one in roster.rows(20.0)}
    assert (rows["B"].is_heard, rows["B"].age_s, rows["C"].is_heard, rows["C"].age_s) == (True, 2.0, False, 19.0)
    assert not roster.rows(21.5)[0].is_heard, "no longer than it would be without"
    roster.hear(MachineStatus("B"), 22.0)
    roster.stood_still(0.05, 26.0)
    assert not roster.rows(26.0)[0].is_heard, "who is late by so little did not stand still"
    roster.hear(MachineStatus("B"), 30.0)
    roster.stood_still(2 * EXCUSED_MAX_S, 31.0 + 2 * EXCUSED_MAX_S)
    assert not roster.rows(31.0 + 2 * EXCUSED_MAX_S)[0].is_heard, "of each so much at most"
