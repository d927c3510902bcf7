"""A whole fleet in virtual time: machines, their bus, their endpoints, the oracle that watches, and faults."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lbdns.health.verdict import UNKNOWN
from tests.fleet.simulation.endpoint_world import EndpointWorld
from tests.fleet.simulation.fault_player import FaultPlayer
from tests.fleet.simulation.fault_schedule import HUB, Fault
from tests.fleet.simulation.judge import Published
from tests.fleet.simulation.simulated_machine import MakeJudge, SimulatedMachine
from tests.fleet.simulation.verdict_oracle import ALL_PROBERS, Life, VerdictOracle
from tests.fleet.simulation.virtual_clocks import VirtualClocks
from tests.fleet.simulation.virtual_network import VirtualNetwork
from tests.fleet.simulation.virtual_prober import CheckTerms, VirtualProber
from tests.fleet.simulation.virtual_time import VirtualTime

SKEW_MAX_S: Final = 300.0
AUDIT_EVERY_S: Final = 10.0
NEWS_S: Final = 10.0
"""How long a change of who is there, or of what somebody says, takes at most until everybody who hears it has it."""
WRONG_MAX: Final = 20
TERMS: Final = CheckTerms()
REGIONS: Final = ("WEU", "ENAM", "WNAM", "SEAS", "OC", "NSAM", "EEU", "SAF", "IN", "ME")


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a fleet is and how it is built; `star`: all goes through the hub, `has_check_regions`: every third pool
    is probed from two of the regions alone."""

    machine_count: int = 5
    endpoint_count: int = 24
    region_count: int = 3
    prober_count: int | None = 3
    star: bool = False
    seed: int = 0
    has_check_regions: bool = False
    terms: CheckTerms = TERMS

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions that have machines."""
        return REGIONS[: self.region_count]

    @property
    def machines(self) -> dict[str, str]:
        """Machine -> region."""
        return {f"M{number:04d}": REGIONS[number % self.region_count] for number in range(self.machine_count)}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """POOL/ENDPOINT of each."""
        return tuple(f"pool-{number // 3}/e{number % 3}" for number in range(self.endpoint_count))

    @property
    def check_regions(self) -> dict[str, tuple[str, ...]]:
        """Endpoint -> the regions that its pool is probed from, where these are not all."""
        if not self.has_check_regions or self.region_count < 3:
            return {}
        pools = {name: number // 3 for number, name in enumerate(self.endpoints)}
        regions = self.regions
        return {
            name: tuple(sorted(regions[(pool + step) % len(regions)] for step in (0, 1)))
            for name, pool in pools.items()
            if pool % 3 == 2
        }


class PublishedWhen(NamedTuple):
    """A verdict that a machine published, and when, in the world's seconds."""

    at_s: float
    machine: str
    endpoint: str
    state: int


@dataclass(slots=True)
class Outcome:
    """What a simulation came to."""

    wrong: list[str] = field(default_factory=list)
    order_count: int = 0
    published: list[PublishedWhen] = field(default_factory=list)
    audited_count: int = 0
    event_count: int = 0
    beat_count: int = 0
    message_count: int = 0
    left_out_s: float = 0.0

    @property
    def published_count(self) -> int:
        """How many verdicts were published."""
        return len(self.published)


class SimulatedFleet:
    """One fleet; `judges`: the machines whose verdicts are made and watched (all of them where it is None)."""

    def __init__(self, shape: Shape, make_judge: MakeJudge, judges: Sequence[str] | None = None) -> None:
        self.shape = shape
        self.outcome = Outcome()
        window_s = shape.terms.settling_s + shape.terms.interval_s + NEWS_S
        self.time = VirtualTime(quiet_s=window_s + AUDIT_EVERY_S)
        chance = random.Random(f"{shape.seed} fleet")
        names = shape.machines
        hub = HUB if shape.star else None
        self.network = VirtualNetwork(self.time, [*names, HUB], random.Random(f"{shape.seed} network"), hub)
        self.world = EndpointWorld(self.time, shape.endpoints, shape.regions)
        self.lives = {name: Life(name, region) for name, region in names.items()}
        count = ALL_PROBERS if shape.prober_count is None else shape.prober_count
        self.oracle = VerdictOracle(
            self.time, self.network, self.world, self.lives, window_s, count, judges is not None, shape.check_regions
        )
        self.machines: dict[str, SimulatedMachine] = {}
        self.judges = list(names) if judges is None else list(judges)
        hearers: list[SimulatedMachine] = []
        for name, region in names.items():
            rate, skew_s = 1.0 + chance.uniform(-1e-4, 1e-4), chance.uniform(-SKEW_MAX_S, SKEW_MAX_S)
            clocks = VirtualClocks(self.time, rate, skew_s)
            prober = VirtualProber(self.time, self.world, name, region, shape.terms)
            self.machines[name] = SimulatedMachine(
                name, self.time, self.network, clocks, prober, make_judge, self.machines, hearers, self.published
            )
        hearers += [self.machines[name] for name in self.judges]
        self._replaced: set[str] = set()
        self._player = FaultPlayer(self.time, self.network, self.world, self)
        self.world.on_endpoint = self._endpoint_changed
        self.world.on_machine = lambda machine: self.machines[machine].prober.all_changed()

    def run(self, faults: Iterable[Fault], hours: float) -> Outcome:
        """Let it live through a schedule; returns what it came to."""
        for name in self.machines:
            self.start(name)
        self._player.play(faults)
        self.time.repeat_at(AUDIT_EVERY_S, self._audit)
        self.time.run(hours * 3600.0)
        self._end()
        self.outcome.event_count = self.time.event_count
        self.outcome.message_count = self.network.sent_count
        self.outcome.left_out_s = self.time.left_out_s
        return self.outcome

    def _end(self) -> None:
        """Hold what must be so when all has healed: everybody runs, and has the same verdicts and orders."""
        judged = [self.machines[name] for name in self.judges]
        for endpoint in self.shape.endpoints:
            states = {one.name: self.lives[one.name].published.get(endpoint, UNKNOWN) for one in judged}
            if len(set(states.values())) > 1:
                self._blame(f"in the end, {endpoint} is {states}")
        orders = {one.name: one.judge.orders() for one in judged if one.judge is not None}
        if any(one != orders[judged[0].name] for one in orders.values()):
            self._blame(f"in the end, orders differ: {orders}")
        for why in self._replaced & set(orders[judged[0].name].values()):
            self._blame(f"in the end, {why} is there, which an operator had replaced")

    def _endpoint_changed(self, endpoint: str, region: str) -> None:
        for life in self.lives.values():
            if life.region == region:
                self.machines[life.name].prober.changed(endpoint)

    # -- what faults do --

    def before_change(self) -> None:
        """Let the oracle look at what held until now."""
        self.oracle.note(self.judges)
        self.oracle.forget()

    def turn_clock(self, machine: str, by_s: float) -> None:
        """Let a machine's time of day jump."""
        self.machines[machine].clocks.skew_s += by_s

    def kill(self, node: str) -> None:
        """Kill a machine's processes, or the hub's."""
        if node == HUB:
            self.network.change((HUB,), "cut", 1)
            return
        self._set_runs(node, False)
        self.machines[node].kill()

    def start(self, node: str) -> None:
        """Start them again."""
        if node == HUB:
            self.network.change((HUB,), "cut", -1)
            return
        self._set_runs(node, True)
        self.machines[node].start()

    def _set_runs(self, machine: str, runs: bool) -> None:
        life = self.lives[machine]
        life.runs, life.changed_s = runs, self.time.now_s
        life.starts += runs
        self.oracle.forget()

    def write(self, machine: str) -> None:
        """Ask a machine for a change of the configuration."""

    def order(self, machine: str, pattern: str, state: str) -> None:
        """Force a state at a machine: what its operator saw there and sees no more, his order replaced."""
        there = self.machines[machine]
        if there.judge is None:
            return
        before = set(there.judge.orders().values())
        self.outcome.order_count += 1
        why = f"order {self.outcome.order_count}"
        there.order(pattern, state, why)
        after = set(there.judge.orders().values())
        self._replaced |= before - after
        if state != "auto" and why not in after:
            self._blame(f"{self.time.elapsed_s:.3f} s: {machine} does not follow {why}, which was given there")

    # -- what the oracles hear --

    def published(self, machine: str, verdict: Published) -> None:
        """Take a verdict that a machine published."""
        self.time.stir()
        self.outcome.published.append(PublishedWhen(self.time.elapsed_s, machine, verdict.endpoint, verdict.state))
        self._blame(self.oracle.publish(self.lives[machine], verdict.endpoint, verdict.state))

    def _audit(self) -> None:
        for name in self.judges:
            life = self.lives[name]
            self.oracle.note_one(life)
            if not life.runs:
                continue
            self.outcome.audited_count += self.shape.endpoint_count
            for wrong in self.oracle.audit(life):
                self._blame(wrong)
        self.time.repeat_at(self.time.now_s + AUDIT_EVERY_S, self._audit)

    def _blame(self, wrong: str) -> None:
        if wrong and len(self.outcome.wrong) < WRONG_MAX:
            self.outcome.wrong.append(wrong)
