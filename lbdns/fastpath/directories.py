"""Which directories an instance of a zone is in, as far as its templates hang on that.

Nearly all that a zone answers is the same in each of them. But where another zone begins below its apex in some, an
alias leads out of it there, and goes on in it elsewhere. Directories that agree about which zones there are below an
instance stand for each other: one of each kind is asked, and what they say differently has no template.
"""

from __future__ import annotations

from collections.abc import Iterator

from lbdns.answer.serving_view import ServingView
from lbdns.dns.name import ROOT, parent
from lbdns.snapshot.lookup.name_rows import DIRECTORY, NAME_ROW, NO_NAME, ROW_LINK, ROW_ZONE


class Directories:
    """The directories of a snapshot, the public one and those of views, which have what differs from it."""

    def __init__(self, view: ServingView) -> None:
        """Read them."""
        self._view = view
        self._public: dict[bytes, int] = {}
        self._own: dict[int, dict[bytes, int]] = {}
        for directory, apex, zone in _rows(view):
            (self._public if directory == DIRECTORY else self._own.setdefault(directory, {}))[apex] = zone
        self._differing: dict[bytes, list[int]] = {}  # the directories that have something of their own at an apex
        # Instance -> the apexes below it that are not as in the public directory -> one that sees it so.
        self._kinds: dict[int, dict[frozenset[bytes], int]] = {}
        if self._own:
            for zone in self._public.values():
                self._kinds[zone] = {frozenset(): DIRECTORY}
        for directory, rows in self._own.items():
            self._sort_in(directory, rows)

    def _sort_in(self, directory: int, rows: dict[bytes, int]) -> None:
        below: dict[int, set[bytes]] = {}
        for apex, zone in rows.items():
            self._differing.setdefault(apex, []).append(directory)
            if (zone == NO_NAME) != (apex in self._public):
                continue
            for name in _above(apex):
                around = rows.get(name, self._public.get(name, NO_NAME))
                if around != NO_NAME:
                    below.setdefault(around, set()).add(apex)
        for zone, apexes in below.items():
            self._kinds.setdefault(zone, {}).setdefault(frozenset(apexes), directory)
        for zone in rows.values():
            if zone != NO_NAME and zone not in below:
                self._kinds.setdefault(zone, {}).setdefault(frozenset(), directory)

    def of_name(self, zone: int, name: bytes) -> list[int]:
        """Return one of each kind of directories in which an instance answers for a name in it, or any where it answers
        for it in none."""
        kinds = self._kinds.get(zone)
        if kinds is None:
            return [DIRECTORY]
        directories = list(kinds.values())
        if len(directories) == 1:
            return directories
        return [one for one in directories if self._view.zones_above(one, name)[:1] == [zone]] or directories[:1]

    def around(self, name: bytes) -> list[int]:
        """Return the public directory, and those that have other zones than it at a name or above."""
        found = {DIRECTORY: None}
        if self._differing:
            for apex in (name, *_above(name)):
                found |= dict.fromkeys(self._differing.get(apex, ()))
        return list(found)


def _rows(view: ServingView) -> Iterator[tuple[int, bytes, int]]:
    """Yield directory, apex and instance (NO_NAME: none) of all directories: the last names of all."""
    rows, zones = view.columns["name_row"], len(view.columns["zone_apex"])
    for entry in range(len(rows) // NAME_ROW - 1, -1, -1):
        directory = rows[entry * NAME_ROW + ROW_ZONE]
        if DIRECTORY < directory <= zones:  # a zone's own name
            return
        yield directory, view.name(entry), rows[entry * NAME_ROW + ROW_LINK]


def _above(name: bytes) -> Iterator[bytes]:
    """Yield the names above a name, nearest first, the root last."""
    while name != ROOT:
        name = parent(name)
        yield name
