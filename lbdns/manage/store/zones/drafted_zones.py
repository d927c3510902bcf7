"""A stored zone, read for the checks and for serving: from its records, or from what it was before they changed.

Where few records are others, only their owners' RRsets are read anew; what comes of it is what reading all of them
gives. An RRset's line is its first record's number. Numbers are given when a zone is read as a whole, from 1, and stay
with their records: new records have the next ones, and those of records that are no more are `gone`.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress, count, islice
from typing import Final

from lbdns.dns.master.draft import RRsetDraft, ZoneDraft
from lbdns.dns.zone import RRset, Zone
from lbdns.manage.store.item import Item
from lbdns.manage.store.making import has_foreign_part
from lbdns.manage.store.records.record_bodies import record_rrset
from lbdns.manage.store.state import Items
from lbdns.manage.store.zones.zone_bodies import add_soa, zone_draft

REDRAFTED_MAX: Final = 512
"""Records that are others, beyond which all are read anew."""
GONE_MAX: Final = 256
"""Numbers of records that are no more, beyond which all are numbered anew."""
_WIRE: Final = operator.attrgetter("wire")
_OWNER: Final = operator.itemgetter(0)


@dataclass(frozen=True, slots=True)
class DraftedZone:
    """A zone as it was read last, or what a view sees otherwise in it, and what from.

    `records` are those of the whole zone, `own` those of it that were read; `is_foreign`: a token had a hand in them.
    `gone`: numbers below the last record's that no record has, in order.
    """

    item: Item
    records: Items
    own: Items
    draft: ZoneDraft
    zone: Zone
    is_foreign: bool
    gone: tuple[int, ...] = ()

    def id_of(self, line: int) -> str | None:
        """Return the id of the record of a number, None where none has it."""
        at = bisect_right(self.gone, line)
        if line <= 0 or (at and self.gone[at - 1] == line):
            return None
        return next(islice(self.own, line - 1 - at, None), None)

    @property
    def numbered(self) -> int:
        """How many numbers have been given."""
        return len(self.own) + len(self.gone)


def drafted_zone(
    item: Item,
    records: Items,
    own: Items,
    view: str = "",
    before: DraftedZone | None = None,
    lost: dict[str, str] | None = None,
) -> DraftedZone:
    """Return a stored zone as it is to be checked and served, or what a view sees otherwise in it; `before`: as it was
    read last. `lost`, and what is raised: as of `zone_draft`."""
    known = None if before is None else _redrafted(before, item, own, view)
    if known is None:
        draft = zone_draft(item, own.values(), lost, view)
        return DraftedZone(item, records, own, draft, draft.finish(), has_foreign_part(item, own))
    return replace(known, records=records)


def _redrafted(before: DraftedZone, item: Item, own: Items, view: str) -> DraftedZone | None:
    """Return what comes of a zone some records of which are others; None where it is to be read as a whole."""
    old = before.draft
    if old.problems or old.lost or item.label != before.item.label:
        return None
    others = [*compress(own, map(operator.is_not, own.values(), map(before.own.get, own)))]
    removed = before.own.keys() - own.keys()
    if len(others) + len(removed) > REDRAFTED_MAX or len(before.gone) + len(removed) > GONE_MAX:
        return None
    if not all(map(operator.eq, filter(own.__contains__, before.own), own)):
        return None  # some stand elsewhere in the order
    were = [one for id in (*others, *removed) if (one := before.own.get(id)) is not None]
    try:
        owners = {record_rrset(one)[0] for one in (*were, *map(own.__getitem__, others))}
    except Exception:  # whatever is wrong with a record is told where all are read
        return None
    if not view and item is not before.item:
        owners.add(old.apex)
    gone = _with_gone(before, removed)
    fresh = ZoneDraft(old.apex, old.file, view=old.view)
    if not view and old.apex in owners:
        add_soa(fresh, item, None)
    for number, record in _numbered(own, owners, gone):
        owner, rdtype, ttl_s, rdata = record_rrset(record)
        fresh.add(owner, rdtype, ttl_s, rdata, fresh.file, number)
    nodes = None if fresh.problems or fresh.lost else _laid_over(old.nodes, fresh.nodes, owners, before.numbered)
    if nodes is None:
        return None
    draft = replace(old, nodes=nodes)
    rrsets = _rrsets(before.zone.rrsets, old.nodes, fresh.nodes, owners)
    is_foreign = has_foreign_part(item, own if before.is_foreign else {id: own[id] for id in others})
    return DraftedZone(item, own, own, draft, replace(before.zone, rrsets=rrsets), is_foreign, gone)


def _with_gone(before: DraftedZone, removed: set[str]) -> tuple[int, ...]:
    """Return the numbers that no record has once some records are no more."""
    if not removed:
        return before.gone
    places = compress(count(1), map(removed.__contains__, before.own))
    return tuple(sorted((*before.gone, *(_number_at(place, before.gone) for place in places))))


def _number_at(place: int, gone: Sequence[int]) -> int:
    """Return the number of the record that stands at a place, from 1."""
    for one in gone:
        if one > place:
            break
        place += 1
    return place


def _numbered(own: Items, owners: set[bytes], gone: Sequence[int]) -> Iterator[tuple[int, Item]]:
    """Yield the records of some owners, each with its number; all have been read."""
    are_wanted = map(owners.__contains__, map(_OWNER, map(_WIRE, own.values())))
    for place, record in compress(enumerate(own.values(), 1), are_wanted):
        yield _number_at(place, gone), record


def _laid_over(
    old: Mapping[bytes, list[RRsetDraft]], fresh: Mapping[bytes, list[RRsetDraft]], owners: set[bytes], numbered: int
) -> dict[bytes, list[RRsetDraft]] | None:
    """Return nodes with those of some owners in place of theirs, each where its first record stands; None where one is
    to stand between others. `numbered`: how many numbers were given before."""
    nodes = dict(old)
    for owner in owners - fresh.keys():
        nodes.pop(owner, None)
    for owner, drafts in fresh.items():
        there = nodes.get(owner)
        if there is None or there[0].line != drafts[0].line:
            if drafts[0].line <= numbered:
                return None
            nodes.pop(owner, None)
        nodes[owner] = drafts
    return nodes


def _rrsets(
    whole: tuple[RRset, ...],
    old: Mapping[bytes, list[RRsetDraft]],
    fresh: Mapping[bytes, list[RRsetDraft]],
    owners: set[bytes],
) -> tuple[RRset, ...]:
    """Return a zone's RRsets with those of some owners in place of theirs; what is as it was is the same object."""
    ends = accumulate(map(len, old.values()))
    places = [*compress(zip(old, ends, strict=True), map(owners.__contains__, old))]
    blocks = {owner: (end - len(old[owner]), end) for owner, end in places}
    made = {owner: _made(owner, drafts, whole[slice(*blocks.get(owner, (0, 0)))]) for owner, drafts in fresh.items()}
    rrsets = [*whole]
    appended = [owner for owner in fresh if owner not in old or old[owner][0].line != fresh[owner][0].line]
    moved = set(appended)
    for owner, _ in reversed(places):
        rrsets[slice(*blocks[owner])] = () if owner in moved else made.get(owner, ())
    return (*rrsets, *(rrset for owner in appended for rrset in made[owner]))


def _made(owner: bytes, drafts: Sequence[RRsetDraft], known: Sequence[RRset]) -> list[RRset]:
    """Return an owner's RRsets: those of before that are the same."""
    found = []
    for draft in drafts:
        rrset = RRset(owner, draft.type, draft.ttl, draft.rdatas, draft.line)
        found.append(next((one for one in known if one == rrset), rrset))
    return found
