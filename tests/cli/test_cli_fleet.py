"""`lbdns fleet` and `lbdns explain --at`: what they ask of the running server, and what they tell of it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.model.fleet_report import RosterRow
from lbdns.processes.supervisor.control_socket import ControlServer
from tests.cli.commands import Outcome, run
from tests.fleet.played_fleet import AMS, FRA, PlayedFleet
from tests.loop_thread import LoopThread

Lbdns = Callable[..., Outcome]


@pytest.fixture
def played() -> PlayedFleet:
    return PlayedFleet()


@pytest.fixture
def lbdns(played: PlayedFleet, tmp_path: Path) -> Iterator[Lbdns]:
    """Return `lbdns` that asks a server whose fleet is played."""
    table = {op: functools.partial(played.operate, op) for op in ("fleet", "fleet_ask", "fleet_forget", "explain")}
    server = ControlServer(tmp_path / "control.sock", table)
    loop = LoopThread()
    loop.run(server.start())
    try:
        yield lambda *arguments: run(*arguments, "--control", str(server.path))
    finally:
        loop.run(server.close())
        loop.stop()


def lines(outcome: Outcome) -> list[str]:
    return [" ".join(line.split()) for line in outcome.out.splitlines() if line.strip()]


def test_a_row_a_machine(lbdns: Lbdns, played: PlayedFleet) -> None:
    outcome = lbdns("fleet")
    assert outcome.status == 0
    heading, _, *rows = lines(outcome)
    assert heading == "machine place state revision lag hears version"
    assert rows == [
        "AMS-1 AMS WEU this one, up for 1 h 7 none 2 of 2 0.1.0",
        "FRA-1 FRA WEU heard for 50 min 7 none 2 of 2 0.1.0",
        "NYC-1 JFK ENAM heard for 1 min 6 none 2 of 2 0.1.0",
    ]
    told = lbdns("fleet", "--json").json
    assert told == played.report().as_json() | {"machines": told["machines"], "problems": []}
    assert [one["status"]["name"] for one in told["machines"]] == ["AMS-1", "FRA-1", "NYC-1"]


def test_who_is_lost_and_what_differs_is_told_and_is_the_exit_status(lbdns: Lbdns, played: PlayedFleet) -> None:
    played.lose("NYC-1", 125.0)
    played.rows[0] = RosterRow(dataclasses.replace(FRA, lag=2, signed="01", signed_count=1), 0.1, True, 60.0, 15.0)
    outcome = lbdns("fleet")
    assert outcome.status == 1
    _, _, _, fra, nyc, *problems = lines(outcome)
    assert fra == "FRA-1 FRA WEU heard for 1 min 7 2 revisions 2 of 2 0.1.0"
    assert nyc == "NYC-1 JFK ENAM not heard for 2 min 5 s (6) (none) (2 of 2) 0.1.0", "what it said last"
    assert problems[:2] == ["FRA-1 has lacked 2 revisions for 15 s", "NYC-1 has not been heard for 2 min 5 s"]
    assert problems[2].startswith("machines sign other zones, or with other keys: AMS-1 none, FRA-1 1 zone; ")


def test_a_machine_that_is_cut_off_says_by_whom_health_was_agreed(lbdns: Lbdns, played: PlayedFleet) -> None:
    played.own = dataclasses.replace(AMS, heard=(), cut_off_s=40.0, agreed_by=3, bus="nats://192.0.2.1: no answer")
    outcome = lbdns("fleet")
    assert outcome.status == 1
    cut_off = "it has heard 0 of 2 for 40 s; health as agreed 40 s ago by 3 of 3"
    assert outcome.out.splitlines()[-2:] == [
        "the bus is not reached, so that nothing can be changed here: nats://192.0.2.1: no answer",
        f"this machine is cut off: {cut_off}",
    ]


def test_without_a_fleet_or_a_server_it_says_so(lbdns: Lbdns, played: PlayedFleet, tmp_path: Path) -> None:
    played.is_in_fleet = False
    outcome = lbdns("fleet")
    assert (outcome.status, outcome.out) == (2, "") and "in no fleet: `lbdns fleet init` begins one" in outcome.err
    assert lbdns("fleet", "--json").json["machine"] == ""
    outcome = run("fleet", "--control", str(tmp_path / "none.sock"))
    assert outcome.status == 2 and "lbdns: " in outcome.err


def test_another_machine_explains(lbdns: Lbdns, played: PlayedFleet) -> None:
    outcome = lbdns("explain", "www.example.com", "--at", "fra-1", "--draw", "0.5")
    assert outcome.status == 0 and "www.example.com. 30 IN A 192.0.2.10" in outcome.out
    [(machine, op, request)] = played.asked
    assert (machine, op) == ("FRA-1", "explain")
    assert (request["name"], request["type"], request["draw"]) == ("www.example.com", "A", 0.5)
    refused = lbdns("explain", "www.example.com", "--at", "FRA-2")
    assert refused.status == 1 and 'the fleet has no machine "FRA-2"; did you mean "FRA-1"?' in refused.err
    played.lose("NYC-1", 60.0)
    refused = lbdns("explain", "www.example.com", "--at", "NYC-1")
    assert refused.status == 1 and "NYC-1 does not answer" in refused.err


def test_another_machine_is_asked_for_its_health_and_how_it_stands(lbdns: Lbdns, played: PlayedFleet) -> None:
    assert lbdns("health", "--at", "FRA-1", "--json").json == {"of": "FRA-1"}
    stands = {"ready": True, "responders": [{"pid": 7}], "standing": {"state": "degraded"}}
    played.statuses["FRA-1"] = stands
    outcome = lbdns("status", "--at", "fra-1", "--json")
    assert outcome.json == stands and outcome.status == 1
    assert [(machine, op) for machine, op, _ in played.asked] == [("FRA-1", "health"), ("FRA-1", "status")]
    refused = lbdns("status", "--at", "FRA-2")
    assert refused.status == 2 and 'did you mean "FRA-1"?' in refused.err


def test_who_is_gone_for_good_is_forgotten_and_who_is_heard_is_not(lbdns: Lbdns, played: PlayedFleet) -> None:
    refused = lbdns("fleet", "forget", "NYC-1")
    assert refused.status == 1 and "NYC-1 is heard: `lbdns fleet leave` there" in refused.err
    played.lose("NYC-1", 600.0)
    assert lbdns("fleet").status == 1
    assert lbdns("fleet", "forget", "nyc-1").out == "NYC-1 is forgotten, here and by all that hear this machine\n"
    assert [row.status.name for row in played.report().machines] == ["AMS-1", "FRA-1"] and lbdns("fleet").status == 0
    assert "is heard" in lbdns("fleet", "forget", "AMS-1").err


def test_files_are_no_machine(tmp_path: Path) -> None:
    refused = run("explain", "www.example.com", "--at", "FRA-1", "--config", str(tmp_path))
    assert refused.status == 2 and "give one" in refused.err
