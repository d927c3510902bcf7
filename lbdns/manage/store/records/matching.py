"""Records of a zone file and records of the store: which of them are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lbdns.base import words
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import NAME_SERVER, content_meant
from lbdns.model.view_names import VIEW

Body = Mapping[str, Any]
Match = tuple[Item | None, dict[str, Any]]


def matched_records(wanted: Sequence[dict[str, Any]], stored: Mapping[str, Item]) -> Iterator[Match]:
    """Yield each record of a file with the stored one that it is, or None, and the body that it shall have.

    A record that lost its match to a change keeps its id where the change is plain: another priority at the same
    content, or the one record of its name, type and view with other content. What files cannot say is kept: comment,
    tags, settings, how content that stays the same is spelled, whether clients know the record of a name server. A TTL
    counts as the RRset's, the lowest of its records: a record whose own is higher keeps it.
    """
    if not stored:
        yield from ((None, body) for body in wanted)
        return
    pairs = dict(_pairs(wanted, stored))
    by_rrset: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, body in enumerate(wanted):
        by_rrset[_rrset(body)].append(index)
    keeps_ttl = {index for indexes in by_rrset.values() for index in indexes if _ttls_agree(indexes, wanted, pairs)}
    for index, body in enumerate(wanted):
        item = pairs.get(index)
        made = dict(body) if item is None else _kept(item.body, body)
        if item is not None and index in keeps_ttl:
            made["ttl"] = item.body.get("ttl", words.AUTOMATIC_TTL)
        yield item, made


def _kept(before: Body, wanted: Body) -> dict[str, Any]:
    """Return the body of a stored record that a file has, with what the file cannot say."""
    made = {**before, **wanted}
    is_same = before["content"] == wanted["content"] or content_meant(before) == content_meant(wanted)
    if is_same:
        made["content"] = before["content"]
    if NAME_SERVER in made and (is_same or NAME_SERVER not in before):
        del made[NAME_SERVER]
        made |= {NAME_SERVER: before[NAME_SERVER]} if NAME_SERVER in before else {}
    return made


def _pairs(wanted: Sequence[Body], stored: Mapping[str, Item]) -> Iterator[tuple[int, Item]]:
    """Yield (index of a wanted record, the stored record that it is), nearest likeness first."""
    left: dict[int, Body] = dict(enumerate(wanted))
    spare = dict(stored)
    for key, only_single in (
        (lambda body: (*_rrset(body), body["content"], body.get("priority")), False),
        (lambda body: (*_rrset(body), content_meant(body), body.get("priority")), False),
        (lambda body: (*_rrset(body), content_meant(body)), True),
        (_rrset, True),
    ):
        if not left or not spare:
            return
        for index, item in list(_likened(left, spare, key, only_single)):
            del left[index], spare[item.id]
            yield index, item


def _rrset(body: Body) -> tuple[str, ...]:
    """Return what the records of one RRset have in common: one of a view stands beside that of all."""
    return body["name"], body["type"], body.get(VIEW, "")


def _likened(
    left: Mapping[int, Body], spare: Mapping[str, Item], key: Callable[[Body], tuple[Any, ...]], only_single: bool
) -> Iterator[tuple[int, Item]]:
    """Yield the pairs of equal keys; with `only_single`, those where one of each is left."""
    items: dict[tuple[Any, ...], list[Item]] = defaultdict(list)
    for item in spare.values():
        items[key(item.body)].append(item)
    indexes: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, body in left.items():
        indexes[key(body)].append(index)
    for value, found in indexes.items():
        there = items.get(value, [])
        if not only_single or len(found) == len(there) == 1:
            yield from zip(found, there, strict=False)


def _ttls_agree(indexes: Iterable[int], wanted: Sequence[Body], pairs: Mapping[int, Item]) -> bool:
    """Tell whether an RRset has its TTL with the kept records' own as they are."""
    ttls = [ttl_s(pairs[index].body if index in pairs else wanted[index]) for index in indexes]
    return min(ttls) == min(ttl_s(wanted[index]) for index in indexes)


def ttl_s(body: Body) -> int:
    """Return a record's TTL in seconds, the automatic one as what it stands for."""
    ttl = int(body.get("ttl", words.AUTOMATIC_TTL))
    return words.AUTOMATIC_TTL_S if ttl == words.AUTOMATIC_TTL else ttl
