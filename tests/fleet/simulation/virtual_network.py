"""The network between the machines and their bus: who reaches whom, since when, how fast, and what gets lost.

A node is a machine or the hub. In a star all goes through the hub, as where lbdns embeds it; else machines reach each
other without it, as through a cluster of the operator's. Links have faults; each is counted, several may hold at once:

| fault | what |
|---|---|
| cut | neither sends nor hears |
| mute | hears and is not heard |
| deaf | is heard and hears nothing |
| lossy | each message is lost with a probability |
| slow | each message takes longer, by a random share of that: what was sent later comes earlier |
| split | two sides that do not reach each other: a set of nodes, and all others |

What is on its way when a link is cut is lost.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from tests.fleet.simulation.virtual_time import VirtualTime

DELAY_S: Final = 0.02
JITTER_S: Final = 0.03
LONG_AGO_S: Final = float("-inf")


class Hearing(IntEnum):
    """Whether one node has been able to hear another for a while."""

    NEVER = 0
    """Not once."""
    MAYBE = 1
    """Now and then, or with losses."""
    SURE = 2
    """All the time."""


@dataclass(slots=True)
class Link:
    """A node's link: counts of its faults, and when one of them last began or ended (`now_s`)."""

    cut: int = 0
    mute: int = 0
    deaf: int = 0
    losses: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    changed_s: float = LONG_AGO_S


@dataclass(slots=True, eq=False)
class Split:
    """Two sides: `side` and all others; `ended_s` is None while it holds."""

    side: frozenset[str]
    began_s: float
    ended_s: float | None = None

    def parts(self, one: str, other: str) -> bool:
        """Whether it stands between two nodes."""
        return (one in self.side) != (other in self.side)


class VirtualNetwork:
    """All links; `hub` is the node through which all goes, None where machines reach each other directly."""

    def __init__(self, time: VirtualTime, nodes: Iterable[str], chance: random.Random, hub: str | None) -> None:
        self._time = time
        self._hub = hub
        self._chance = chance
        self.links = {node: Link() for node in nodes}
        self.splits: list[Split] = []
        self._legs_of: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self._reached: dict[tuple[str, str], bool] = {}  # legs, as long as nothing changes
        self._changed: dict[tuple[str, str], float] = {}
        self._whole: dict[str, float] = {}  # nodes
        self.change_count = 0
        self._fault_count = 0  # that hold now; while there is none, everybody reaches everybody
        self.sent_count = 0

    def change(self, nodes: Collection[str], kind: str, step: int) -> None:
        """Begin (step 1) or end (step -1) a fault of cut, mute or deaf on the links of some nodes."""
        for node in nodes:
            link = self.links[node]
            setattr(link, kind, getattr(link, kind) + step)
            self._fault_count += step
            link.changed_s = self._time.now_s
        self._forget(nodes)

    def _forget(self, nodes: Collection[str]) -> None:
        """Take it that some nodes may reach others now than before."""
        self.change_count += 1
        hub = self._hub
        if hub is None or hub in nodes:
            self._reached.clear()
            self._changed.clear()
            self._whole.clear()
            return
        for node in nodes:
            self._whole.pop(node, None)
            for leg in ((node, hub), (hub, node)):
                self._reached.pop(leg, None)
                self._changed.pop(leg, None)

    def worsen(self, nodes: Collection[str], kind: str, amount: float, step: int) -> None:
        """Begin or end losses (a probability) or delays_s (seconds) on the links of some nodes."""
        for node in nodes:
            link = self.links[node]
            amounts: list[float] = getattr(link, kind)
            amounts.append(amount) if step > 0 else amounts.remove(amount)
            self._fault_count += step
            link.changed_s = self._time.now_s
        self._forget(nodes)

    def split(self, side: frozenset[str]) -> Split:
        """Begin a split."""
        found = Split(side, self._time.now_s)
        self._fault_count += 1
        self.splits.append(found)
        self._forget(self.links)
        return found

    def heal(self, split: Split) -> None:
        """End a split; it is remembered, for whoever asks about the time before."""
        split.ended_s = self._time.now_s
        self._fault_count -= 1
        self._forget(self.links)

    def _legs(self, sender: str, hearer: str) -> tuple[tuple[str, str], ...]:
        pair = sender, hearer
        found = self._legs_of.get(pair)
        if found is None:
            hub = self._hub
            found = self._legs_of[pair] = (pair,) if hub is None or hub in pair else ((sender, hub), (hub, hearer))
        return found

    def reaches(self, sender: str, hearer: str) -> bool:
        """Whether what one node sends now comes to another, if it is not lost."""
        if not self._fault_count:
            return True
        return all(map(self._reaches, self._legs(sender, hearer)))

    def _reaches(self, leg: tuple[str, str]) -> bool:
        found = self._reached.get(leg)
        if found is None:
            found = self._reached[leg] = self._comes_through(*leg)
        return found

    def _comes_through(self, sender: str, hearer: str) -> bool:
        one, other = self.links[sender], self.links[hearer]
        if one.cut or one.mute or other.cut or other.deaf:
            return False
        return not any(split.ended_s is None and split.parts(sender, hearer) for split in self.splits)

    def hearing(self, sender: str, hearer: str, window_s: float, lost_s: float) -> Hearing:
        """Whether `hearer` was able to hear `sender` for the last `window_s`, or was not for the last `lost_s`."""
        found = Hearing.SURE
        for leg in self._legs(sender, hearer):
            found = min(found, self._hearing(leg, window_s, lost_s))
        return found

    def _hearing(self, leg: tuple[str, str], window_s: float, lost_s: float) -> Hearing:
        one, other = self.links[leg[0]], self.links[leg[1]]
        for_s = self._time.now_s - self._changed_s(leg)
        if not self._reaches(leg):
            return Hearing.NEVER if for_s > lost_s else Hearing.MAYBE
        if for_s <= window_s:
            return Hearing.MAYBE
        return Hearing.MAYBE if one.losses or other.losses or one.delays_s or other.delays_s else Hearing.SURE

    def whole_since_s(self, node: str) -> float:
        """Return since when (`now_s`) nothing has stood between a node and any other such one, either way, for sure:
        inf where something does."""
        found = self._whole.get(node)
        if found is None:
            found = self._whole[node] = self._came_whole_s(node)
        return found

    def _came_whole_s(self, node: str) -> float:
        links = [self.links[node]] if self._hub is None else [self.links[node], self.links[self._hub]]
        since_s = LONG_AGO_S
        for link in links:
            if link.cut or link.mute or link.deaf or link.losses or link.delays_s:
                return float("inf")
            since_s = max(since_s, link.changed_s)
        for split in self.splits:
            if self._hub is None or split.parts(node, self._hub):
                since_s = max(since_s, float("inf") if split.ended_s is None else split.ended_s)
        return since_s

    def changed_s(self, sender: str, hearer: str) -> float:
        """Return when (`now_s`) anything last changed between two nodes."""
        return max(map(self._changed_s, self._legs(sender, hearer)))

    def _changed_s(self, leg: tuple[str, str]) -> float:
        found = self._changed.get(leg)
        if found is None:
            found = self._changed[leg] = self._last_change_s(*leg)
        return found

    def _last_change_s(self, sender: str, hearer: str) -> float:
        since_s = max(self.links[sender].changed_s, self.links[hearer].changed_s)
        for split in self.splits:
            if split.parts(sender, hearer):
                since_s = max(since_s, split.began_s if split.ended_s is None else split.ended_s)
        return since_s

    def send(self, sender: str, hearer: str, repeats: bool, take: Callable[..., None], *arguments: Any) -> None:
        """Let `take(*arguments)` happen when a message from one node has come to another; it may be lost.

        `repeats`: it says nothing new.
        """
        self.sent_count += 1
        delay_s = DELAY_S + JITTER_S * self._chance.random()
        if self._fault_count:
            nodes = sorted({node for leg in self._legs(sender, hearer) for node in leg})
            losses = [loss for node in nodes for loss in self.links[node].losses]
            if any(self._chance.random() < loss for loss in losses) or not self.reaches(sender, hearer):
                return
            repeats = repeats and not losses
            for more_s in (more_s for node in nodes for more_s in self.links[node].delays_s):
                delay_s += more_s * self._chance.random()
        at = self._time.repeat_at if repeats else self._time.at
        at(self._time.now_s + delay_s, self._arrive, sender, hearer, take, arguments)

    def _arrive(self, sender: str, hearer: str, take: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if self.reaches(sender, hearer):
            take(*arguments)
