"""Records of a change that clash, with one another or with what is there: each of them told where the request has it.

    the same record, TTL and all                        identical
    the same record with another TTL                    exists
    CNAME beside CNAME, A or AAAA                       host
    CNAME beside other records                          nothing that the v4 API has words for

The checks of a zone tell of an RRset once. Here, a record is at fault that comes behind one that it clashes with, or
that clashes with one which the change does not write. Records of a view clash with one another alone: those that all
see give way to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from lbdns.base.errors import Clash, Problem
from lbdns.base.kinds import Kind
from lbdns.dns.rdata.record_types import type_text, types_where
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.matching import ttl_s
from lbdns.manage.store.records.record_bodies import stored_key
from lbdns.manage.store.state import State

_CNAME: Final = "CNAME"
_HOSTS: Final = frozenset({"A", "AAAA", _CNAME})
_BESIDE_CNAME: Final = frozenset(map(type_text, types_where(lambda row: row.is_beside_cname))) - {_CNAME}


def each_told(problems: Iterable[Problem], state: State, written: Collection[str]) -> list[Problem]:
    """Return problems, the clashes among them once for each written record (by id) that is at fault."""
    others: list[Problem] = []
    clashes: dict[tuple[str | int, ...], Problem] = {}
    by_label: dict[str, list[Item]] = {}
    told: dict[tuple[object, ...], bool] = {}
    for problem in problems:
        record = _clashing(problem, state)
        if record is None:
            others.append(problem)
            continue
        key = stored_key(record) if problem.clash == "exists" else ()
        key = (record.label, *key)
        if key not in told:
            if not by_label:
                for one in state.records(record.zone_id).values():
                    by_label.setdefault(one.label, []).append(one)
            found = _at_fault(problem, record, by_label[record.label], written)
            told[key] = bool(found)
            for clash in found:
                clashes.setdefault(clash.at, clash)
        if not told[key]:
            others.append(problem)
    return [*clashes.values(), *others]


def _clashing(problem: Problem, state: State) -> Item | None:
    """Return the record that a clash was found at; None for a problem that is none."""
    is_clash = problem.clash and problem.at[:1] == ("records",)
    return state.get(Kind.RECORD, str(problem.at[1])) if is_clash else None


def _at_fault(problem: Problem, record: Item, here: list[Item], written: Collection[str]) -> list[Problem]:
    """Return a clash as it is told of each written record of a name; nothing where none of them is at fault."""
    if problem.clash == "host":
        return list(_beside(problem, here, written))
    wanted = stored_key(record)
    same = [one for one in here if one.body["type"] == record.body["type"] and stored_key(one) == wanted]
    return list(_same(problem, same, written))


def _same(problem: Problem, here: list[Item], written: Collection[str]) -> Iterator[Problem]:
    """Yield the clash for each written record that is the same as one before it, or as one that is not written."""
    ttls_s = {ttl_s(one.body) for one in here if one.id not in written}
    for one in here:
        if one.id in written and ttls_s:
            clash: Clash = "identical" if ttl_s(one.body) in ttls_s else "exists"
            yield replace(problem, at=("records", one.id, "content"), clash=clash)
        ttls_s.add(ttl_s(one.body))


def _beside(problem: Problem, here: list[Item], written: Collection[str]) -> Iterator[Problem]:
    """Yield the same for records that cannot stand beside one another."""
    types = {one.body["type"] for one in here if one.id not in written}
    for one in here:
        mine = one.body["type"]
        clashing = types - _BESIDE_CNAME if mine == _CNAME else types & {_CNAME} if mine not in _BESIDE_CNAME else set()
        if one.id in written and clashing:
            are_hosts = mine in _HOSTS and bool(clashing & _HOSTS)
            yield replace(problem, at=("records", one.id, "name"), clash="host" if are_hosts else "")
        types.add(mine)
