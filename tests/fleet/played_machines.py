"""Machines of a fleet on a bus that is played: what is lost or late is the test's to say, and time is a number."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial

from lbdns.fleet.observing.health_news import (
    HealthNews,
    OrderNews,
    decode_news,
    decode_orders,
    encode_news,
    encode_orders,
    whole_pages,
)
from lbdns.fleet.observing.neighbour import RemoteChange
from lbdns.fleet.observing.observation import Observation
from lbdns.fleet.observing.observer import WHOLE, KeptFleet, Observer
from lbdns.health.verdict import HEALTHY, UNHEALTHY

UP = Observation(HEALTHY, 0, 200, 5000, 1, 0.0)
DOWN = Observation(UNHEALTHY, 2, 0, 0, -1, 0.0)
UNIX_S = 1_700_000_000.0


def over_the_wire(message: HealthNews | OrderNews) -> HealthNews | OrderNews:
    """Return a message as the other side reads it."""
    if isinstance(message, OrderNews):
        return decode_orders(encode_orders(message))
    return decode_news(encode_news(message)).news


class Bus:
    """Delivers messages between observers, each after a delay; `reaches` says who hears whom."""

    def __init__(self, seed: int = 0, delay_s: float = 0.001, loss: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.delay_s, self.loss = delay_s, loss
        self.now_s = 100.0
        self.machines: dict[str, Observer] = {}
        self.changes: dict[str, list[RemoteChange]] = {}
        self.skew_s: dict[str, float] = {}
        self.told = 0
        self.reaches: Callable[[str, str], bool] = lambda a, b: True
        self._flying: list[tuple[float, int, str, Callable[[], None]]] = []
        self._ticket = 0

    def join(
        self,
        name: str,
        *vantages: tuple[str, str],
        per_region: int | None = 3,
        kept: KeptFleet | None = None,
        skew_s: float = 0.0,
    ) -> Observer:
        self.skew_s[name] = skew_s
        epoch = int(self.now_s * 1000)
        found = Observer(
            name, vantages or ((name, name),), per_region, epoch, self.now_s, self.unix_s(name), kept or KeptFleet()
        )
        self.machines[name] = found
        self.changes.setdefault(name, [])
        return found

    def unix_s(self, name: str) -> float:
        return UNIX_S + self.now_s + self.skew_s[name]

    def cut(self, *groups: Iterable[str]) -> None:
        """Let only those of one group hear each other."""
        group = {name: number for number, names in enumerate(groups) for name in names}
        self.reaches = lambda a, b: group.get(a, a) == group.get(b, b)

    def heal(self) -> None:
        self.reaches = lambda a, b: True

    def run(self, seconds: float, step_s: float = 0.01) -> None:
        """Let time pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(self.now_s + step_s, end_s)
            due = sorted([one for one in self._flying if one[0] <= self.now_s], key=lambda one: one[:2])
            self._flying = [one for one in self._flying if one[0] > self.now_s]
            for _, _, name, deliver in due:
                if name in self.machines:
                    deliver()
            for name, machine in list(self.machines.items()):
                if self.now_s >= machine.next_due_s:
                    machine.tick(self.now_s, self.unix_s(name))
                self._carry(name, machine)

    def _carry(self, name: str, machine: Observer) -> None:
        outcome = machine.drain()
        self.changes[name] += outcome.changes
        for message in outcome.messages:
            self.told += 1
            for other in self.machines:
                if other != name:
                    self._send(name, other, over_the_wire(message))
        for ask in outcome.asks:
            there = self.machines.get(ask.machine)
            if there is None or not self.reaches(name, ask.machine):
                continue
            if ask.what == WHOLE:
                pages = [decode_news(page) for page in whole_pages(there.whole())]
                assert len(pages) == 1
                self._later(name, partial(self._whole, name, ask.machine, pages[0].news))
            else:
                self._send(ask.machine, name, over_the_wire(there.all_orders(self.unix_s(ask.machine))))

    def _whole(self, name: str, asked: str, told: HealthNews) -> None:
        self.machines[name].take_whole(asked, told, self.now_s, self.unix_s(name))

    def _send(self, sender: str, name: str, message: HealthNews | OrderNews) -> None:
        if self.reaches(sender, name) and self.random.random() >= self.loss:
            self._later(name, lambda: self.machines[name].take(message, self.now_s, self.unix_s(name)))

    def _later(self, name: str, deliver: Callable[[], None]) -> None:
        self._ticket += 1
        self._flying.append((self.now_s + self.delay_s * 2 * self.random.random(), self._ticket, name, deliver))


def seen_by(machine: Observer, name: str) -> dict[tuple[str, bytes], Observation]:
    """Return all that a machine knows of what another observes."""
    return dict(machine._neighbours[name].table)
