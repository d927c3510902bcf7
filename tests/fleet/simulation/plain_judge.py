"""A judge as plain as the rules in verdict_oracle.py: it shows that they can be kept, and, broken on purpose, that the
oracle sees when they are not.

It tells everything every second, believes what came last, and judges all endpoints whenever anything came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNKNOWN
from tests.fleet.simulation.judge import EVERYBODY, Published, Sent
from tests.fleet.simulation.virtual_prober import ProbedSeries

HEARD_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Broken:
    """What is left out, for the oracle to find."""

    cut_off: bool = False
    """It does not care whether it is cut off."""
    regions: bool = False
    """It counts machines, not regions."""
    news: bool = False
    """It goes on believing what it was told first."""


@dataclass(slots=True)
class Disk:
    """What a machine keeps."""

    known: set[str] = field(default_factory=set)
    verdicts: dict[str, int] = field(default_factory=dict)


class PlainJudge:
    """One machine's; `regions`: machine -> region of the whole fleet."""

    def __init__(
        self,
        machine: str,
        regions: Mapping[str, str],
        endpoints: Iterable[str],
        prober_count: int,
        disk: object,
        now_s: float,
        broken: Broken,
    ) -> None:
        self._machine = machine
        self._regions = regions
        self._endpoints = tuple(endpoints)
        self._prober_count = prober_count
        self._disk = disk if isinstance(disk, Disk) else Disk()
        self._began_s = now_s
        self._broken = broken
        self._heard_s: dict[str, float] = {}
        self._told: dict[str, dict[str, int]] = {}
        self._own: dict[str, int] = {}
        self._sent: list[Sent] = []
        self._published: list[Published] = []
        self._before = b""
        self.next_due_s = now_s

    @property
    def checks(self) -> list[str]:
        """The endpoints for which it is among the first of its region, as it hears that."""
        return [one for one in self._endpoints if self._machine in self._probers(one, self._regions[self._machine])]

    def _alive(self) -> set[str]:
        return {self._machine, *self._told}

    def _probers(self, endpoint: str, region: str) -> list[str]:
        there = [one for one in self._alive() if self._regions[one] == region]
        ranked = sorted(there, key=lambda one: crc32(f"{endpoint} {one}".encode()))
        first = ranked[: self._prober_count]
        mine = region == self._regions[self._machine] and self._machine not in first
        return [*first, self._machine] if mine else first

    def tick(self, now_s: float, wall_s: float) -> None:
        """Forget who has fallen silent, and tell all of its own."""
        self.next_due_s = now_s + 1.0
        silent = [one for one, heard_s in self._heard_s.items() if now_s - heard_s > HEARD_S]
        for machine in silent:
            del self._heard_s[machine], self._told[machine]
        self._judge(now_s)
        checks = set(self.checks)
        self._own = {endpoint: state for endpoint, state in self._own.items() if endpoint in checks}
        data = json.dumps(self._own, sort_keys=True).encode()
        self._sent.append(Sent(EVERYBODY, "all", data, repeats=data == self._before))
        self._before = data

    def take(self, sender: str, subject: str, data: Any, now_s: float, wall_s: float) -> None:
        """Take what another machine sees."""
        told: dict[str, int] = json.loads(data)
        if self._broken.news:
            told |= self._told.get(sender, {})
        is_news = self._told.get(sender) != told
        self._heard_s[sender], self._told[sender] = now_s, told
        self._disk.known.add(sender)
        if is_news:
            self._judge(now_s)

    def result(self, series: ProbedSeries, passed: bool, now_s: float, wall_s: float) -> None:
        """Take a result of its own."""
        if self._own.get(series.endpoint) != series.state:
            self._own[series.endpoint] = series.state
            self._judge(now_s)

    @property
    def is_cut_off(self) -> bool:
        """Whether it hears too few."""
        return 2 * len(self._alive()) < len(self._disk.known | {self._machine}) and not self._broken.cut_off

    def set_aside(self, series: ProbedSeries, now_s: float, wall_s: float) -> None:
        """Forget what it saw."""
        self._own.pop(series.endpoint, None)

    def doubt(self, is_doubtful: bool, now_s: float, wall_s: float) -> None:
        """Doubts are not its matter."""

    def order(self, pattern: str, state: str, why: str, now_s: float, wall_s: float) -> None:
        """Orders are not its matter."""

    def orders(self) -> dict[str, str]:
        """Return none."""
        return {}

    def hear_beats(self, beats: Iterable[Any], now_s: float, wall_s: float) -> None:
        """Beats are not its matter."""

    def said(self) -> tuple[list[Sent], list[Published]]:
        """Return what there is to send and to publish."""
        found = self._sent, self._published
        self._sent, self._published = [], []
        return found

    def kept(self, now_s: float, wall_s: float) -> Disk:
        """Return what it begins with when it is started again."""
        return self._disk

    def _judge(self, now_s: float) -> None:
        cut_off = self.is_cut_off
        if not cut_off and now_s - self._began_s < HEARD_S:
            return  # it has not listened for long enough to say anything
        for endpoint in self._endpoints:
            before = self._disk.verdicts.get(endpoint, UNKNOWN)
            state = before
            if not cut_off:
                state = self._votes(endpoint, before)
            elif self._own.get(endpoint) == HEALTHY:
                state = HEALTHY
            if state != before:
                self._disk.verdicts[endpoint] = state
                self._published.append(Published(endpoint, state))

    def _votes(self, endpoint: str, before: int) -> int:
        regions: dict[str, list[bool]] = {}
        for region in sorted(set(self._regions.values())):
            for machine in self._probers(endpoint, region):
                state = (self._own if machine == self._machine else self._told[machine]).get(endpoint, UNKNOWN)
                if state != UNKNOWN:
                    place = machine if self._broken.regions else region
                    regions.setdefault(place, []).append(state == HEALTHY)
        if not regions:
            return before
        ups = sum(2 * sum(votes) > len(votes) for votes in regions.values())
        return HEALTHY if 2 * ups > len(regions) else UNHEALTHY
