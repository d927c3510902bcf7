"""A large fleet of which some machines judge, drawn by the seed, and all others probe and tell.

Whoever judges runs the whole of the product's code and hears everybody. The others run the half of it that tells
(`Observer.see`, its messages, sequences and digests); who probes what is worked out for all of them at once. Heartbeats
that say nothing new are handed over together, once a second.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from typing import Any, Final

import numpy as np

from lbdns.fleet.observing.health_news import HealthNews
from lbdns.fleet.observing.observation import Observation
from lbdns.fleet.observing.observer import NEWS_S, ORDERS, Observer
from lbdns.fleet.observing.sharing_out import SharingOut, place_hash
from tests.fleet.simulation.judge import EVERYBODY, Published, Sent
from tests.fleet.simulation.observer_judge import Catalogue, ObserverJudge
from tests.fleet.simulation.simulated_fleet import Shape, SimulatedFleet
from tests.fleet.simulation.virtual_prober import ProbedSeries

BEAT_S: Final = 1.0
LAG_S: Final = 0.5
NOBODY_LEFT: Final = "a machine that only tells is not asked for anything else"


def placement(shape: Shape, catalogue: Catalogue) -> dict[str, set[str]]:
    """Return machine -> the endpoints that it probes, all machines alive: what `SharingOut` says, for all at once."""
    found: dict[str, set[str]] = {name: set() for name in shape.machines}
    checks = np.array([catalogue.hash_of[name] for name in shape.endpoints], dtype=np.uint64)
    for region in shape.regions:
        there = [name for name, where in shape.machines.items() if where == region]
        hashes = np.array([place_hash(name) for name in there], dtype=np.uint64)
        with np.errstate(over="ignore"):
            mixed = (checks[:, None] ^ hashes[None, :]) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(32)
        count = len(there) if shape.prober_count is None else min(shape.prober_count, len(there))
        first = np.argpartition(mixed, count - 1, axis=1)[:, :count]
        for row, endpoint in zip(first, shape.endpoints, strict=True):
            if region not in catalogue.check_regions.get(endpoint, shape.regions):
                continue
            for column in row:
                found[there[column]].add(endpoint)
        _check(shape, catalogue, region, there, found)
    return found


def _check(shape: Shape, catalogue: Catalogue, region: str, there: list[str], found: dict[str, set[str]]) -> None:
    """Hold a machine's part against the product's word."""
    name = there[0]
    sharing = SharingOut(shape.prober_count)
    sharing.adopt([(name, region)], [(one, region) for one in there[1:]])
    for endpoint in [one for one in shape.endpoints[:200] if one not in catalogue.check_regions]:
        chosen = sharing.chosen(catalogue.hash_of[endpoint], [(name, region)])
        assert bool(chosen) == (endpoint in found[name]), f"{name} and {endpoint}"


class HeartbeatsTold:
    """The heartbeat of each machine that only tells: its last message, without what that told."""

    def __init__(self, machine_count: int) -> None:
        self._machine_count = machine_count
        self._beats: dict[str, HealthNews] = {}
        self._told: dict[str, HealthNews] = {}

    def note(self, news: HealthNews) -> None:
        """Take a machine's message."""
        self._told[news.machine] = news

    def forget(self, machine: str) -> None:
        """Take it that a machine runs no longer."""
        self._told.pop(machine, None)
        self._beats.pop(machine, None)

    def of(self, machines: Collection[str]) -> list[HealthNews]:
        """Return those of some machines."""
        for machine, news in self._told.items():
            self._beats[machine] = news.with_entries(()) if news.entries else news
        self._told.clear()
        if len(machines) == self._machine_count:
            return list(self._beats.values())
        return [self._beats[machine] for machine in machines if machine in self._beats]


class TellingJudge:
    """A machine that probes and tells, and judges nothing."""

    is_cut_off = False

    def __init__(
        self,
        machine: str,
        region: str,
        catalogue: Catalogue,
        checks: set[str],
        disk: object,
        now_s: float,
        wall_s: float,
        beats: HeartbeatsTold,
    ) -> None:
        self._vantage = machine
        self._catalogue = catalogue
        self.checks: Iterable[str] = checks
        self._epoch = disk + 1 if isinstance(disk, int) else 1
        self._observer = Observer(machine, [(machine, region)], None, self._epoch, now_s, wall_s)
        self.next_due_s = now_s
        self._beats = beats
        self._sent: list[Sent] = []

    def tick(self, now_s: float, wall_s: float) -> None:
        """Tell what is new."""
        self.next_due_s = float("inf")
        self._observer.tick(now_s, wall_s)
        for news in self._observer.drain().messages:
            assert isinstance(news, HealthNews), NOBODY_LEFT
            if news.entries:
                self._sent.append(Sent(EVERYBODY, "obs", news))
            self._beats.note(news)

    def take(self, sender: str, subject: str, data: Any, now_s: float, wall_s: float) -> None:
        """Answer a question."""
        if subject == "ask whole":
            self._sent.append(Sent(sender, "whole", self._observer.whole()))
        elif subject == f"ask {ORDERS}":
            self._sent.append(Sent(sender, "orders", self._observer.all_orders(wall_s)))

    def result(self, series: ProbedSeries, passed: bool, now_s: float, wall_s: float) -> None:
        """Tell of a result."""
        seen = Observation(series.state, 0 if passed else 1, 0, 30_000, series.streak, wall_s)
        self._observer.see(self._vantage, self._catalogue.key_of[series.endpoint], seen, now_s)
        self.next_due_s = min(self.next_due_s, now_s + NEWS_S)

    def set_aside(self, series: ProbedSeries, now_s: float, wall_s: float) -> None:
        """Say nothing."""

    def doubt(self, is_doubtful: bool, now_s: float, wall_s: float) -> None:
        """Tell that it doubts itself."""
        self._observer.doubt(self._vantage, is_doubtful, now_s)
        self.next_due_s = now_s

    def order(self, pattern: str, state: str, why: str, now_s: float, wall_s: float) -> None:
        """Take no orders: they are given where machines judge."""

    def hear_beats(self, beats: Iterable[Any], now_s: float, wall_s: float) -> None:
        """Beats are not its matter."""

    def said(self) -> tuple[list[Sent], list[Published]]:
        """Return what there is to send."""
        found, self._sent = self._sent, []
        return found, []

    def orders(self) -> dict[str, str]:
        """Return none."""
        return {}

    def kept(self, now_s: float, wall_s: float) -> int:
        """Return its epoch; it is killed."""
        self._beats.forget(self._vantage)
        return self._epoch


class SampledFleet(SimulatedFleet):
    """The fleet; `judge_count` of its machines judge."""

    def __init__(self, shape: Shape, judge_count: int) -> None:
        catalogue, regions = Catalogue(shape.endpoints, shape.check_regions), shape.machines
        judges = sorted(random.Random(f"{shape.seed} judges").sample(sorted(regions), judge_count))
        placed = placement(shape, catalogue)
        self._beats = HeartbeatsTold(len(regions) - judge_count)

        def make(name: str, disk: object, now_s: float, wall_s: float) -> ObserverJudge | TellingJudge:
            if name in judges:
                count = shape.prober_count
                return ObserverJudge(name, regions[name], catalogue, count, disk, now_s, wall_s, False, LAG_S)
            return TellingJudge(name, regions[name], catalogue, placed[name], disk, now_s, wall_s, self._beats)

        super().__init__(shape, make, judges)
        self._tellers = [name for name in self.machines if name not in judges]
        self._heard: dict[str, tuple[int, list[str]]] = {}
        self.time.repeat_at(BEAT_S, self._beat)

    def _beat(self) -> None:
        """Hand over the heartbeats of all who only tell."""
        for name in self.judges:
            beats = self._beats.of(self._heard_by(name))
            self.outcome.beat_count += len(beats)
            self.machines[name].hear_beats(beats)
        self.time.repeat_at(self.time.now_s + BEAT_S, self._beat)

    def _heard_by(self, name: str) -> list[str]:
        """Return those that only tell whom a machine hears."""
        count, found = self._heard.get(name, (-1, []))
        if count != self.network.change_count:
            found = [one for one in self._tellers if self.network.reaches(one, name)]
            self._heard[name] = self.network.change_count, found
        return found
