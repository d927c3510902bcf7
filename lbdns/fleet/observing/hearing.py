"""Which machines of the fleet are known, and which of them are heard.

    unknown --(heard)--> HEARD --(silent for HEARD_S)--> LOST --(heard)--> HEARD
                                                          |
                                                          '--(silent for KNOWN_S, or it left)--> unknown

*Heard* is a machine whose heartbeat came within HEARD_S, by the clock of who listens, and of whose observations all are
known here: what it says is whole. One that is lost is known for a day, on disk too. By how many are heard a machine
tells whether it is itself the one that is cut off:

    | heard, of those known (it counts itself) | its own probes                 | cut off |
    |------------------------------------------|--------------------------------|---------|
    | all: it is alone and knows nobody        |                                | no      |
    | more than half                           |                                | no      |
    | half                                     | something is up, for a while   | no      |
    | half                                     | nothing is up, or it begins    | yes     |
    | fewer than half                          |                                | yes     |

So one of two judges by itself while anything answers it, and never takes everything down alone.

A machine that itself stood still (no processor, stopped, suspended) hears nobody meanwhile, and that is no evidence of
anybody's silence: `stood_still` takes such a time out of the silence of all, of each for EXCUSED_MAX_S at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

HEARD_S: Final = 3.0
KNOWN_S: Final = 24 * 3600.0
LATE_S: Final = 0.1
"""Who is late by less did not stand still."""
EXCUSED_MAX_S: Final = 30.0
STEADY_S: Final = 10.0
"""A machine that was lost is heard for so long before it is counted on again for probes."""


class Acquaintance(NamedTuple):
    """A machine that was heard: when last, in unix seconds, and the (name, region) of its vantage points."""

    machine: str
    heard_at_s: float
    vantages: tuple[tuple[str, str], ...]


class HearingCount(NamedTuple):
    """How many are heard, of how many that are known; the machine itself counts."""

    heard: int
    known: int


def cut_off(count: HearingCount, sees_up: bool, has_begun: bool) -> bool:
    """Whether a machine is the one that is cut off, by the table above; `has_begun`: it listens for HEARD_S."""
    if count.heard >= count.known:
        return False
    if 2 * count.heard != count.known:
        return 2 * count.heard < count.known
    return not (sees_up and has_begun)


class HearingChanges(NamedTuple):
    """Who is heard now and was not, who is lost, who is forgotten, and on whose probes one may count again; by name."""

    found: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    steady: tuple[str, ...] = ()


class Hearing:
    """Who is known and who is heard, as one machine has it; times are its monotonic clock's but where they say unix."""

    def __init__(self, me: str, kept: Iterable[Acquaintance], now_s: float, unix_s: float) -> None:
        """Begin with the machines that were known before; none of them is heard yet."""
        self._me = me
        self._began_s = now_s
        self._known: dict[str, Acquaintance] = {}
        self._heard_s: dict[str, float] = {}  # since when one is heard
        self._lost_s: dict[str, float] = {}  # since when one is known and not heard
        self._last_s: dict[str, float] = {}  # the last sign of life, of one of whom all is known
        self._excused_s: dict[str, float] = {}  # of the silence of each, what this machine stood still for
        self._known_until_s: dict[str, float] = {}
        self._unsteady: set[str] = set()
        self._pending: set[str] = set()  # heard, and `follow` has not said so yet
        self._due_s = now_s  # nothing changes by time before
        for one in kept:
            left_s = KNOWN_S - max(unix_s - one.heard_at_s, 0.0)
            if one.machine != me and left_s > 0:
                self._known[one.machine] = one
                self._lost_s[one.machine] = now_s
                self._known_until_s[one.machine] = now_s + left_s

    @property
    def count(self) -> HearingCount:
        """How many are heard, of how many."""
        return HearingCount(len(self._heard_s) + 1, len(self._known) + 1)

    @property
    def machines(self) -> tuple[str, ...]:
        """The other machines that are known, by name."""
        return tuple(sorted(self._known))

    @property
    def first_heard(self) -> str:
        """The first machine by name of those that are heard, itself among them."""
        return min((self._me, *self._heard_s))

    def has_begun(self, now_s: float) -> bool:
        """Whether it has listened for long enough to miss anybody."""
        return now_s - self._began_s >= HEARD_S

    def is_heard(self, machine: str) -> bool:
        """Whether a machine is heard."""
        return machine in self._heard_s

    def last_s(self, machine: str) -> float | None:
        """When a machine gave its last sign of life; None: not since this began."""
        return self._last_s.get(machine)

    def lost_s(self, machine: str) -> float | None:
        """Since when a machine is known and not heard."""
        return self._lost_s.get(machine)

    def vantages(self, machine: str) -> tuple[tuple[str, str], ...]:
        """Return the (name, region) of a machine's vantage points."""
        known = self._known.get(machine)
        return known.vantages if known is not None else ()

    def hear(
        self, machine: str, vantages: tuple[tuple[str, str], ...], is_whole: bool, now_s: float, unix_s: float
    ) -> bool:
        """Take a sign of life; return whether it is of a new machine, or of one with other vantage points.

        `is_whole`: all that the machine observes is known here.
        """
        known = self._known.get(machine)
        self._known_until_s[machine] = now_s + KNOWN_S
        if is_whole:
            self._last_s[machine] = now_s
            self._excused_s.pop(machine, None)
            if machine not in self._heard_s:
                self._pending.add(machine)
        if known is not None and known.vantages == vantages:
            return False
        self._known[machine] = Acquaintance(machine, unix_s, vantages)
        if known is None:
            self._lost_s[machine] = now_s
        return True

    def hear_again(self, machine: str, now_s: float) -> bool:
        """Take a sign of life of one that is heard, and of whom all is known as it was; False: it is not heard yet."""
        if machine not in self._heard_s:
            return False
        self._last_s[machine] = now_s
        if self._excused_s:
            self._excused_s.pop(machine, None)
        return True

    def forget(self, machine: str) -> None:
        """Take it that a machine is not known any more."""
        self._known.pop(machine, None)
        for times in (self._lost_s, self._heard_s, self._last_s, self._excused_s, self._known_until_s):
            times.pop(machine, None)
        self._unsteady.discard(machine)
        self._pending.discard(machine)

    def stood_still(self, for_s: float, now_s: float) -> None:
        """Take it that this machine did nothing in the time before now: what it did not hear then, it could not."""
        if for_s <= LATE_S:
            return
        for name in self._heard_s:
            excused_s = self._excused_s.get(name, 0.0)
            more_s = min(for_s, EXCUSED_MAX_S - excused_s, now_s - self._last_s[name])
            self._last_s[name] += more_s
            self._excused_s[name] = excused_s + more_s
        if not self.has_begun(now_s - for_s):
            self._began_s += min(for_s, now_s - self._began_s)
            self._due_s = min(self._due_s, now_s)

    def follow(self, now_s: float) -> HearingChanges:
        """Go on to a moment; return what changed."""
        found = tuple(sorted(self._pending))
        for name in found:
            self._lost_s.pop(name, None)
            self._heard_s[name] = now_s
        self._pending.clear()
        if now_s < self._due_s:
            self._due_s = min([self._due_s, *(self._due_of(name) for name in found)])
            return HearingChanges(found)
        lost = tuple(sorted(name for name in self._heard_s if now_s - self._last_s[name] >= HEARD_S))
        for name in lost:
            del self._heard_s[name]
            self._lost_s[name] = now_s
            self._known_until_s[name] = max(self._known_until_s[name], self._last_s[name] + KNOWN_S)
            self._unsteady.add(name)
        steady = sorted(self._unsteady & {name for name, at in self._heard_s.items() if now_s - at >= STEADY_S})
        self._unsteady.difference_update(steady)
        forgotten = sorted(name for name in self._lost_s if now_s >= self._known_until_s[name])
        for name in forgotten:
            self.forget(name)
        self._due_s = self._next_due_s(now_s)
        gone = tuple(name for name in lost if name not in forgotten)
        return HearingChanges(tuple(one for one in found if one not in lost), gone, tuple(forgotten), tuple(steady))

    @property
    def next_due_s(self) -> float:
        """When `follow` may have something to say; the past where it has."""
        return float("-inf") if self._pending else self._due_s

    def _due_of(self, name: str) -> float:
        silent_s = self._last_s[name] + HEARD_S
        return min(silent_s, self._heard_s[name] + STEADY_S) if name in self._unsteady else silent_s

    def _next_due_s(self, now_s: float) -> float:
        begun_s = self._began_s + HEARD_S
        dues = [min(map(self._last_s.__getitem__, self._heard_s), default=float("inf")) + HEARD_S]
        dues += [self._due_of(name) for name in self._unsteady if name in self._heard_s]
        dues += [self._known_until_s[name] for name in self._lost_s]
        dues += [begun_s] if now_s < begun_s else []
        return min(dues, default=float("inf"))

    def counted_on(self, now_s: float) -> list[tuple[str, str]]:
        """Return the (name, region) of the vantage points to which their part of the probes may be left: of machines
        that are heard, and steadily so where they were lost; who is known from before counts while this machine has
        just begun."""
        unsteady, heard, are_all = self._unsteady, self._heard_s, not self.has_begun(now_s)
        return [
            vantage
            for machine, known in self._known.items()
            if machine not in unsteady and (are_all or machine in heard)
            for vantage in known.vantages
        ]

    def kept(self, now_s: float, unix_s: float) -> tuple[Acquaintance, ...]:
        """Return what a restart is to begin with."""
        heard_at_s = {name: unix_s - (now_s - at) for name, at in self._last_s.items()}
        known = (self._known[name] for name in sorted(self._known))
        return tuple(one._replace(heard_at_s=heard_at_s.get(one.machine, one.heard_at_s)) for one in known)
