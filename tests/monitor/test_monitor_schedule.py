"""When probes start, in simulated time: promptly at first, spread out later, bounded, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from lbdns.health.reasons import Reason
from lbdns.model.monitors import Monitor
from lbdns.model.targets_document import Vantage
from lbdns.monitor import schedule
from lbdns.monitor.probe_check import Check, CheckKey
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.schedule import Scheduler
from tests.monitor import virtual

GOOD = Result(True, Reason.NO_FAILURES)
SILENT = Result(False, Reason.TCP_TIMEOUT)


@dataclass
class World:
    """Probes that answer at once, or never, and note when they began."""

    silent: set[str] = field(default_factory=set)
    answers_after_s: float = 0.0
    starts: dict[str, list[float]] = field(default_factory=dict)
    results: list[tuple[str, Result]] = field(default_factory=list)
    at_a_time: int = 0
    most_at_a_time: int = 0

    async def run(self, target: Target, deadline_s: float) -> Result:
        loop = asyncio.get_running_loop()
        self.starts.setdefault(target.address, []).append(loop.time())
        self.at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
        try:
            silent = target.address in self.silent
            await asyncio.sleep(deadline_s - loop.time() if silent else self.answers_after_s)
            return SILENT if silent else GOOD
        finally:
            self.at_a_time -= 1

    def take(self, check: Check, result: Result, started_s: float) -> None:
        self.results.append((check.target.address, result))

    def check(self, address: str, interval: int = 10, timeout: int = 2, retries: int = 0) -> Check:
        monitor = Monitor(type="tcp", port=1, interval=interval, timeout=timeout, retries=retries)
        check = Check(CheckKey((), Target(address, 1), Vantage()), monitor, self)
        check.probe = self
        return check


def test_first_probes_start_at_once_and_later_ones_spread_over_the_interval() -> None:
    world = World()

    async def main() -> None:
        scheduler = Scheduler(seed=7)
        for number in range(500):
            scheduler.add(world.check(str(number)))
        await asyncio.sleep(100)
        await scheduler.close()
        assert scheduler.late == 0

    virtual.run(main())
    assert all(starts[0] == 0.0 for starts in world.starts.values())
    for starts in world.starts.values():
        gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
        assert 0.0 <= gaps[0] <= 10.0 and all(9.5 <= gap <= 10.0 for gap in gaps[1:])
    by_second = [0] * 10
    for starts in world.starts.values():
        by_second[int(starts[1])] += 1
    assert min(by_second) > 25, by_second
    assert max(by_second) < 80, by_second


def test_a_timeout_alone_is_retried_and_at_once() -> None:
    world = World(silent={"silent"})

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        scheduler.add(world.check("silent", retries=2))
        scheduler.add(world.check("good", retries=2))
        await asyncio.sleep(5.9)
        assert world.starts["silent"] == [0.0, 2.0, 4.0]
        assert not [result for address, result in world.results if address == "silent"]
        await asyncio.sleep(0.2)
        assert ("silent", SILENT) in world.results
        await scheduler.close()

    virtual.run(main())
    assert world.starts["good"][0] == 0.0 and all(start == 0.0 or start > 0.1 for start in world.starts["good"])


def test_probes_in_flight_are_bounded_and_all_get_their_turn() -> None:
    world = World(answers_after_s=0.5)

    async def main() -> None:
        scheduler = Scheduler(in_flight_max=10, seed=1)
        for number in range(100):
            scheduler.add(world.check(str(number), interval=60))
        await asyncio.sleep(5.2)
        assert len(world.results) == 100
        await scheduler.close()

    virtual.run(main())
    assert world.most_at_a_time == 10


def test_silent_endpoints_hold_up_nobody_else() -> None:
    """Silent ones want far more probes in flight than allowed; the others' begin in time all the same."""
    silent = {f"silent{number}" for number in range(100)}
    world = World(silent=silent)

    async def main() -> None:
        scheduler = Scheduler(in_flight_max=20, seed=3)
        for name in sorted(silent):
            scheduler.add(world.check(name, timeout=4))
        await asyncio.sleep(30)
        for number in range(100):
            scheduler.add(world.check(f"good{number}"))
        await asyncio.sleep(100)
        await scheduler.close()

    virtual.run(main())
    for name, starts in world.starts.items():
        if name not in silent:
            gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
            assert starts[0] == 30.0 and max(gaps) < 10.0 + schedule.LATE_S
    assert all(len(world.starts[name]) > 1 for name in silent)


def test_a_removed_check_is_broken_off_and_probed_no_more() -> None:
    world = World(silent={"a"})

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        check, other = world.check("a"), world.check("b")
        scheduler.add(check)
        scheduler.add(other)
        await asyncio.sleep(1)
        scheduler.remove(check)
        scheduler.remove(other)
        await asyncio.sleep(100)
        assert scheduler.in_flight == 0
        await scheduler.close()

    virtual.run(main())
    assert world.starts["a"] == [0.0] and all(address == "b" for address, _ in world.results)


async def on_the_point_of_beginning(check: Check) -> None:
    """Wait until a check's task is made and has not taken its first step."""
    for _ in range(2):
        await asyncio.sleep(0)
    assert check.task is not None


@pytest.mark.parametrize("ends_it", ["break_off", "remove"])
def test_one_that_is_broken_off_before_it_begins_is_done_with(ends_it: str) -> None:
    world = World()

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        check = world.check("early")
        scheduler.add(check)
        await on_the_point_of_beginning(check)
        getattr(scheduler, ends_it)(check)
        await asyncio.sleep(25)
        assert (scheduler.in_flight, check.task) == (0, None)
        await scheduler.close()

    virtual.run(main())
    assert len(world.starts.get("early", ())) == (3 if ends_it == "break_off" else 0)


def test_one_that_has_only_just_begun_is_not_overdue() -> None:
    world = World()

    async def main() -> None:
        await asyncio.sleep(1000)
        scheduler = Scheduler(seed=1)
        check = world.check("fresh")
        scheduler.add(check)
        await on_the_point_of_beginning(check)
        scheduler.end_overdue()
        await asyncio.sleep(1)
        await scheduler.close()

    virtual.run(main())
    assert world.results == [("fresh", GOOD)]


def test_a_hurried_check_is_probed_now_and_once() -> None:
    world = World()

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        check = world.check("a", interval=60)
        scheduler.add(check)
        await asyncio.sleep(100)
        before = len(world.starts["a"])
        scheduler.hurry(check)
        scheduler.hurry(check)
        await asyncio.sleep(1)
        assert len(world.starts["a"]) == before + 1 and world.starts["a"][-1] == 100.0
        await asyncio.sleep(60)
        assert len(world.starts["a"]) == before + 2
        await scheduler.close()

    virtual.run(main())


@pytest.mark.slow
def test_adding_and_removing_for_ever_does_not_grow() -> None:
    async def main() -> None:
        world = World()
        scheduler = Scheduler(seed=1)
        for number in range(5000):
            check = world.check(str(number % 10), interval=3600)
            scheduler.add(check)
            await asyncio.sleep(0.1)
            scheduler.remove(check)
        assert len(scheduler._heap) <= 2 * schedule.HEAP_WASTE + 2
        await scheduler.close()

    virtual.run(main())


def test_a_probe_that_raises_is_a_failure_and_ends_nothing() -> None:
    world = World()

    class Broken:
        async def run(self, target: Target, deadline_s: float) -> Result:
            raise RuntimeError("oh")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        scheduler = Scheduler(seed=1)
        check = world.check("a")
        check.probe = Broken()
        scheduler.add(check)
        await asyncio.sleep(50)
        await scheduler.close()

    virtual.run(main())
    assert len(world.results) > 4 and {result.reason for _, result in world.results} == {Reason.OTHER}


def test_a_probe_that_never_ends_is_broken_off_and_fails() -> None:
    world = World(answers_after_s=1e6)

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        scheduler.add(world.check("endless", interval=60, timeout=2, retries=1))
        for _ in range(9):
            await asyncio.sleep(1)
            scheduler.end_overdue()
        assert world.at_a_time == 1 and not world.results
        await asyncio.sleep(1)
        scheduler.end_overdue()
        await asyncio.sleep(0)
        assert world.at_a_time == 0 and scheduler.in_flight == 0
        await asyncio.sleep(70)
        assert len(world.starts["endless"]) == 2
        await scheduler.close()

    virtual.run(main())
    ((address, result),) = world.results
    assert address == "endless" and result.reason is Reason.CONFIG_ERROR
    assert result.detail == "the probe of endless port 1 hung"


def test_a_scheduler_whose_turn_does_not_come_is_stalled() -> None:
    world = World()

    async def main() -> None:
        scheduler = Scheduler(seed=1)
        scheduler.add(world.check("good"))
        await asyncio.sleep(30)
        assert not scheduler.is_stalled()
        assert scheduler._timer is not None
        scheduler._timer.cancel()  # as after a fault in it
        await asyncio.sleep(30)
        assert scheduler.is_stalled()
        await scheduler.close()

    virtual.run(main())
