"""What the responders have counted, summed over their files (mapped/counters.py) and put to names.

    counters-*.bin -> sums by word -> by name, through the slots of the generation in force

No count goes backwards while its name stays configured: a responder that comes back continues its file, files of
responders that are gone are summed on, and whoever gets a used slot starts from what its holders before had counted.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lbdns.dns.codes import RCODE_NAMES
from lbdns.dns.rdata.record_types import type_text
from lbdns.mapped.counter_room import SLOTS_FIRST, allocate_counters
from lbdns.mapped.counter_words import (
    BEAT_NS,
    DATAGRAMS,
    ENDPOINTS_FIRST,
    LOAD_BALANCERS_FIRST,
    POOLS_FIRST,
    RCODE_COUNT,
    RCODES_FIRST,
    RULES_FIRST,
    SLOTS_MAX,
    SOURCE_COUNT,
    SOURCES_FIRST,
    TYPE_OTHER,
    TYPES_FIRST,
)
from lbdns.mapped.counters import open_counters
from lbdns.mapped.held_files import HeldFiles
from lbdns.mapped.level_words import DEFERRED_WAITING, TCP_IDLE, TCP_WAITING
from lbdns.mapped.run_directory import RunDirectory
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel.numbers import LOCATED_BY_ECS, LOCATED_BY_NOTHING, LOCATED_BY_POP, LOCATED_BY_RESOLVER
from lbdns.telemetry.thresholds import STALE_S

Words = np.ndarray[Any, np.dtype[np.uint64]]
Key = tuple[str, ...]
Slots64 = np.ndarray[Any, np.dtype[np.int64]]

NOWHERE = -1
SLOW_PART = "0"  # of a responder's files: what its slow path has counted, TCP too
SOURCE_NAMES = {
    LOCATED_BY_ECS: "ecs",
    LOCATED_BY_RESOLVER: "resolver",
    LOCATED_BY_POP: "pop",
    LOCATED_BY_NOTHING: "none",
}


def _as_it_is(key: Key) -> Key:
    return key


def _as_a_key(name: str) -> Key:
    return (name,)


@dataclass(frozen=True, eq=False)
class CountedNames:
    """Who is counted in one kind, by a mapping of slots that does not change: worked out when somebody asks.

    `named`: a key of the mapping as it is shown. Slots beyond SLOTS_MAX have no counter.
    """

    of: Mapping[Any, int] = field(default_factory=dict)
    named: Callable[[Any], Key] = _as_it_is

    @cached_property
    def _counted(self) -> tuple[tuple[Key, ...], Slots64]:
        found = [(key, slot) for key, slot in self.of.items() if slot < SLOTS_MAX]
        return tuple([self.named(key) for key, _ in found]), np.array([slot for _, slot in found], dtype=np.int64)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Return the names, in the order of the mapping."""
        return self._counted[0]

    @property
    def slots(self) -> Slots64:
        """Return the slot of each."""
        return self._counted[1]

    @cached_property
    def index(self) -> Mapping[Key, int]:
        """Return where each stands in `keys`."""
        return {key: place for place, key in enumerate(self.keys)}


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Counts by name: `counts[i]` belongs to `names.keys[i]`."""

    names: CountedNames
    counts: Words

    def since(self, before: Counted) -> Words:
        """Return what was added since an earlier read, by the names of this one."""
        old = before.counts
        if before.names is not self.names:
            places = [before.names.index.get(key, -1) for key in self.names.keys]
            old = np.append(old, np.uint64(0))[np.array(places, dtype=np.int64)]
        return self.counts - np.minimum(old, self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One read of all counts. `words` are the fixed ones, `fast` what of them the fast path's threads counted."""

    at_s: float  # CLOCK_MONOTONIC
    words: Words
    fast: Words
    levels: Mapping[int, Mapping[int, int]]  # by responder: how much waits, by the words of mapped/level_words.py
    load_balancers: Counted  # (name, type)
    pools: Counted  # (name,)
    endpoints: Counted  # EndpointKey
    rules: Counted  # (load balancer, type, rule or pool set)

    def level(self, word: int) -> int:
        """Return how much of a kind waits in all responders."""
        return sum(levels[word] for levels in self.levels.values())

    def word(self, number: int) -> int:
        """Return one fixed word."""
        return int(self.words[number])

    @property
    def fast_replies(self) -> int:
        """How many replies the fast path gave."""
        return int(self.fast[RCODES_FIRST : RCODES_FIRST + RCODE_COUNT].sum())

    @property
    def replies(self) -> int:
        """How many replies were given on either path, over UDP and TCP."""
        return int(self.words[RCODES_FIRST : RCODES_FIRST + RCODE_COUNT].sum())

    def rcodes(self) -> dict[str, int]:
        """Return replies by RCODE, in the order of the numbers."""
        return {rcode_name(code): self.word(RCODES_FIRST + code) for code in range(RCODE_COUNT)}

    def types(self) -> dict[str, int]:
        """Return replies by the type asked for: those that occurred; "none" had no question, "other" is the rest."""
        counts = self.words[TYPES_FIRST : TYPES_FIRST + TYPE_OTHER + 1]
        return {type_name(int(number)): int(counts[number]) for number in np.flatnonzero(counts)}

    def sources(self) -> dict[str, int]:
        """Return decisions by what told where the client is."""
        return {SOURCE_NAMES[number]: self.word(SOURCES_FIRST + number) for number in range(SOURCE_COUNT)}


@dataclass(frozen=True, slots=True, eq=False)
class KindPlan:
    """Who is to be counted in one kind; the slots that change hands, and for each where its holder was counted so far
    (NOWHERE: it is new); how many slots there are to be."""

    names: CountedNames
    fresh: Slots64
    former: Slots64
    slot_count: int


@dataclass(frozen=True, slots=True, eq=False)
class TallyPlan:
    """What `Tally.follow` takes up: made ahead, as it takes long where there are many names."""

    of: Slots
    load_balancers: KindPlan
    pools: KindPlan
    endpoints: KindPlan
    rules: KindPlan


class Tally:
    """Reads the counters of all responders of a run directory; any thread may ask."""

    def __init__(self, run: RunDirectory) -> None:
        """Begin without names; `follow` gives them."""
        self._run = run
        self._files: dict[Path, Words] = {}
        self._held = HeldFiles()
        self._former: list[tuple[bool, Words]] = []  # of files that are gone: whether of the fast path, and the words
        self._lock = threading.Lock()
        self._has_names = False
        self._all = _Range(DATAGRAMS)
        self._fast = _Range(DATAGRAMS)
        self._of = Slots()
        self._load_balancers = _Kind(LOAD_BALANCERS_FIRST)
        self._pools = _Kind(POOLS_FIRST, _as_a_key)
        self._endpoints = _Kind(ENDPOINTS_FIRST)
        self._rules = _Kind(RULES_FIRST)

    def plan(self, slots: Slots) -> TallyPlan:
        """Work out who is new in a generation that may come into force; nothing changes yet."""
        changes = slots.since(self._of)
        return TallyPlan(
            slots,
            self._load_balancers.plan(slots.load_balancer, changes and changes.load_balancer),
            self._pools.plan(slots.pool, changes and changes.pool),
            self._endpoints.plan(slots.endpoint, changes and changes.endpoint),
            self._rules.plan(slots.rule, changes and changes.rule),
        )

    def follow(self, plan: TallyPlan) -> None:
        """Put counts to the names of a generation that is about to be in force; call it before its first answer."""
        with self._lock:
            files = self._opened()
            self._load_balancers.follow(plan.load_balancers, files, self._has_names)
            self._pools.follow(plan.pools, files, self._has_names)
            self._endpoints.follow(plan.endpoints, files, self._has_names)
            self._rules.follow(plan.rules, files, self._has_names)
            self._of, self._has_names = plan.of, True

    def read(self) -> Sample:
        """Return all counts as they are now."""
        with self._lock:
            files = self._opened()
            fast = [words for path, words in self._files.items() if is_fast(path)]
            fast += [words for is_fast, words in self._former if is_fast]
            return Sample(
                at_s=time.monotonic(),
                words=self._all.read(files, LOAD_BALANCERS_FIRST),
                fast=self._fast.read(fast, LOAD_BALANCERS_FIRST),
                levels=self._levels(),
                load_balancers=self._load_balancers.read(files),
                pools=self._pools.read(files),
                endpoints=self._endpoints.read(files),
                rules=self._rules.read(files),
            )

    def _levels(self) -> Mapping[int, Mapping[int, int]]:
        """Return what waits in responders that live: what a file of another says is long gone."""
        since_ns = time.monotonic_ns() - int(STALE_S * 1e9)
        found = {}
        for path, words in self._files.items():
            index, _, part = path.stem.removeprefix("counters-").rpartition("-")
            if part == SLOW_PART and index.isdecimal() and words[BEAT_NS] > since_ns:
                found[int(index)] = {word: int(words[word]) for word in (DEFERRED_WAITING, TCP_WAITING, TCP_IDLE)}
        return found

    def part_with_lost(self) -> None:
        """Let files that were removed go: what is counted in them is summed on, and others may take their places."""
        with self._lock:
            for path in self._held.lost(self._files):
                self._former.append((is_fast(path), self._files.pop(path)))
            self._held.forget()
            self._held.lost(self._files)

    def keep_former(self) -> None:
        """Write what was counted in files that are gone to files of their own; nobody counts in those any more.

        Raises OSError where there is no room; they are summed on from memory then.
        """
        with self._lock:
            kinds = (self._load_balancers, self._pools, self._endpoints, self._rules)
            counts = [one.slot_count for one in kinds]
            for part in {int(is_fast) for is_fast, _ in self._former}:
                path = self._run.former_counters(part)
                allocate_counters(path, *counts)
                kept = np.frombuffer(open_counters(path, writable=True), dtype=np.uint64)
                ranges = zip((DATAGRAMS, *SLOTS_FIRST), (LOAD_BALANCERS_FIRST, *counts), strict=True)
                for first, count in ranges:
                    for is_fast, words in self._former:
                        if is_fast == bool(part):
                            kept[first : first + count] += words[first : first + count]
                self._former = [one for one in self._former if one[0] != bool(part)]

    def _opened(self) -> list[Words]:
        for path in self._run.all_counters():
            if path not in self._files:
                # One that a responder is just making is there in the next read.
                with contextlib.suppress(OSError, ValueError):
                    self._files[path] = np.frombuffer(open_counters(path), dtype=np.uint64)
        self._held.lost(self._files)  # they are known from now on
        return [*self._files.values(), *(words for _, words in self._former)]


def is_fast(path: Path) -> bool:
    """Whether a file of counters is of a thread of the fast path."""
    return path.stem.rpartition("-")[2] != SLOW_PART


class _Range:
    """Words from `first` on, summed over files; never less than was read before.

    While one responder replaces another both write to one file for a moment, and a count may be set back by some.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self._seen: Words = np.zeros(0, np.uint64)

    def read(self, files: Sequence[Words], count: int) -> Words:
        """Return `count` sums; the array is the caller's to keep."""
        sums = np.zeros(max(count, len(self._seen)), np.uint64)
        for words in files:
            sums += words[self.first : self.first + len(sums)]
        sums[: len(self._seen)] = np.maximum(sums[: len(self._seen)], self._seen)
        self._seen = sums
        return sums


class _Kind:
    """The counts of one kind of things that have slots."""

    def __init__(self, first: int, named: Callable[[Any], Key] = _as_it_is) -> None:
        self._range = _Range(first)
        self._names = CountedNames(named=named)
        self.slot_count = 0
        self._bases: Words = np.zeros(0, np.uint64)  # by slot: what its count is to be read from

    def plan(self, of: Mapping[Any, int], changed: Iterable[Any] | None) -> KindPlan:
        """Return who is to be counted, and the slots whose holders are new. `changed`: the keys that may have another
        slot than in the last plan that was taken up, None where all may."""
        names, before = self._names, self._names.of
        moved = []
        if of is not before:
            names = CountedNames(of, names.named)
            moved = [(of[key], before.get(key, SLOTS_MAX)) for key in (of if changed is None else changed) if key in of]
        moved = [(slot, former) for slot, former in moved if slot != former and slot < SLOTS_MAX]
        fresh = np.array([slot for slot, _ in moved], dtype=np.int64)
        former = np.array([former if former < SLOTS_MAX else NOWHERE for _, former in moved], dtype=np.int64)
        return KindPlan(names, fresh, former, max(self.slot_count, 1 + int(fresh.max(initial=-1))))

    def follow(self, plan: KindPlan, files: Sequence[Words], has_names: bool) -> None:
        """Take a plan up. Of the first names none is taken for new: a server that is taken over counts on."""
        self._names, self.slot_count = plan.names, plan.slot_count
        self._bases = np.append(self._bases, np.zeros(self.slot_count - len(self._bases), np.uint64))
        if has_names and len(plan.fresh):
            sums = self._range.read(files, self.slot_count)
            counts = np.append(sums - self._bases, np.uint64(0))  # the last one is NOWHERE's
            # Numbers without a sign wrap around: a base may be below 0, where a name brings more than its slot had.
            self._bases[plan.fresh] = sums[plan.fresh] - counts[plan.former]

    def read(self, files: Sequence[Words]) -> Counted:
        """Return the counts of all names."""
        sums = self._range.read(files, self.slot_count)[self._names.slots]
        return Counted(self._names, sums - self._bases[self._names.slots])


def rcode_name(code: int) -> str:
    """Return the name of an RCODE of a header."""
    return RCODE_NAMES.get(code, f"RCODE{code}")


def type_name(number: int) -> str:
    """Return what a counter of types is called."""
    if number in (0, TYPE_OTHER):
        return "none" if number == 0 else "other"
    return type_text(number)
