"""A fleet in virtual time whose machines have all of the monitor worker between probes and verdicts: Scheduler,
ProbePlan with its gates, Ledger, FleetPart, BusTalk with octets on the bus, and what they keep on disk.

Probes find what is true; nothing is left out. The oracle is that of the other simulations. A machine is killed with its
files as they are at that moment.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lbdns.health.events import HealthChange
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.mapped.health_table import HealthTable
from lbdns.model.targets_document import Vantage
from lbdns.monitor import probe_check
from lbdns.monitor.joined.fleet_part import FleetPart
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probe_plan import ProbePlan
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.schedule import Scheduler
from tests.fleet.simulation.endpoint_world import SILENT, EndpointWorld
from tests.fleet.simulation.fault_player import FaultPlayer
from tests.fleet.simulation.fault_schedule import HUB, Fault
from tests.fleet.simulation.simulated_bus import SimulatedBus, SimulatedHub
from tests.fleet.simulation.simulated_fleet import AUDIT_EVERY_S, NEWS_S, SKEW_MAX_S, PublishedWhen, Shape
from tests.fleet.simulation.stepped_threads import Lifetime, SteppedLoop
from tests.fleet.simulation.verdict_oracle import ALL_PROBERS, Life, VerdictOracle
from tests.fleet.simulation.virtual_clocks import EPOCH_S
from tests.fleet.simulation.virtual_loop import LoopTime, run
from tests.fleet.simulation.virtual_network import VirtualNetwork
from tests.monitor import documents

if TYPE_CHECKING:
    import pytest

PORT: Final = 443
STATES: Final = {"unknown": UNKNOWN, "healthy": HEALTHY, "unhealthy": UNHEALTHY}


class JoinedMachine:
    """One machine; its vantage point's source address says whose a probe is."""

    def __init__(self, name: str, region: str, number: int, fleet: JoinedFleet, work: Path) -> None:
        self.name, self.region, self.source = name, region, f"127.0.9.{number + 1}"
        self.skew_s = fleet.chance.uniform(-SKEW_MAX_S, SKEW_MAX_S)
        self._fleet = fleet
        self._work = work / name
        self._seed = number
        self._life_count = 0
        self._life: Lifetime | None = None
        self._directory.mkdir(parents=True)

    @property
    def _directory(self) -> Path:
        return self._work / str(self._life_count)

    def start(self) -> None:
        """Start with what lies in its directory."""
        life = self._life = Lifetime()
        life.begin(self._run(life))

    def kill(self) -> None:
        """End it, wherever it stands."""
        life, self._life = self._life, None
        if life is not None:
            before = self._directory
            self._life_count += 1
            shutil.copytree(before, self._directory)
            life.end()

    def _wall_s(self) -> float:
        return EPOCH_S + self._fleet.time.now_s + self.skew_s

    async def _run(self, life: Lifetime) -> None:
        """Do what the monitor worker does for its fleet."""
        fleet, directory = self._fleet, self._directory
        parts: list[FleetPart] = []
        shape = fleet.shape
        table = HealthTable.create(directory / "table", shape.endpoint_count, shape.endpoint_count, 1)
        targets = documents.parse_targets(fleet.document(self, table.path))
        assert targets.fleet is not None

        def report(change: HealthChange) -> None:
            if change.kind == "endpoint" and not life.is_over:
                fleet.published(self.name, change.name, STATES[change.after])

        def tell(vantage: Vantage, is_cut_off: bool) -> None:
            for part in parts:
                part.doubt(vantage, is_cut_off)

        ledger = Ledger(table, self._wall_s, report)
        scheduler = Scheduler(seed=self._seed)
        plan = ProbePlan(ledger, scheduler, tell)
        bus = SimulatedBus(self.name, fleet.time, fleet.network, fleet.hub)
        part = FleetPart(
            targets, targets.fleet, ledger, plan, report, directory, directory, nothing, self._wall_s, lambda terms: bus
        )
        parts.append(part)
        part.adopt(targets, lambda spec: ())
        ledger.adopt(targets.pools, targets.balancers, table, part.shown_vantages)
        plan.adopt(targets, lambda spec: ())
        part.adopted()
        while True:
            await asyncio.sleep(1.0)
            part.look()


class JoinedFleet:
    """The fleet; what goes wrong is in `wrong`."""

    def __init__(self, shape: Shape, loop: SteppedLoop, work: Path) -> None:
        self.shape = shape
        self.chance = random.Random(f"{shape.seed} joined")
        self.time = LoopTime(loop)
        machines = shape.machines
        self.network = VirtualNetwork(self.time, [*machines, HUB], random.Random(f"{shape.seed} network"), HUB)
        self.world = EndpointWorld(self.time, shape.endpoints, shape.regions)
        self.hub = SimulatedHub(self.time, self.network)
        self.lives = {name: Life(name, region) for name, region in machines.items()}
        terms = shape.terms
        count = ALL_PROBERS if shape.prober_count is None else shape.prober_count
        window_s = terms.settling_s + terms.interval_s + NEWS_S
        self.oracle = VerdictOracle(
            self.time, self.network, self.world, self.lives, window_s, count, False, shape.check_regions
        )
        self.machines = {
            name: JoinedMachine(name, region, number, self, work)
            for number, (name, region) in enumerate(machines.items())
        }
        self.published_all: list[PublishedWhen] = []
        self.wrong: list[str] = []
        self._by_source = {one.source: one for one in self.machines.values()}
        self._endpoint_at = {address_of(number): name for number, name in enumerate(shape.endpoints)}

    def document(self, machine: JoinedMachine, table: Path) -> dict[str, Any]:
        """Return a machine's targets."""
        pools: dict[str, list[dict[str, Any]]] = {}
        for number, name in enumerate(self.shape.endpoints):
            pool, _, endpoint = name.partition("/")
            pools.setdefault(pool, []).append(documents.endpoint(endpoint, address_of(number), PORT))
        terms, asked = self.shape.terms, self.shape.check_regions
        web = {
            "type": "tcp",
            "port": PORT,
            "interval": int(terms.interval_s),
            "timeout": int(terms.timeout_s),
            "retries": 0,
            "consecutive_up": terms.consecutive_up,
            "consecutive_down": terms.consecutive_down,
        }
        return documents.document(
            table,
            *(
                documents.pool(
                    name, *several, **({"check_regions": list(asked[f"{name}/e0"])} if f"{name}/e0" in asked else {})
                )
                for name, several in pools.items()
            ),
            monitors={"web": web},
            vantage_points=[{"name": machine.name, "region": machine.region, "source": machine.source}],
            fleet={
                "access": {"machine": machine.name, "fleet_id": "f00", "urls": []},
                "probe_from": self.shape.prober_count,
            },
        )

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Probe, as the monitor asks."""
        loop = asyncio.get_running_loop()
        prober = self._by_source[target.source]
        found = self.world.found(prober.name, prober.region, self._endpoint_at[target.address], loop.time())
        await asyncio.sleep(deadline_s - loop.time() if found is SILENT else self.shape.terms.rtt_s)
        return found

    def published(self, machine: str, endpoint: str, state: int) -> None:
        """Take a verdict."""
        self.published_all.append(PublishedWhen(self.time.now_s, machine, endpoint, state))
        self._blame(self.oracle.publish(self.lives[machine], endpoint, state))

    def _blame(self, wrong: str) -> None:
        if wrong:
            self.wrong.append(wrong)

    async def live(self, faults: Iterable[Fault], hours: float) -> None:
        """Live through a schedule."""
        for name in self.machines:
            self.start(name)
        FaultPlayer(self.time, self.network, self.world, self).play(faults)
        for _ in range(round(hours * 3600.0 / AUDIT_EVERY_S)):
            await asyncio.sleep(AUDIT_EVERY_S)
            for life in self.lives.values():
                self.oracle.note_one(life)
                if life.runs:
                    self.wrong += self.oracle.audit(life)
        for endpoint in self.shape.endpoints:
            states = {name: life.published.get(endpoint, UNKNOWN) for name, life in self.lives.items()}
            self._blame(f"in the end, {endpoint} is {states}" if len(set(states.values())) > 1 else "")
        for machine in self.machines.values():
            machine.kill()
        await asyncio.sleep(1.0)

    # -- what faults do --

    def before_change(self) -> None:
        """Let the oracle look at what held until now."""
        self.oracle.note(self.lives)
        self.oracle.forget()

    def turn_clock(self, machine: str, by_s: float) -> None:
        """Let a machine's time of day jump."""
        self.machines[machine].skew_s += by_s

    def kill(self, node: str) -> None:
        """Kill a machine, or the hub."""
        if node == HUB:
            self.network.change((HUB,), "cut", 1)
        else:
            self._set_runs(node, False)
            self.machines[node].kill()

    def start(self, node: str) -> None:
        """Start it again."""
        if node == HUB:
            self.network.change((HUB,), "cut", -1)
        else:
            self._set_runs(node, True)
            self.machines[node].start()

    def _set_runs(self, machine: str, runs: bool) -> None:
        life = self.lives[machine]
        life.runs, life.changed_s = runs, self.time.now_s
        life.starts += runs
        self.oracle.forget()

    def write(self, machine: str) -> None:
        """Revisions are not here."""

    def order(self, machine: str, pattern: str, state: str) -> None:
        """Nor orders."""


def nothing() -> None:
    """Do nothing: there are no orders here."""


def address_of(number: int) -> str:
    """Return an endpoint's address."""
    return f"10.0.{number >> 8}.{number & 255}"


def live_joined(
    shape: Shape, faults: Iterable[Fault], hours: float, work: Path, monkeypatch: pytest.MonkeyPatch
) -> JoinedFleet:
    """Let a fleet live through a schedule; returns it as it is then."""

    async def main() -> JoinedFleet:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        fleet = JoinedFleet(shape, loop, work)
        monkeypatch.setattr(probe_check, "probe_of", lambda monitor: fleet)
        await fleet.live(faults, hours)
        return fleet

    for name in ("lbdns.fleet", "lbdns.monitor"):  # they tell as they should, thousands of times
        monkeypatch.setattr(logging.getLogger(name), "level", logging.CRITICAL)
    return run(main(), SteppedLoop)
