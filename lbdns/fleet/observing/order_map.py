"""Operators' orders as all machines of a fleet have them: by pattern, the one that was given last wins.

Every machine may give orders, cut off too, and what each has comes together by `merge`, in whatever order and however
often. An order that is taken back leaves a mark, so that it does not come back from who has not heard of it.

*Later* is told by stamps, and clocks differ by minutes: whoever gives an order stamps it with the time of day, or
behind the newest stamp that is known there, whichever is later. So an order replaces what its giver saw. Ends go by the
time that is left: a message says what time of day it was there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

from lbdns.health.forced import ENTRIES_MAX, PATTERN_CHARS_MAX, WHY_CHARS_MAX, Forced, State

STAMP_STEP_S: Final = 0.001
MARKS_MAX: Final = 2000
MARK_KEPT_S: Final = 30 * 24 * 3600.0
ENDED_KEPT_S: Final = 3600.0
"""An order that ended is kept as long, for the sake of machines whose clocks differ."""


class OrderEntry(NamedTuple):
    """An order for a pattern, or the mark that there is none any more (`state` is "")."""

    pattern: str
    stamp_s: float
    machine: str
    state: str
    set_at_s: float = 0.0
    until_s: float | None = None
    why: str = ""

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> OrderEntry:
        """Return what JSON says; raises ValueError, TypeError, KeyError."""
        until_s = said.get("until_s")
        found = cls(
            str(said["pattern"]),
            float(said["stamp_s"]),
            str(said["machine"]),
            str(said["state"]),
            float(said.get("set_at_s", 0.0)),
            None if until_s is None else float(until_s),
            str(said.get("why", "")),
        )
        if found.state not in ("up", "down", "auto", "") or not 0 < len(found.pattern) <= PATTERN_CHARS_MAX:
            raise ValueError(f"no order: {found.pattern[:80]!r} {found.state[:80]!r}")
        times = (found.stamp_s, found.set_at_s, found.until_s or 0.0)
        if len(found.why) > WHY_CHARS_MAX or not all(map(math.isfinite, times)):
            raise ValueError("no order: its reason is too long, or a time is none")
        return found

    @property
    def rank(self) -> tuple[float, str, str, str, str]:
        """By what two entries for one pattern are compared: the greater one wins, everywhere."""
        return self.stamp_s, self.machine, self.state, self.why, self.pattern

    def has_ended(self, unix_s: float) -> bool:
        """Whether it is over for long."""
        return self.until_s is not None and unix_s > self.until_s + ENDED_KEPT_S

    @property
    def digest(self) -> int:
        """What it adds to the digest of a map; its end is not in it, which each machine tells by its own clock."""
        text = "\0".join((self.pattern, repr(self.stamp_s), self.machine, self.state, self.why))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class OrderMap:
    """The orders that one machine has heard of, its own among them."""

    def __init__(self, machine: str, entries: Iterable[OrderEntry] = ()) -> None:
        """Begin with what was kept."""
        self._machine = machine
        self._entries = {one.pattern: one for one in entries}
        self._digest: int | None = None

    @property
    def entries(self) -> tuple[OrderEntry, ...]:
        """All of them, and the marks, oldest first."""
        return tuple(sorted(self._entries.values(), key=lambda one: one.rank))

    @property
    def digest(self) -> int:
        """What tells this map from one that has anything else in it."""
        if self._digest is None:
            self._digest = sum(one.digest for one in self._entries.values()) & 0xFFFF_FFFF_FFFF_FFFF
        return self._digest

    def orders(self) -> tuple[Forced, ...]:
        """Return the orders as the list that is applied: the last one that matches wins."""
        live = [one for one in self.entries if one.state][-ENTRIES_MAX:]
        return tuple(
            Forced(one.pattern, cast(State, one.state), one.set_at_s, one.until_s, one.why, one.machine) for one in live
        )

    def give(
        self, orders: Iterable[Forced], unix_s: float, was: Iterable[Forced] | None = None
    ) -> tuple[OrderEntry, ...]:
        """Take this machine's list as its operators left it; return what is new to others.

        `was`: the list as it was before they changed it, where that is not what all have by now.
        """
        listed = {one.pattern: one for one in orders}
        before = {one.pattern: one for one in (self.orders() if was is None else was)}
        new: list[OrderEntry] = []
        newest_s = max((one.stamp_s for one in self._entries.values()), default=0.0)
        for pattern, order in listed.items():
            known = self._entries.get(pattern)
            if pattern in before and _is_same(before[pattern], order):
                if known is not None and _is_same(known, order):  # its end moves with a jump of the clock
                    self._entries[pattern] = known._replace(until_s=order.until_s)
                continue
            if known is not None and _is_same(known, order):
                continue
            newest_s = max(unix_s, newest_s + STAMP_STEP_S)
            told = (order.state, order.set_at_s, order.until_s, order.why)
            new.append(OrderEntry(pattern, newest_s, self._machine, *told))
        for pattern in sorted(before.keys() - listed.keys()):
            known = self._entries.get(pattern)
            if known is not None and known.state and (known.until_s is None or known.until_s > unix_s):
                newest_s = max(unix_s, newest_s + STAMP_STEP_S)
                new.append(OrderEntry(pattern, newest_s, self._machine, "", unix_s))
        for one in new:
            self._entries[one.pattern] = one
        if new:
            self._tidy(unix_s)
        return tuple(new)

    def merge(self, entries: Iterable[OrderEntry], their_unix_s: float, unix_s: float) -> bool:
        """Take what another machine has, whose time of day is `their_unix_s`; return whether anything is new."""
        is_new = False
        for theirs in entries:
            one = theirs
            if one.until_s is not None:
                one = one._replace(until_s=one.until_s + unix_s - their_unix_s)
            known = self._entries.get(one.pattern)
            if one.has_ended(unix_s) or (known is not None and known.rank >= one.rank):
                continue
            self._entries[one.pattern] = one
            is_new = True
        if is_new:
            self._tidy(unix_s)
        return is_new

    def tidy(self, unix_s: float) -> None:
        """Let go of what nobody need know any more; call now and then."""
        if any(self._is_past(one, unix_s) for one in self._entries.values()):
            self._tidy(unix_s)

    def _is_past(self, one: OrderEntry, unix_s: float) -> bool:
        return one.has_ended(unix_s) or (not one.state and unix_s - one.stamp_s > MARK_KEPT_S)

    def _tidy(self, unix_s: float) -> None:
        kept = [one for one in self.entries if not self._is_past(one, unix_s)]
        marks = [one for one in kept if not one.state][:-MARKS_MAX]
        gone = {one.pattern for one in marks}
        gone |= {one.pattern for one in [one for one in kept if one.state][:-ENTRIES_MAX]}
        self._entries = {one.pattern: one for one in kept if one.pattern not in gone}
        self._digest = None


def _is_same(known: OrderEntry | Forced, order: Forced) -> bool:
    """Whether an operator's order is the one that is known: an end that moved with a clock is none other."""
    same_end = (known.until_s is None) == (order.until_s is None)
    return (known.state, known.why) == (order.state, order.why) and known.set_at_s == order.set_at_s and same_end
