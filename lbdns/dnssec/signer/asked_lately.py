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


class AskedLately:
    """The subjects of one snapshot. `asked_s`: when each was asked last, by CLOCK_MONOTONIC, 0 for never; `count`: how
    often that was noticed."""

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
        self.asked_s = np.zeros(size + CHOSEN_MAX, np.int64)
        self.count = np.zeros(size + CHOSEN_MAX, np.int64)
        self._chosen: dict[tuple[bytes, int, int], int] = {}
        self._chosen_at: dict[int, Subject] = {}
        self.own_count = size

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
            number = self.own_count + len(self._chosen)
            if len(self._chosen) == CHOSEN_MAX:
                number = self._chosen.pop(next(iter(self._chosen)))
            self._chosen_at[number] = subject
            self.asked_s[number] = self.count[number] = 0
        self._chosen[subject.key] = number  # behind all others
        return number

    def is_chosen(self, number: int) -> bool:
        """Return whether a client chose the name."""
        return number >= self.own_count

    def note(self, number: int, now_s: int) -> None:
        """Hear that a subject was asked at a time."""
        self.asked_s[number] = max(self.asked_s[number], now_s)
        self.count[number] += 1

    def since(self, since_s: int) -> NDArray[np.int64]:
        """Return the numbers of the subjects that were asked at or after a time, the latest first."""
        numbers = np.flatnonzero(self.asked_s >= max(since_s, 1))
        return numbers[np.lexsort((numbers, -self.count[numbers], -self.asked_s[numbers]))]

    def _is_wildcard(self, entry: int) -> bool:
        offset = self._columns["name_row"][entry * NAME_ROW + ROW_OFFSET]
        return bytes(self._columns["blob"][offset : offset + 2]) == WILDCARD_LABEL
