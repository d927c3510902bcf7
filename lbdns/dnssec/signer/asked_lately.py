"""Who is asked: names at which load balancers stand, and names below wildcard ones, by when they were asked last.

    a request of a responder -----------------------> `note`
    a signature that was sent (signed_used) -- scan --> `note`: in the table each slot is somebody's

A name and type is a *subject*, a number. Those of load balancers' own names are numbered by the snapshot alone, so
nothing is kept for the many that nobody asks; names that clients choose are kept, so many at most, and made ready only
when they come again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_SRV
from lbdns.dns.name import WILDCARD_LABEL, read_name
from lbdns.dnssec.signer.pool_answers import SteeredKind
from lbdns.snapshot.lookup.name_rows import (
    DIRECTORY,
    NAME_ROW,
    NO_ROW,
    ROW_LOAD_BALANCER,
    ROW_OFFSET,
    ROW_ZONE,
)
from lbdns.steering.kernel.numbers import FAMILY_A, FAMILY_AAAA, FAMILY_NAMED

CHOSEN_MAX: Final = 16_384
"""Names that clients chose, below wildcards, that are known at a time."""
NOBODY: Final = -1

KINDS: Final = (
    SteeredKind(TYPE_A, FAMILY_A),
    SteeredKind(TYPE_AAAA, FAMILY_AAAA),
    SteeredKind(TYPE_MX, FAMILY_NAMED),
    SteeredKind(TYPE_SRV, FAMILY_NAMED),
)
"""The kinds of queries that are answered ahead; CNAME is asked by few."""
POSITIONS: Final = (0, 0, 1, 2)
"""Of each kind, where a name's row has the load balancer that answers it."""
NUMBERS: Final = {kind.qtype: number for number, kind in enumerate(KINDS)}


class Subject(NamedTuple):
    """A name (lower-case wire form) and kind of query. `entry`: the name that answers: itself, or a wildcard above."""

    owner: bytes
    zone: int
    entry: int
    kind: SteeredKind
    load_balancer: int

    @property
    def key(self) -> tuple[bytes, int, int]:
        """What it is known by."""
        return self.owner, self.zone, self.kind.qtype


class TimesAsked(NamedTuple):
    """When a subject was asked last, by CLOCK_MONOTONIC, 0 for never; and how often that was noticed."""

    at_s: int
    times: int


NEVER: Final = TimesAsked(0, 0)


class AskedLately:
    """The subjects of one snapshot, and when each was asked. `own_count`: the numbers below it are of load balancers'
    own names; those of names that clients choose lie above, and come but once."""

    def __init__(self, columns: Mapping[str, memoryview], signed_zones: NDArray[np.bool_]) -> None:
        """Number the names of the zones that are signed (by their number); nobody was asked yet."""
        self._columns = columns
        rows = np.frombuffer(columns["name_row"], np.uint32).reshape(-1, NAME_ROW)
        stands = (rows[:, ROW_LOAD_BALANCER : ROW_LOAD_BALANCER + 3] != NO_ROW).any(axis=1)
        zones = rows[:, ROW_ZONE].astype(np.int64) - 1
        is_name = stands & (zones >= DIRECTORY) & (zones < len(signed_zones))
        is_name[is_name] = signed_zones[zones[is_name]]
        self.entries = np.flatnonzero(is_name)
        size = len(self.entries) * len(KINDS)
        self.own_count = size
        self._asked_s = np.zeros(size, np.int64)
        self._times = np.zeros(size, np.int64)
        self._chosen: dict[tuple[bytes, int, int], int] = {}  # the one that came first is the first
        self._chosen_at: dict[int, Subject] = {}
        self._chosen_asked: dict[int, TimesAsked] = {}
        self._next = size

    def subject(self, number: int) -> Subject | None:
        """Return a subject by its number, None where no load balancer answers its kind there, or a wildcard's own name
        is meant."""
        if number >= self.own_count:
            return self._chosen_at.get(number)
        entry = int(self.entries[number // len(KINDS)])
        position = number % len(KINDS)
        row = entry * NAME_ROW
        balancer = self._columns["name_row"][row + ROW_LOAD_BALANCER + POSITIONS[position]]
        owner = read_name(self._columns["blob"], self._columns["name_row"][row + ROW_OFFSET])
        if balancer == NO_ROW or owner.startswith(WILDCARD_LABEL):
            return None
        return Subject(owner, self._columns["name_row"][row + ROW_ZONE] - 1, entry, KINDS[position], balancer)

    def number_of(self, subject: Subject) -> int:
        """Return a subject's number; a name below a wildcard gets one, in place of the one that was asked longest ago
        where there are too many."""
        if not self._is_wildcard(subject.entry):
            return int(np.searchsorted(self.entries, subject.entry)) * len(KINDS) + NUMBERS[subject.kind.qtype]
        number = self._chosen.pop(subject.key, None)
        if number is None:
            if len(self._chosen) == CHOSEN_MAX:
                gone = self._chosen.pop(next(iter(self._chosen)))
                del self._chosen_at[gone], self._chosen_asked[gone]
            number = self._next
            self._next += 1
            self._chosen_at[number] = subject
            self._chosen_asked[number] = NEVER
        self._chosen[subject.key] = number  # behind all others
        return number

    def is_chosen(self, number: int) -> bool:
        """Return whether a client chose the name."""
        return number >= self.own_count

    def asked(self, number: int) -> TimesAsked:
        """Return when a subject was asked last, and how often that was noticed."""
        if number >= self.own_count:
            return self._chosen_asked.get(number, NEVER)
        return TimesAsked(int(self._asked_s[number]), int(self._times[number]))

    def note(self, number: int, at_s: int, times: int = 1) -> None:
        """Hear that a subject was asked, last at a time; one that was forgotten since is not known again by that."""
        before = self.asked(number)
        now = TimesAsked(max(before.at_s, at_s), before.times + times)
        if number < self.own_count:
            self._asked_s[number], self._times[number] = now
        elif number in self._chosen_asked:
            self._chosen_asked[number] = now

    def since(self, since_s: int) -> list[int]:
        """Return the numbers of the subjects that were asked at or after a time, the latest first, of those the one
        that was asked most."""
        own = np.flatnonzero(self._asked_s >= max(since_s, 1)).tolist()
        chosen = [number for number, asked in self._chosen_asked.items() if asked.at_s >= max(since_s, 1)]
        return sorted((*own, *chosen), key=lambda number: (*self.asked(number), -number), reverse=True)

    def _is_wildcard(self, entry: int) -> bool:
        offset = self._columns["name_row"][entry * NAME_ROW + ROW_OFFSET]
        return bytes(self._columns["blob"][offset : offset + 2]) == WILDCARD_LABEL
