"""The columns of names altered where few names of the zones are others, and where the texts before them are.

Rows between those that are others are copied, and moved by as much as stands before them now; rows that are others,
and new ones at their zone's end, are appended as a compile appends them. Record data that no row leads to any more
stays in the blob, up to a share of it. What bears on more than single names is compiled anew: views, signed zones,
transfers with what load balancers answer, delegations and DNAMEs that come or go, and names below those.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, compress, count
from operator import attrgetter, is_not
from typing import Any, Final, NamedTuple

import numpy as np

from lbdns.base.memo import shared_ends
from lbdns.base.words import BALANCER_TYPES
from lbdns.dns.codes import TYPE_DNAME, TYPE_NS
from lbdns.dns.name import WILDCARD_LABEL, is_at_or_below, longest_match, parent
from lbdns.dns.rdata.record_types import HIDDEN_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.blob import Blob
from lbdns.mapped.columns import HEALTH_COLUMNS, NONE_32, empty_columns
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.compile.name_columns import NAME_COLUMNS, NameBasis, NameColumns, NameStep, Stretch, has_room
from lbdns.snapshot.compile.zone_columns import BY_NAME, NameRows, NodeDraft, Placed, flags_of
from lbdns.snapshot.lookup.name_rows import (
    FLAGS_SHIFT,
    NAME_CUT,
    NAME_ROW,
    NO_NAME,
    ROW_FIRST_RRSET,
    ROW_LINK,
    ROW_LOAD_BALANCER,
    ROW_OFFSET,
    ROW_RRSETS,
)
from lbdns.snapshot.lookup.name_table import Suffixes, build_table, find, set_name

CHANGED_MAX: Final = 1000
CHANGED_MIN: Final = 16
CHANGED_SHARE: Final = 8
"""RRsets and load balancers that are others, beyond which all is compiled anew: this part of all names, within these
bounds. A name that is altered takes four times what one takes that is compiled with all others."""
VANISHED_MAX: Final = 16
"""Names that have nothing of their own any more: of each, all others are asked whether they are below."""
_OWNER: Final = attrgetter("owner")
_NO_HEALTH: Final = {one.name: memoryview(array(one.code)) for one in HEALTH_COLUMNS}
_RRSET_COLUMNS: Final = ("rrset_type", "rrset_ttl", "rrset_rdata_count")
_KEPT_COLUMNS: Final = tuple(
    name
    for name in NAME_COLUMNS
    if name not in (*_RRSET_COLUMNS, "table", "name_row", "rrset_rdata_start", "rdata_offset", "rdata_length")
    and name not in ("zone_apex", "blob")
)
"""What stays as it is."""


def patched_names(blob: memoryview, basis: NameBasis, before: NameColumns) -> NameColumns | None:
    """Return the columns on another basis, altered where names are others; None where they are to be compiled anew.
    `blob`: what stands in it before names do."""
    most = min(CHANGED_MAX, max(CHANGED_MIN, len(before.hashes) // CHANGED_SHARE))
    changes = _changes(before.basis, basis, most)
    if changes is None or not has_room(before.waste, len(before.columns["blob"]) - len(blob)):
        return None
    changed = _Changed(before, basis, changes)
    return _SplicedNames(blob, basis, before, changed).finish() if changed.read() else None


class _Changes(NamedTuple):
    """What is another: owners of RRsets by the zone's index, and load balancers that came and went."""

    owners: dict[int, set[bytes]]
    came: Collection[Placed]
    went: Collection[Placed]


def _changes(before: NameBasis, now: NameBasis, left: int) -> _Changes | None:
    """Return what is another; None where it is more than single names, or more than `left`."""
    if before.directories is not None or now.directories is not None or before.flats or now.flats:
        return None
    if len(before.zones) != len(now.zones):
        return None
    owners: dict[int, set[bytes]] = {}
    for index in compress(count(), map(is_not, before.zones, now.zones)):
        found = _other_rrsets(before.zones[index], now.zones[index])
        if found is None or len(found) > left:
            return None
        left -= len(found)
        owners[index] = {rrset.owner for rrset in found}
    first, last = shared_ends(before.placed, now.placed)
    were = frozenset(before.placed[first : len(before.placed) - last])
    are = frozenset(now.placed[first : len(now.placed) - last])
    came, went = are - were, were - are
    if (came or went) and len(came) + len(went) > left:
        return None
    if any(zone.signed for zone in (*before.zones, *now.zones)):
        return None
    return _Changes(owners, came, went)


def _other_rrsets(before: Zone, now: Zone) -> list[RRset] | None:
    """Return the RRsets that only one of two zones has; None where the zones differ by more than those."""
    if before.apex != now.apex or before.view != now.view or not before.rrsets or not now.rrsets:
        return None
    first = next(compress(count(), map(is_not, before.rrsets, now.rrsets)), min(len(before.rrsets), len(now.rrsets)))
    were, are = before.rrsets[first:], now.rrsets[first:]
    last = next(compress(count(), map(is_not, reversed(were), reversed(are))), min(len(were), len(are)))
    were, are = were[: len(were) - last], are[: len(are) - last]
    kept = {*map(id, were)} & {*map(id, are)}
    found = [rrset for rrset in chain(were, are) if id(rrset) not in kept]
    is_wide = any(one.type == TYPE_DNAME or (one.type == TYPE_NS and one.owner != now.apex) for one in found)
    return None if is_wide else found


class _Name(NodeDraft):
    """What stands at a name now. `row`: where it stood, NO_NAME where it was not there."""

    __slots__ = ("row",)

    def __init__(self, row: int) -> None:
        super().__init__()
        self.row = row

    @property
    def is_empty(self) -> bool:
        return not self.rrsets and not self.load_balancers


class _Changed:
    """The names that are others, by zone: what stands at them now, those above that come with them or go."""

    def __init__(self, before: NameColumns, basis: NameBasis, changes: _Changes) -> None:
        self._before, self._basis, self._changes = before, basis, changes
        self._rows = _rows_of(before.columns)
        self._typed = TypedColumns(
            {**{name: memoryview(one) for name, one in empty_columns().items()}, **before.columns}, _NO_HEALTH
        )
        self._suffixes = Suffixes()
        self.zones: dict[int, dict[bytes, _Name]] = {}
        self.vanished: dict[int, set[bytes]] = {}

    def read(self) -> bool:
        """Find out all of it; False where it bears on more than the names."""
        steered = self._steered()
        if steered is None:
            return False
        owners = {index: set(found) for index, found in self._changes.owners.items()}
        for index, by_owner in steered.items():
            owners.setdefault(index, set()).update(by_owner)
        return all(self._read_zone(index, found, steered.get(index, {})) for index, found in owners.items())

    def row(self, zone: int, name: bytes) -> int:
        """Return where a name stood, NO_NAME where it was not there."""
        set_name(self._suffixes, name)
        return find(self._typed, zone + 1, self._suffixes, 0)

    def _steered(self) -> dict[int, dict[bytes, list[tuple[str, int | None]]]] | None:
        """Return by zone and name which kinds of load balancers came, with their rows, and which went (None)."""
        apexes = {zone.apex: index for index, zone in enumerate(self._basis.zones)}
        found: dict[int, dict[bytes, list[tuple[str, int | None]]]] = {}
        went = ((one, None) for one in self._changes.went)
        for (at, name, kind, _), row in chain(went, ((one, one[3]) for one in self._changes.came)):
            zone = longest_match(name, apexes) if at == BY_NAME else at
            if zone is None or not self._is_balanced(zone):
                return None
            found.setdefault(zone, {}).setdefault(name, []).append((kind, row))
        return found

    def _is_balanced(self, zone: int) -> bool:
        """Whether a zone had a load balancer, and has one still, so that transfers of it are of the same sort."""
        first, last = self._before.rows_of(zone)
        steered = self._rows[first:last, ROW_LOAD_BALANCER:]
        return int((steered != NONE_32).sum()) > len(self._changes.went)

    def _read_zone(
        self, zone: int, owners: set[bytes], steered: Mapping[bytes, Sequence[tuple[str, int | None]]]
    ) -> bool:
        whole = self._basis.zones[zone]
        names = self.zones[zone] = {owner: self._name(zone, owner) for owner in owners}
        if self._has_cuts(zone) and any(self._is_hidden(zone, owner, whole.apex) for owner in owners):
            return False
        for owner, kinds in steered.items():
            self._steer(names[owner], kinds)
        self._fill(zone, owners)
        for owner in owners:
            self._add_above(zone, owner, whole.apex)
        return self._vanish(zone, whole.apex)

    def _name(self, zone: int, name: bytes) -> _Name:
        """Return a name with the load balancers that stood there."""
        found = _Name(self.row(zone, name))
        if found.row != NO_NAME:
            rows = self._rows[found.row, ROW_LOAD_BALANCER:].tolist()
            found.load_balancers = {kind: row for kind, row in zip(BALANCER_TYPES, rows, strict=True) if row != NONE_32}
        return found

    def _steer(self, name: _Name, kinds: Sequence[tuple[str, int | None]]) -> None:
        there: dict[str, int | None] = {**name.load_balancers, **dict(kinds)}  # those that came behind those that went
        name.load_balancers = {kind: row for kind, row in there.items() if row is not None}

    def _has_cuts(self, zone: int) -> bool:
        first, last = self._before.rows_of(zone)
        return bool((self._rows[first:last, ROW_RRSETS] >> FLAGS_SHIFT & NAME_CUT).any())

    def _is_hidden(self, zone: int, owner: bytes, apex: bytes) -> bool:
        """Whether a delegation stands at a name or above it."""
        while True:
            row = self.row(zone, owner)
            if row != NO_NAME and int(self._rows[row, ROW_RRSETS]) >> FLAGS_SHIFT & NAME_CUT:
                return True
            if owner == apex:
                return False
            owner = parent(owner)

    def _add_above(self, zone: int, owner: bytes, apex: bytes) -> None:
        """Add the names above a new one that are not there yet, and the one whose wildcard comes or goes."""
        names, name = self.zones[zone], owner
        if names[owner].row == NO_NAME and not names[owner].is_empty:
            while name != apex:
                name = parent(name)
                if self.row(zone, name) != NO_NAME:
                    break
                names.setdefault(name, _Name(NO_NAME))
        if owner.startswith(WILDCARD_LABEL) and owner != apex:
            self._touch(zone, parent(owner))

    def _touch(self, zone: int, name: bytes) -> None:
        """Have a name's row written anew, as its wildcard may be another."""
        names = self.zones[zone]
        if name not in names:
            names[name] = self._name(zone, name)
            self._fill(zone, {name})

    def _fill(self, zone: int, owners: Collection[bytes]) -> None:
        """Give names of a zone the RRsets that stand there, but those that their load balancers hide."""
        names, rrsets = self.zones[zone], self._basis.zones[zone].rrsets
        for rrset in compress(rrsets, map(owners.__contains__, map(_OWNER, rrsets))):
            name = names[rrset.owner]
            if not any(rrset.type in HIDDEN_TYPES[kind] for kind in name.load_balancers):
                name.rrsets.append(rrset)

    def _vanish(self, zone: int, apex: bytes) -> bool:
        """Take out the names that have nothing of their own and nothing below them; False where there are too many to
        ask."""
        names = self.zones[zone]
        empty = [owner for owner, name in names.items() if name.is_empty and name.row != NO_NAME and owner != apex]
        for owner in [owner for owner, name in names.items() if name.is_empty and name.row == NO_NAME]:
            if not any(
                other != owner and is_at_or_below(other, owner) for other, one in names.items() if not one.is_empty
            ):
                del names[owner]
        if len(empty) > VANISHED_MAX:
            return False
        gone = self.vanished[zone] = set()
        for owner in empty:
            while owner != apex and owner not in gone and not self._has_below(zone, owner):
                gone.add(owner)
                names.setdefault(owner, self._name(zone, owner))
                above = parent(owner)
                if owner.startswith(WILDCARD_LABEL):
                    self._touch(zone, above)
                known = names.get(above) or self._whole(zone, above)
                if not known.is_empty:
                    break
                owner = above
        return True

    def _whole(self, zone: int, name: bytes) -> _Name:
        found = self._name(zone, name)
        found.rrsets = [one for one in self._basis.zones[zone].rrsets if one.owner == name]
        return found

    def _has_below(self, zone: int, name: bytes) -> bool:
        """Whether records or load balancers stand below a name."""
        rest = (rrset.owner for rrset in self._basis.zones[zone].rrsets)
        return any(
            len(one) > len(name) and one.endswith(name) and is_at_or_below(one, name)
            for one in chain(rest, (placed[1] for placed in self._basis.placed))
        )


class _SplicedNames:
    """Puts the columns together from what stands and what is another."""

    def __init__(self, blob: memoryview, basis: NameBasis, before: NameColumns, changed: _Changed) -> None:
        self._basis, self._before, self._changed = basis, before, changed
        self._old = _rows_of(before.columns)
        self._texts, self._texts_moved = len(blob), len(blob) - before.texts
        self.columns = empty_columns()
        self.columns["blob"].frombytes(blob)
        self.columns["blob"].frombytes(before.columns["blob"][before.texts :])
        self.columns["public_zones"].frombytes(before.columns["public_zones"].cast("B"))
        self._blob_before = len(self.columns["blob"])
        self._rows = NameRows(self.columns, Blob(self.columns["blob"]), None)
        self._moved = np.full(len(self._old) + 1, NONE_32, dtype=np.uint32)
        self._fresh: dict[tuple[int, bytes], int] = {}
        self._stretches: list[Stretch] = []
        self._at = 0  # the row of before that comes next

    def finish(self) -> NameColumns:
        """Return the columns."""
        for first, last, names in self._edits():
            self._copy(first)
            for zone, name, one in names:
                self._append(zone, name, one)
            self._at = last
        self._copy(len(self._old))
        self._link()
        before, columns = self._before, self.columns
        columns["zone_apex"].frombytes(self._moved[np.frombuffer(before.columns["zone_apex"], np.uint32)].tobytes())
        finished = {name: memoryview(columns[name]).toreadonly() for name in NAME_COLUMNS}
        finished |= {name: before.columns[name] for name in _KEPT_COLUMNS}
        if self._rows.hashes == before.hashes:
            finished["table"], hashes = before.columns["table"], before.hashes
        else:
            finished["table"], hashes = memoryview(build_table(self._rows.hashes)).toreadonly(), self._rows.hashes
        step = NameStep(
            before.key, tuple(self._stretches), frozenset(self._fresh.values()), frozenset(self._changed.zones)
        )
        waste = before.waste + len(columns["blob"]) - self._blob_before
        return NameColumns(self._basis, finished, hashes, self._texts, waste, step)

    def _edits(self) -> Iterator[tuple[int, int, list[tuple[int, bytes, _Name]]]]:
        """Yield, in order, which rows go, and what takes their place."""
        for zone in sorted(self._changed.zones):
            names, gone = self._changed.zones[zone], self._changed.vanished[zone]
            there = sorted((one.row, name) for name, one in names.items() if one.row != NO_NAME)
            for row, name in there:
                yield row, row + 1, [] if name in gone else [(zone, name, names[name])]
            end = self._before.rows_of(zone)[1]
            yield end, end, [(zone, name, one) for name, one in names.items() if one.row == NO_NAME]

    def _copy(self, end: int) -> None:
        """Copy the rows up to one, with their RRsets and records."""
        start, old, columns = self._at, self._old, self.columns
        if start >= end:
            return
        before = self._before.columns
        first, last = self._first_rrset(start), self._first_rrset(end)
        first_data, last_data = self._first_rdata(first), self._first_rdata(last)
        number, rrsets, rdatas = len(self._rows.hashes), len(columns["rrset_type"]), len(columns["rdata_offset"])
        rows = old[start:end].copy()
        rows[:, ROW_FIRST_RRSET] += np.uint32((rrsets - first) % (1 << 32))
        rows[:, ROW_OFFSET] += np.uint32(self._texts_moved % (1 << 32))
        columns["name_row"].frombytes(rows.tobytes())
        for name in _RRSET_COLUMNS:
            columns[name].frombytes(before[name][first:last].cast("B"))
        _append_moved(columns["rrset_rdata_start"], before["rrset_rdata_start"][first:last], rdatas - first_data)
        _append_moved(columns["rdata_offset"], before["rdata_offset"][first_data:last_data], self._texts_moved)
        columns["rdata_length"].frombytes(before["rdata_length"][first_data:last_data].cast("B"))
        self._rows.hashes.frombytes(memoryview(self._before.hashes)[start:end].cast("B"))
        self._moved[start:end] = np.arange(number, number + end - start, dtype=np.uint32)
        self._stretches.append(Stretch(start, end, number, first, last, rrsets))

    def _first_rrset(self, row: int) -> int:
        if row < len(self._old):
            return int(self._old[row, ROW_FIRST_RRSET])
        return len(self._before.columns["rrset_type"])

    def _first_rdata(self, rrset: int) -> int:
        starts = self._before.columns["rrset_rdata_start"]
        return starts[rrset] if rrset < len(starts) else len(self._before.columns["rdata_offset"])

    def _append(self, zone: int, name: bytes, one: _Name) -> None:
        number = self._fresh[zone, name] = len(self._rows.hashes)
        self._rows.append_name(zone + 1, name, NO_NAME, flags_of(one.rrsets), one)
        for rrset in one.rrsets:
            self._rows.append_rrset(rrset)
        if one.row != NO_NAME:
            self._moved[one.row] = number

    def _link(self) -> None:
        """Have rows lead to where those stand now that they led to, and those that are others to their wildcards."""
        rows = np.frombuffer(self.columns["name_row"], np.uint32).reshape(-1, NAME_ROW)
        links = rows[
            : len(rows) - len(self._basis.zones), ROW_LINK
        ]  # behind those: the directory's, which lead to zones
        leading = links != NO_NAME
        if leading.any():
            links[leading] = self._moved[links[leading]]
        for (zone, name), number in self._fresh.items():
            child = WILDCARD_LABEL + name
            found = self._fresh.get((zone, child))
            if found is None:
                row = self._changed.row(zone, child)
                found = NO_NAME if row == NO_NAME else int(self._moved[row])
            links[number] = found


def _rows_of(columns: Mapping[str, memoryview]) -> Any:
    """Return the rows of names, an array of shape (names, NAME_ROW)."""
    return np.frombuffer(columns["name_row"], np.uint32).reshape(-1, NAME_ROW)


def _append_moved(column: array[int], values: memoryview, by: int) -> None:
    """Append 32-bit values, each with as much more; modulo 2**32, so `by` may be below 0."""
    if by == 0:
        column.frombytes(values.cast("B"))
    else:
        column.frombytes((np.frombuffer(values, np.uint32) + np.uint32(by % (1 << 32))).tobytes())
