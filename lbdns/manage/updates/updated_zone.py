"""A stored zone's records by name and type: what an update finds, and what comes of it for the records.

What is the same stays as it is stored, with its comment and tags. Where of an RRset one record goes and one comes, it
is the same object with other data: a host that tells its new address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.name import encode_canonical
from lbdns.dns.rdata.master_form import canonical_rdata
from lbdns.dns.serial import is_newer
from lbdns.manage.store.item import Change, Item, new_id
from lbdns.manage.store.records.record_bodies import NAME_SERVER, keep_wire, record_body, record_rrset
from lbdns.manage.store.state import Items
from lbdns.manage.store.zones.zone_bodies import raised_serial
from lbdns.manage.store.zones.zone_soa import soa_of, soa_rdata
from lbdns.transfer.update.zone_now import Node, RRsetNow, ZoneNow

_DATA_FIELDS: Final = ("content", "priority", "ttl")
"""Of a record's body, what its data and TTL are."""


@dataclass(frozen=True, slots=True)
class Writing:
    """Of which revision changes are, and when they are made: RFC 3339, and in unix seconds."""

    revision: int
    now: str
    now_s: int


class UpdatedZone:
    """A zone and those of its records that all its clients see, as updates leave them one after another.

    `items`: the records that the zone had when this was made, or `settle` was called: it is of use as long as the store
    has the very same ones.
    """

    def __init__(self, zone: Item, items: Items) -> None:
        self.zone = zone
        self.items = items
        self.apex = encode_canonical(zone.name)
        self.serial: int = zone.body["serial"]
        self.record_count = 1  # the SOA
        self._nodes: dict[bytes, dict[int, list[Item]]] = {}
        for item in items.values():
            if not item.view:
                owner, rdtype, *_ = record_rrset(item)
                self._nodes.setdefault(owner, {}).setdefault(rdtype, []).append(item)
                self.record_count += 1

    def settle(self, zone: Item, items: Items) -> None:
        """Say that the store has now what the updates came to."""
        self.zone, self.items = zone, items

    def serve_as(self, served: int | None) -> None:
        """Take the serial that the zone is served with, None where it is not. Transfers raise it above the stored one,
        which counts where it is newer (RFC 1982). Updates see the SOA with that, and go on from it."""
        stored = self.zone.body["serial"]
        self.serial = stored if served is None or is_newer(stored, served) else served

    def node(self, owner: bytes) -> Node:
        """Return the RRsets at a name."""
        node = {rdtype: _rrset_of(items) for rdtype, items in self._nodes.get(owner, {}).items()}
        if owner == self.apex:
            body = self.zone.body
            soa = soa_rdata(body["soa"], self.serial, self.zone.name)
            node[TYPE_SOA] = RRsetNow(body["soa"]["ttl"], (soa,))
        return node

    def take(self, updated: ZoneNow, writing: Writing) -> tuple[Change, ...]:
        """Take over what an update changed, and return it as changes of objects: with a new serial, unless the update
        gave one (RFC 2136 section 3.6)."""
        changes = []
        soa: RRsetNow | None = None
        for (owner, rdtype), before, after in updated.differences():
            if rdtype == TYPE_SOA:
                soa = after
                continue
            changes += self._changed(owner, rdtype, before, after, writing)
            self.record_count += _size(after) - _size(before)
        changes.append(self._raised(soa, writing))
        return tuple(changes)

    def _raised(self, soa: RRsetNow | None, writing: Writing) -> Change:
        before = self.zone
        if soa is None:
            body = {**before.body, "serial": raised_serial(self.serial, writing.now_s)}
        else:
            fields, serial = soa_of(soa.rdatas[0], soa.ttl)
            body = {**before.body, "soa": fields, "serial": serial}
        self.zone = _with_body(before, body, writing, before.is_local)
        return Change(before, self.zone)

    def _changed(
        self, owner: bytes, rdtype: int, before: RRsetNow | None, after: RRsetNow | None, writing: Writing
    ) -> list[Change]:
        """Return the changes of one RRset's records."""
        node = self._nodes.setdefault(owner, {})
        items = node.get(rdtype, [])
        wanted = {canonical_rdata(rdtype, rdata): rdata for rdata in after.rdatas} if after else {}
        ttl_s = None if after is None or (before is not None and before.ttl == after.ttl) else after.ttl
        kept: list[Item] = []
        gone: list[Item] = []
        changes: list[Change] = []
        for item in items:
            stored = record_rrset(item)[3]
            rdata = wanted.pop(canonical_rdata(rdtype, stored), None)
            if rdata is None:
                gone.append(item)
                continue
            made = self._rewritten(item, rdata, ttl_s, writing) if rdata != stored or ttl_s is not None else item
            if made is not item:
                changes.append(Change(item, made))
            kept.append(made)
        if after is not None:
            if len(gone) == len(wanted) == 1:
                old = gone.pop()
                kept.append(self._rewritten(old, wanted.popitem()[1], after.ttl, writing))
                changes.append(Change(old, kept[-1]))
            for rdata in wanted.values():
                kept.append(self._new(owner, rdtype, after.ttl, rdata, writing))
                changes.append(Change(None, kept[-1]))
        changes += (Change(item, None) for item in gone)
        if kept:
            node[rdtype] = kept
        else:
            del node[rdtype]
            if not node:
                del self._nodes[owner]
        return changes

    def _new(self, owner: bytes, rdtype: int, ttl_s: int, rdata: bytes, writing: Writing) -> Item:
        body = record_body(owner, rdtype, ttl_s, rdata)
        times = writing.now, writing.now
        item = Item(Kind.RECORD, new_id(), body, self.zone.id, *times, writing.revision, is_local=False)
        keep_wire(item, rdtype, owner, rdata)
        return item

    def _rewritten(self, item: Item, rdata: bytes, ttl_s: int | None, writing: Writing) -> Item:
        """Return a record with other data, and another TTL where one is given; what clients wrote beside stays, and it
        is no longer what came with the zone."""
        owner, rdtype, own_ttl_s, stored = record_rrset(item)
        if rdata == stored and ttl_s in (None, own_ttl_s):
            return item
        made = record_body(owner, rdtype, own_ttl_s if ttl_s is None else ttl_s, rdata)
        rest = {key: value for key, value in item.body.items() if key not in (*_DATA_FIELDS, NAME_SERVER)}
        if ttl_s is None:
            made["ttl"] = item.body["ttl"]
        if rdata == stored:  # spelled as it was
            made.update({key: item.body[key] for key in ("content", "priority") if key in item.body})
        body = {**rest, **made}
        new = _with_body(item, body, writing, is_local=False)
        keep_wire(new, rdtype, owner, rdata)
        return new


def _with_body(item: Item, body: Mapping[str, Any], writing: Writing, is_local: bool) -> Item:
    """Return an object with another body; dataclasses.replace takes three times as long, of each update twice."""
    times = item.created_on, writing.now
    return Item(item.kind, item.id, body, item.zone_id, *times, writing.revision, item.disabled_at, is_local)


def _rrset_of(items: list[Item]) -> RRsetNow:
    rows = [record_rrset(item) for item in items]
    if len(rows) == 1:  # as most have
        return RRsetNow(rows[0][2], (rows[0][3],))
    return RRsetNow(min(row[2] for row in rows), tuple(row[3] for row in rows))


def _size(held: RRsetNow | None) -> int:
    return len(held.rdatas) if held is not None else 0


def shown_changes(changes: tuple[Change, ...]) -> Iterator[str]:
    """Yield what an update did to records, in words."""
    for change in changes:
        if change.item.kind is Kind.RECORD:
            what = "add" if change.before is None else "delete" if change.after is None else "change"
            yield f'{what} "{change.item.name}" {change.item.body["type"]}'
