"""The monitor workers of a fleet, with real endpoints and a bus that is played."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lbdns.health.events import read_events
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.mapped.vantage_rows import FILE, VantageRows
from lbdns.monitor.joined import fleet_part
from tests.fleet.health_bus import PlayedHub
from tests.fleet.worker_fleet import Fleet
from tests.monitor.stage import until

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> PlayedHub:
    found = PlayedHub()
    monkeypatch.setattr(fleet_part, "nats_bus", found.connect)
    return found


def test_most_regions_decide_at_all_machines_and_soon(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            await fleet.shows(HEALTHY)
            fleet.down_for("A")
            fleet["A"].probe()
            await until(lambda: fleet["A"].stage["endpoint_checks"][0] > 3)
            await asyncio.sleep(0.2)
            await fleet.shows(HEALTHY)
            fleet.down_for("AB")
            fleet["B"].probe()
            assert await fleet.shows(UNHEALTHY) < 5
            fleet.down_for("A")
            fleet["B"].probe()
            await fleet.shows(HEALTHY)
            rows = VantageRows.attach(fleet["C"].stage.path / FILE, 1)
            assert rows is not None
            assert rows.names == ("C", "A", "B")
            seen = {name: rows.view(0, name) for name in rows.names}
            rows.close()
            assert {name: view.state for name, view in seen.items() if view} == {"C": 1, "A": 2, "B": 1}
            assert seen["A"] is not None
            assert seen["A"].code == 503
            events = [one for one in read_events(fleet["C"].stage.path) if one.kind == "endpoint"]
            assert {one.machine for one in events} == {"C"}, "events say at which machine"
            assert events[-2].vantage == "B", "and by whose probe"

    asyncio.run(main())


def test_isolation_takes_nothing_down_and_changes_nothing_elsewhere(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running(2):
            await fleet.shows(HEALTHY)
            await fleet.shows(HEALTHY, slot=1)
            hub.cut("A")
            await until(lambda: fleet["A"].hearing.cut_off_since_s is not None)
            await until(lambda: fleet["B"].hearing.heard == ("C",))
            agreed_by = fleet["A"].hearing.agreed_by
            assert agreed_by in (2, 3), "it may have missed one a moment before the other"
            fleet.down_for("A")
            fleet["A"].probe()
            await asyncio.sleep(0.5)
            assert [one.state() for one in fleet.machines] == [HEALTHY] * 3
            fleet.down_for("ABC", 0)
            fleet.probe("BC")
            await fleet.shows(UNHEALTHY, "BC")
            assert fleet["A"].state() == HEALTHY
            # It is killed meanwhile, and begins anew, still alone.
            since_s = fleet["A"].hearing.cut_off_since_s
            await fleet["A"].stop()
            await fleet["A"].start()
            await asyncio.sleep(3.5)
            assert [fleet["A"].state(slot) for slot in (0, 1)] == [HEALTHY, HEALTHY]
            assert fleet["A"].hearing.known == ("B", "C")
            assert fleet["A"].hearing.agreed_by == agreed_by
            assert fleet["A"].hearing.cut_off_since_s == pytest.approx(since_s, abs=1.5), "since when it was agreed"
            fleet.endpoints[1].down = set()
            hub.heal()
            await fleet.shows(UNHEALTHY)
            assert await fleet.shows(HEALTHY, slot=1) < 5
            told = [one for one in read_events(fleet["A"].stage.path) if one.kind == "vantage_point"]
            assert ("A", "cut off") in [(one.name, one.after) for one in told]

    asyncio.run(main())


def test_the_cut_off_follow_their_own_probes_up(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            fleet.down_for("ABC")
            fleet.probe()
            await fleet.shows(UNHEALTHY)
            hub.cut("A")
            await until(lambda: fleet["A"].hearing.cut_off_since_s is not None)
            fleet.down_for("")
            fleet.probe("A")
            await fleet.shows(HEALTHY, "A")
            assert fleet["B"].state() == UNHEALTHY

    asyncio.run(main())


def test_what_one_met_while_it_was_cut_off_counts_nowhere_when_it_is_back(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            await fleet.shows(HEALTHY)
            fleet.down_for("B")
            fleet.probe("B")
            await until(lambda: fleet.endpoints[0].asked.get(fleet["B"].source, 0) > 1)
            await until(lambda: fleet.endpoints[0].asked.get(fleet["C"].source, 0) > 0)
            await fleet.shows(HEALTHY)
            hub.cut("A")
            await until(lambda: fleet["A"].hearing.cut_off_since_s is not None)
            known = [len(list(read_events(one.stage.path))) for one in fleet.machines]
            fleet.down_for("AB")
            before = fleet.endpoints[0].asked[fleet["A"].source]
            fleet.probe("A")
            await until(lambda: fleet.endpoints[0].asked[fleet["A"].source] > before)
            fleet.down_for("B")
            hub.heal()
            await fleet.all_heard()
            # Its interval is an hour: it has probed anew by itself.
            await until(lambda: fleet.endpoints[0].asked[fleet["A"].source] > before + 1)
            await fleet.shows(HEALTHY)
            for one, count in zip(fleet.machines, known, strict=True):
                events = list(read_events(one.stage.path))[count:]
                assert [event for event in events if event.kind == "endpoint"] == [], one.name

    asyncio.run(main())


def test_a_failure_while_cut_off_takes_back_what_the_own_probe_said(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            fleet.down_for("ABC")
            fleet.probe()
            await fleet.shows(UNHEALTHY)
            hub.cut("A")
            await until(lambda: fleet["A"].hearing.cut_off_since_s is not None)
            fleet.down_for("")
            fleet.probe("A")
            await fleet.shows(HEALTHY, "A")
            fleet.down_for("ABC")
            fleet.probe("A")
            await fleet.shows(UNHEALTHY, "A")

    asyncio.run(main())


def test_check_regions_choose_real_places(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running(check_regions=["R2", "R3"]):
            await fleet.shows(HEALTHY)
            fleet["A"].probe()
            source = fleet["A"].source
            await until(lambda: not fleet["A"].check_count)
            before = fleet.endpoints[0].asked.get(source, 0)
            fleet.down_for("B")
            fleet.probe()
            await fleet.shows(UNHEALTHY)
            assert fleet.endpoints[0].asked.get(source, 0) == before, "A stands in no region that was asked for"

    asyncio.run(main())


def test_probes_are_shared_out_in_a_region(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "1111")
        for one in fleet.machines:
            one.probe_from = 2
        async with fleet.running(6):
            await until(lambda: sum(one.check_count for one in fleet.machines) == 12)
            for slot in range(6):
                await fleet.shows(HEALTHY, slot=slot)
            fleet.down_for("ABCD")
            fleet.probe()
            for slot in range(6):
                await fleet.shows(UNHEALTHY, slot=slot)
            # Whoever is lost is replaced.
            hub.cut("D")
            await until(lambda: sum(fleet[name].check_count for name in "ABC") == 12)

    asyncio.run(main())


def test_a_heartbeat_like_the_one_before_is_not_read_again(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "12")
        async with fleet.running():
            await fleet.shows(HEALTHY)
            talk = fleet["A"].part._talk
            await until(lambda: talk._beats["B"][1].sequence > 0)  # it has told what it saw, and sees nothing else
            heard = talk._beats["B"][1]
            begun_s = fleet["A"].part._observer.hearing.last_s("B")
            await until(lambda: fleet["A"].part._observer.hearing.last_s("B") != begun_s)
            assert talk._beats["B"][1] is heard, "it says what it said, and counts as a sign of life"
            talk._take("obs.B", b"\x01\x00\x00\x00", "")
            assert talk._beats["B"][1] is heard, "what cannot be read is none"

    asyncio.run(main())
