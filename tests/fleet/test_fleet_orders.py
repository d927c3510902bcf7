"""What travels between monitor workers beside observations: orders, names, round-trip times; and who tells people."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lbdns.fleet.observing.observer import HEARTBEAT_S
from lbdns.health import forced
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, UNHEALTHY
from lbdns.mapped.columns import REGION_COUNT
from lbdns.monitor.joined import fleet_part
from lbdns.monitor.joined.fleet_part import TELLING_S
from lbdns.monitor.notify.receiver import GATHER_S
from lbdns.places.regions import REGION_CODES
from tests.fleet.health_bus import PlayedHub
from tests.fleet.worker_fleet import Fleet, Machine
from tests.monitor.receivers import Hook
from tests.monitor.stage import Stage, adopted, until

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> PlayedHub:
    found = PlayedHub()
    monkeypatch.setattr(fleet_part, "nats_bus", found.connect)
    return found


def _force(machine: Machine, pattern: str, state: str) -> None:
    """Do what the supervisor does for `lbdns force`."""
    stage = machine.stage
    forced.order(stage.path, [("p", ""), ("p", "e0"), ("p", "e1")], pattern, state, time.time(), why="tests")
    stage.control.set("forced_version", stage.control.get("forced_version") + 1)


def test_orders_are_given_anywhere_cut_off_too_and_heal(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running(2):
            await fleet.shows(HEALTHY)
            await fleet.shows(HEALTHY, slot=1)
            _force(fleet["B"], "p/e0", "down")
            await fleet.shows(UNHEALTHY | COUNTS)
            (order,) = forced.load(fleet["A"].stage.path)
            assert (order.pattern, order.machine, order.why) == ("p/e0", "B", "tests")
            hub.cut("C")
            await until(lambda: fleet["C"].hearing.cut_off_since_s is not None)
            _force(fleet["C"], "p/e1", "down")
            _force(fleet["A"], "p/e0", "auto")
            await fleet.shows(UNHEALTHY | COUNTS, "C", slot=1)
            await fleet.shows(HEALTHY, "AB")
            assert fleet["C"].state(0) & STATE_MASK == UNHEALTHY
            hub.heal()
            await fleet.shows(HEALTHY)
            await fleet.shows(UNHEALTHY | COUNTS, slot=1)
            for one in fleet.machines:
                assert [each.pattern for each in forced.load(one.stage.path)] == ["p/e1"]
            # What was taken back stays so, over a restart of who gave it.
            await fleet["B"].stop()
            await fleet["B"].start()
            await fleet.all_heard()
            await asyncio.sleep(1.2)
            assert fleet["A"].state(0) == fleet["B"].state(0) == HEALTHY

    asyncio.run(main())


def test_a_renamed_pool_changes_no_answer_meanwhile(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            fleet.down_for("A")
            fleet.probe()
            await fleet.shows(HEALTHY)
            await until(lambda: fleet["A"].part._observer._up == 0)
            flips = []
            for one in fleet.machines:
                renamed = fleet.pool("q")
                renamed["endpoints"][0]["identity"] = None
                one.publish(renamed)
                # The same endpoint under another name, as the supervisor's slots say.
                path = one.stage.path / f"targets-{one.stage.control.generation}.json"
                document = json.loads(path.read_text())
                first = json.loads((one.stage.path / "targets-1.json").read_text())
                document["pools"][0]["endpoints"][0]["identity"] = first["pools"][0]["endpoints"][0]["identity"]
                path.write_text(json.dumps(document))
                await adopted(one.stage, one.stage.control.generation)
                flips += [each.state() for each in fleet.machines]
            for _ in range(40):
                await asyncio.sleep(0.02)
                flips += [each.state() for each in fleet.machines]
            assert set(flips) == {HEALTHY}
            fleet.down_for("AB")
            fleet["B"].probe()
            await fleet.shows(UNHEALTHY)

    asyncio.run(main())


def test_round_trip_times_of_other_regions_reach_the_table(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "12")
        for machine, region in zip(fleet.machines, ("WEU", "ENAM"), strict=True):
            machine.region = region
        async with fleet.running():
            await fleet.shows(HEALTHY)
            columns = [REGION_CODES.index("WEU"), REGION_CODES.index("ENAM")]
            for one in fleet.machines:
                rtt = one.stage["pool_rtt"]
                await until(lambda rtt=rtt: all(rtt[at] > 0 for at in columns))  # type: ignore[misc]
                assert sum(rtt[at] > 0 for at in range(REGION_COUNT)) == 2

    asyncio.run(main())


def test_people_are_told_by_one_machine_and_by_the_next_where_that_is_lost(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with Hook().running() as hook, fleet.running():
            for one in fleet.machines:
                one.publish(fleet.pool(), notifications=[hook.settings(pools=["p"])])
                await adopted(one.stage, 2)
            fleet.down_for("ABC")
            fleet.probe()
            await fleet.shows(UNHEALTHY)
            await asyncio.sleep(TELLING_S + HEARTBEAT_S)
            told = [one["data"]["new_health"] for one in hook.documents]
            assert told == ["unhealthy", "critical"], "of the endpoint and of its pool, by A"
            await fleet["A"].stop()
            fleet.down_for("")
            fleet.probe()
            await fleet.shows(HEALTHY, "BC")
            await until(lambda: len(hook.documents) >= 4)
            # B and C would have told by now that it was unhealthy, had A not been heard after that.
            await asyncio.sleep(GATHER_S + 1)
            told = [one["data"]["new_health"] for one in hook.documents]
            healed = ["healthy", "healthy"]
            assert told == ["unhealthy", "critical", *healed], "by B what A had not told; C said nothing of its own"

    asyncio.run(main())


def test_who_leaves_is_forgotten_at_once_and_goes_on_alone(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running():
            await fleet.shows(HEALTHY)
            one = fleet["C"]
            one.publish(fleet.pool(), fleet=None)
            await adopted(one.stage, 2)
            await until(lambda: fleet["A"].hearing.known == ("B",))
            assert one.state() == HEALTHY
            fleet.down_for("C")
            one.probe()
            await fleet.shows(UNHEALTHY, "C")
            assert one.running is not None
            assert one.running.worker._fleet is None
            one.publish(fleet.pool())
            await adopted(one.stage, 3)
            await fleet.all_heard()
            await fleet.shows(HEALTHY)

    asyncio.run(main())


def test_verdicts_outlive_a_boot_in_isolation(tmp_path: Path, hub: PlayedHub) -> None:
    async def main() -> None:
        fleet = Fleet(tmp_path, "123")
        async with fleet.running(2):
            fleet.down_for("ABC", 1)
            fleet.probe()
            await fleet.shows(HEALTHY)
            await fleet.shows(UNHEALTHY, slot=1)
            await fleet["A"].stop()
            hub.cut("A")
            for column in ("endpoint_state", "endpoint_measured", "pool_state"):  # shared memory is lost
                fleet["A"].stage[column][0] = 0
                fleet["A"].stage[column][1] = 0
            fleet.down_for("A")
            await fleet["A"].start()
            await until(lambda: fleet["A"].state() == HEALTHY)
            assert fleet["A"].state(1) == UNHEALTHY
            await asyncio.sleep(1.0)
            assert fleet["A"].state() == HEALTHY, "its own isolation takes nothing down"

    asyncio.run(main())


@pytest.mark.process
def test_without_a_fleet_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    code = """if 1:
    import asyncio, sys
    from pathlib import Path
    sys.path.insert(0, ".")
    from tests.monitor.documents import endpoint, pool
    from tests.monitor.stage import Stage, until
    import lbdns.processes.supervisor.supervisor, lbdns.monitor.worker, lbdns.telemetry.report
    async def main():
        stage = Stage(Path(sys.argv[1]))
        stage.publish(pool("p", endpoint("e", port=1)))
        async with stage.running():
            await until(lambda: stage["endpoint_checks"][0] > 0)
        lines = (Path(sys.argv[1]) / "events.jsonl").read_text()
        assert '"kind": "endpoint"' in lines and "machine" not in lines, lines
        assert not (Path(sys.argv[1]) / "fleet").exists()
        found = [name for name in sys.modules if name == "nats" or name.startswith(("nats.", "lbdns.monitor.joined"))]
        found += [name for name in sys.modules if name.startswith("lbdns.fleet.observing")]
        assert not found, found
    asyncio.run(main())
    """
    Stage(tmp_path).control.close()
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
