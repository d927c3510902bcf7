"""The template columns of a snapshot: those of the last one, altered where few names are others, or rendered anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from lbdns.answer.serving_view import ServingView
from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.sorted_set import sorted_set
from lbdns.fastpath.template_memo import TemplateMemo
from lbdns.fastpath.template_rows import PLAIN_TYPES, TemplateRows
from lbdns.mapped.columns import NONE_32
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.name_columns import NameColumns, NameStep, has_room
from lbdns.snapshot.lookup.name_rows import NAME_ROW, ROW_FIRST_RRSET

RENDERED_MAX: Final = 2000
"""Names whose answers are rendered anew, as they are others, or may hang on others; beyond that, all are."""
_ENDPOINT_COLUMNS: Final = ("endpoint_zone", "endpoint_other", "endpoint_is_nested", "endpoint_template")


@without_cyclic_collection()
def add_templates(
    snapshot: Snapshot, view: ServingView, memo: TemplateMemo | None = None, names: NameColumns | None = None
) -> Snapshot:
    """Return the snapshot with its template columns filled; `view` is any view of it. `memo`: what was filled last;
    `names`: the snapshot's columns of names, as they were compiled."""
    if memo is None or names is None:
        return _with(snapshot, _columns(_anew(view)))
    known = memo.columns(snapshot)
    if known is not None and memo.names is names.key:
        return _with(snapshot, known)
    rows, waste, step = None, 0, names.step
    if known is not None and step and step.of is memo.names and has_room(memo.waste, len(known["template_blob"])):
        rows = _altered(view, step, known)
        if rows is not None:
            waste = memo.waste + len(rows.columns["template_blob"]) - len(known["template_blob"])
    rows = rows or _anew(view)
    filled = _columns(rows)
    memo.keep(names.key, snapshot, filled, rows.has_aliases, waste)
    return _with(snapshot, filled)


def _with(snapshot: Snapshot, filled: Mapping[str, memoryview]) -> Snapshot:
    return Snapshot({**snapshot.columns, **filled}, snapshot.meta)


def _columns(rows: TemplateRows) -> dict[str, memoryview]:
    return {name: memoryview(column).toreadonly() for name, column in rows.columns.items()}


def _anew(view: ServingView) -> TemplateRows:
    rows = TemplateRows(view)
    rows.fill()
    return rows


def _altered(view: ServingView, step: NameStep, known: Mapping[str, memoryview]) -> TemplateRows | None:
    """Return what comes of known templates where the names of a step are others; None where too much is.

    An answer that is more than an RRset of PLAIN_TYPES may have records of other names beside it.
    """
    columns = view.columns
    names = np.full(len(columns["name_row"]) // NAME_ROW, NONE_32, dtype=np.uint32)
    rrsets = np.full(len(columns["rrset_type"]), NONE_32, dtype=np.uint32)
    for one in step.stayed:
        names[one.now : one.now + one.last - one.first] = known["name_template"][one.first : one.last]
        count = one.last_rrset - one.first_rrset
        rrsets[one.now_rrset : one.now_rrset + count] = known["rrset_template"][one.first_rrset : one.last_rrset]
    anew = sorted(step.fresh.union(_not_plain(columns)))
    if len(anew) > RENDERED_MAX:
        return None
    rows = TemplateRows(view)
    rows.go_on(known["template_blob"])
    for entry in anew:
        first, count = view.rrset_rows(entry)
        those = rrsets[first : first + count]
        rows.may_be([int(names[entry]), *those.tolist()])
        names[entry], rrsets[first : first + count] = rows.of_name(entry)
    rows.columns["name_template"].frombytes(names.tobytes())
    rows.columns["rrset_template"].frombytes(rrsets.tobytes())
    rows.columns["zone_template"].frombytes(known["zone_template"].cast("B"))
    for zone in sorted(step.zones):
        rows.may_be([known["zone_template"][zone]])
        rows.columns["zone_template"][zone] = rows.of_zone(zone)
    for name in _ENDPOINT_COLUMNS:
        rows.columns[name].frombytes(known[name].cast("B"))
    return rows


def _not_plain(columns: Mapping[str, memoryview]) -> Iterator[int]:
    """Yield the names with an RRset of other than PLAIN_TYPES."""
    types: Any = np.frombuffer(columns["rrset_type"], np.uint16)
    firsts: Any = np.frombuffer(columns["name_row"], np.uint32)[ROW_FIRST_RRSET::NAME_ROW]
    rrsets = np.flatnonzero(~np.isin(types, [*PLAIN_TYPES]))
    # Of names that begin at one row, the last has it: the others have none.
    yield from sorted_set(np.searchsorted(firsts, rrsets, side="right") - 1).tolist()
