"""A day of simulated time with random faults: no state ever differs from a naive oracle's. Replayable by its seed.

The oracle knows nothing of streaks, counters or table columns. It keeps every probe's outcome in lists, and looks back
over them for each verdict, in the specification's words.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.events import HealthChange
from lbdns.health.reasons import Reason
from lbdns.health.verdict import ENDPOINT_WORDS, POOL_WORDS
from lbdns.mapped.health_table import HealthTable
from lbdns.model.monitors import Monitor
from lbdns.monitor import probe_check as checks
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.schedule import Scheduler
from tests.monitor import documents, virtual
from tests.monitor.documents import parse_targets

pytestmark = pytest.mark.slow

DAY_S = 24 * 3600.0
GOOD = Result(True, Reason.NO_FAILURES, 200, 1000)
WRONG = Result(False, Reason.CODE_MISMATCH, 500)
SILENT = Result(False, Reason.HTTP_TIMEOUT)

MONITORS: dict[str, dict[str, Any]] = {
    "web": {"type": "http", "interval": 60, "timeout": 5, "retries": 2},
    "slow": {
        "type": "http",
        "interval": 120,
        "path": "/slow",
        "timeout": 3,
        "consecutive_up": 3,
        "consecutive_down": 2,
    },
    "login": {"type": "http", "interval": 90, "path": "/login", "retries": 0, "consecutive_down": 3},
    "off": {"type": "http", "interval": 60, "path": "/off"},
}
GROUP = {
    "members": [
        {"monitor": "web", "must_be_healthy": True},
        {"monitor": "slow"},
        {"monitor": "login"},
        {"monitor": "off", "enabled": False},
    ]
}


@dataclass
class World:
    """What each (path, address) does to a probe, changing at random moments of the day."""

    faults: dict[tuple[str, str], list[tuple[float, Result]]] = field(default_factory=dict)

    def now(self, key: tuple[str, str], at_s: float) -> Result:
        return [result for since_s, result in self.faults[key] if since_s <= at_s][-1]


def random_faults(draw: random.Random) -> list[tuple[float, Result]]:
    at_s, changes = 0.0, [(0.0, draw.choice([GOOD, GOOD, WRONG]))]
    while at_s < DAY_S:
        at_s += draw.expovariate(1 / draw.choice([30.0, 600.0, 7200.0]))
        changes.append((at_s, draw.choice([GOOD, GOOD, WRONG, SILENT])))
    return changes


@dataclass
class Oracle:
    """Every attempt ever made, and what follows from them."""

    attempts: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def results(self, monitor: str, address: str) -> list[bool]:
        """Whole checks: a time-out is one only when the retries have timed out too."""
        retries = MONITORS[monitor].get("retries", 2)
        results, silent = [], 0
        for attempt in self.attempts.get((MONITORS[monitor].get("path", "/"), address), []):
            if attempt == "silent":
                silent += 1
                if silent <= retries:
                    continue
            silent = 0
            results.append(attempt == "good")
        return results

    def member(self, monitor: str, address: str) -> str:
        up, down = MONITORS[monitor].get("consecutive_up", 0), MONITORS[monitor].get("consecutive_down", 0)
        state, seen = "unknown", []
        for good in self.results(monitor, address):
            seen.append(good)
            if state == "unknown" or (good and seen[-max(up, 1) :] == [True] * max(up, 1)):
                state = "healthy" if good else "unhealthy"
            elif not good and seen[-max(down, 1) :] == [False] * max(down, 1):
                state = "unhealthy"
        return state

    def grouped(self, address: str) -> str:
        states = {name: self.member(name, address) for name in ("web", "slow", "login")}
        if states["web"] == "unhealthy" or list(states.values()).count("unhealthy") >= 2:
            return "unhealthy"
        if states["web"] == "unknown" or sum(state != "healthy" for state in states.values()) >= 2:
            return "unknown"
        return "healthy"


def pool_word(states: list[str], minimum: int) -> str:
    up = states.count("healthy")
    if up >= minimum:
        return "healthy" if up == len(states) else "degraded"
    return "unknown" if up + states.count("unknown") >= minimum else "critical"


@pytest.mark.parametrize("seed", [1, 2026])
def test_a_day_of_faults(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)
    world, oracle = World(), Oracle()

    class Faulty:
        def __init__(self, monitor: Monitor) -> None:
            self.path = monitor.path

        async def run(self, target: Target, deadline_s: float) -> Result:
            loop = asyncio.get_running_loop()
            result = world.now((self.path, target.address), loop.time())
            await asyncio.sleep(deadline_s - loop.time() if result is SILENT else 0.01)
            word = "good" if result.healthy else "silent" if result is SILENT else "wrong"
            oracle.attempts.setdefault((self.path, target.address), []).append(word)
            return result

    monkeypatch.setattr(checks, "probe_of", Faulty)
    addresses = [f"127.0.1.{number}" for number in range(6)]
    for address in addresses:
        for path in ("/", "/slow", "/login"):
            world.faults[path, address] = random_faults(draw)
    table = HealthTable.create(tmp_path / "t", 16, 4, 1)
    targets = parse_targets(
        documents.document(
            table.path,
            documents.pool("plain", *(documents.endpoint(a, a) for a in addresses[:3]), minimum_origins=2),
            documents.pool("damped", *(documents.endpoint(a, a) for a in addresses[2:4]), monitor="slow"),
            documents.pool(
                "grouped", *(documents.endpoint(a, a) for a in addresses[3:]), monitor=None, monitor_group="g"
            ),
            monitors=MONITORS,
            monitor_groups={"g": GROUP},
            load_balancers=[{"name": "www", "pools": ["plain", "grouped"], "fallback": "damped"}],
        )
    )
    changes: list[HealthChange] = []
    compared = 0

    async def day() -> None:
        nonlocal compared
        loop = asyncio.get_running_loop()
        ledger = Ledger(table, loop.time, changes.append)
        scheduler = Scheduler(seed=seed)
        plan = ProbePlan(ledger, scheduler, lambda vantage, cut_off: None)
        ledger.adopt(targets.pools, targets.balancers, table)
        plan.adopt(targets, lambda name: ())
        while loop.time() < DAY_S:
            await asyncio.sleep(draw.uniform(1, 1200))
            compared += compare(ledger)
        await scheduler.close()

    def compare(ledger: Ledger) -> int:
        columns = table.columns
        words: dict[str, str] = {}
        for pool in targets.pools:
            states = []
            for endpoint in pool.endpoints:
                monitor = {"plain": "web", "damped": "slow"}.get(pool.name)
                state = oracle.member(monitor, endpoint.address) if monitor else oracle.grouped(endpoint.address)
                assert ENDPOINT_WORDS[columns["endpoint_state"][endpoint.slot]] == state, (pool.name, endpoint.name)
                states.append(state)
            words[pool.name] = pool_word(states, pool.minimum_origins)
            assert POOL_WORDS[columns["pool_state"][pool.slot]] == words[pool.name]
        candidates = [words["plain"], words["grouped"]]
        taking = [word for word in candidates if word in ("healthy", "degraded")]
        expected = "degraded" if "critical" in candidates else "healthy"
        if not taking:
            expected = "critical" if "critical" in candidates else "unknown"
        assert ledger.balancers[0].word == expected
        return 1

    virtual.run(day())
    assert compared > 100 and len(changes) > 200
