"""The supervisor's part: what it hears, keeps and says; questions from one machine to another."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signing_facts import NOTHING_SIGNED, SigningFacts
from lbdns.dnssec.zone_status import KeyRole, KeyStatus, SigningState, ZoneStatus
from lbdns.fleet.asking import ANSWER_BYTES_MAX, FleetQuestion, decode_answer, encode_answer, encode_question
from lbdns.fleet.fleet_status import encode_status
from lbdns.fleet.told_hearing import RemoteVantage, ToldHearing, read_hearing, write_hearing
from lbdns.model.fleet_report import FleetReport, MachineStatus
from lbdns.model.settings import Settings
from lbdns.processes.supervisor.fleet_operations import FleetDesk
from lbdns.processes.supervisor.fleet_seen import FleetSeen, answer_question, signed_by

SETTINGS = Settings.model_validate({"pop": {"code": "AMS"}})
OWN = MachineStatus("AMS-1", revision=3, served=3)


def seen(tmp_path: Path) -> FleetSeen:
    return FleetSeen("AMS-1", tmp_path / "fleet", lambda: tmp_path)


def names(report: FleetReport) -> list[tuple[str, bool]]:
    return [(row.status.name, row.is_heard) for row in report.machines]


def test_who_was_heard_outlives_a_restart(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = seen(tmp_path)
    first.take("here.FRA-1", encode_status(MachineStatus("FRA-1")))
    assert names(first.report(OWN)) == [("AMS-1", True), ("FRA-1", True)]
    first.keep()
    second = seen(tmp_path)
    assert names(second.report(OWN)) == [("AMS-1", True), ("FRA-1", False)]
    (tmp_path / "fleet" / "roster.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert names(seen(tmp_path).report(OWN)) == [("AMS-1", True)]
    assert "cannot be read" in caplog.text


def test_whom_another_fleet_had_is_nobody(tmp_path: Path) -> None:
    before = FleetSeen("AMS-1", tmp_path, Path, "one")
    before.take("here.FRA-1", encode_status(MachineStatus("FRA-1")))
    before.keep()
    own = MachineStatus("AMS-1")
    for fleet_id, names in (("one", ["AMS-1", "FRA-1"]), ("two", ["AMS-1"])):
        report = FleetSeen("AMS-1", tmp_path, Path, fleet_id).report(own)
        assert [row.status.name for row in report.machines] == names


def test_what_cannot_be_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = seen(tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            found.take("here.FRA-1", b'{"v": 2, "name": "FRA-1"}')
            found.take("here.LHR-1", encode_status(MachineStatus("FRA-1")))
    assert [record.getMessage().count("passed over") for record in caplog.records] == [1, 1]
    assert "a newer release wrote it" in caplog.text and "it says to be FRA-1" in caplog.text
    assert names(found.report(OWN)) == [("AMS-1", True)]


def test_a_second_machine_of_the_same_name_is_noticed(tmp_path: Path) -> None:
    found, twin = seen(tmp_path / "a"), seen(tmp_path / "b")
    own = found.own(OWN, SETTINGS, NOTHING_SIGNED)
    found.take("here.AMS-1", encode_status(own))
    assert not found.report(own).problems
    found.take("here.AMS-1", encode_status(twin.own(OWN, SETTINGS, NOTHING_SIGNED)))
    [problem] = found.report(own).problems
    assert "another machine is called AMS-1 too" in problem


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    found = seen(tmp_path)
    own = found.own(OWN, SETTINGS, NOTHING_SIGNED)
    assert (own.version, own.pop, own.region, own.known, own.cut_off_s) == (__version__, "AMS", "WEU", 0, None)
    vantages = (RemoteVantage("FRA-1", "WEU", "FRA-1"),)
    write_hearing(tmp_path, ToldHearing((), ("FRA-1", "LHR-1"), vantages, time.monotonic() - 40, 3))
    own = found.own(OWN, SETTINGS, NOTHING_SIGNED)
    assert (own.heard, own.known, own.agreed_by) == ((), 2, 3)
    assert own.cut_off_s is not None and 40 <= own.cut_off_s < 50
    told = read_hearing(tmp_path)
    assert told is not None and told.vantages == vantages
    (tmp_path / "fleet-hearing.json").write_text('{"v": 1, "heard": 5}')
    assert read_hearing(tmp_path) is None


def test_other_keys_are_another_digest() -> None:
    def zone(tag: int) -> SigningFacts:
        key = KeyStatus("0" * 16, KeyRole.CSK, tag, 13, 257, "", "active", 0.0)
        return SigningFacts((ZoneStatus("example.com", SigningState.ACTIVE, 0.0, keys=(key,)),))

    assert signed_by(NOTHING_SIGNED) == ("", 0)
    assert signed_by(zone(1)) == signed_by(zone(1)) != signed_by(zone(2))


class Machine:
    """A server that answers, and asks another one by octets alone, as the bus carries them."""

    def __init__(self, name: str, other: Machine | None = None) -> None:
        self.name, self.other = name, other

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        if request.get("name") == "bad..name":
            raise LbdnsError('"bad..name" is no name')
        return {"op": op, "by": self.name, "padding": "".join(map(chr, range(request.get("length", 0))))}

    def report(self) -> FleetReport:
        found = FleetSeen(self.name, Path("/nonexistent"), Path)
        for one in filter(None, [self.other]):
            found.take(f"here.{one.name}", encode_status(MachineStatus(one.name)))
        return found.report(MachineStatus(self.name))

    async def ask(self, machine: str, question: FleetQuestion) -> Any:
        assert self.other is not None and machine == self.other.name
        return decode_answer(await answer_question(encode_question(question), self.other.operate), machine)

    async def forget(self, machine: str) -> None:
        self.other = None


def asked(request: Mapping[str, Any], is_in_fleet: bool = True) -> Any:
    here = Machine("AMS-1", Machine("FRA-1"))
    return asyncio.run(FleetDesk(lambda: here if is_in_fleet else None, here.operate).ask(request))


def test_a_machine_is_asked_by_its_name() -> None:
    assert asked({"machine": "FRA-1", "asked": "explain", "request": {"name": "a"}})["by"] == "FRA-1"
    assert asked({"machine": "fra-1", "asked": "health"})["by"] == "FRA-1"
    assert asked({"machine": "AMS-1", "asked": "status"})["by"] == "AMS-1", "itself, without the bus"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"machine": "FRA-2", "asked": "explain"}, 'no machine "FRA-2"; did you mean "FRA-1"?'),
        ({"machine": "xyz", "asked": "explain"}, "there are AMS-1, FRA-1"),
        ({"asked": "explain"}, "expected the name of a machine"),
        ({"machine": "FRA-1", "asked": "force"}, "expected one of explain, health, status"),
        ({"machine": "FRA-1", "asked": "explain", "request": {"name": "bad..name"}}, 'FRA-1: "bad..name" is no name'),
        ({"machine": "FRA-1", "asked": "explain", "request": {"length": 0xD800}}, ""),
    ],
)
def test_what_is_refused_is_told(request_: dict[str, Any], told: str) -> None:
    if not told:
        assert asked(request_)["by"] == "FRA-1", "a long answer is deflated"
        return
    with pytest.raises(LbdnsError) as found:
        asked(request_)
    assert told in str(found.value)


def test_without_a_fleet_there_is_nobody_to_ask() -> None:
    with pytest.raises(LbdnsError, match="in no fleet"):
        asked({"machine": "FRA-1", "asked": "explain"}, is_in_fleet=False)
    assert asyncio.run(FleetDesk(lambda: None, Machine("A").operate).show({}))["machine"] == ""


def test_what_the_bus_must_not_do_is_refused_by_who_is_asked() -> None:
    def answered(data: bytes) -> Any:
        return decode_answer(asyncio.run(answer_question(data, Machine("FRA-1").operate)), "FRA-1")

    with pytest.raises(LbdnsError, match="nothing that another machine may ask"):
        answered(encode_question(FleetQuestion("force", {"pattern": "eu", "state": "down"})))
    with pytest.raises(LbdnsError, match="FRA-1: a document of the bus is damaged"):
        answered(b"{")
    with pytest.raises(LbdnsError, match="is no object"):
        answered(json.dumps({"v": 1, "op": "explain", "request": 5}).encode())


def test_an_answer_has_a_bound() -> None:
    rows = [f"{number * 7919 % 1_000_003}" for number in range(900_000)]
    with pytest.raises(LbdnsError, match="too long for the bus"):
        decode_answer(encode_answer(rows), "FRA-1")
    assert len(encode_answer(rows)) < ANSWER_BYTES_MAX
