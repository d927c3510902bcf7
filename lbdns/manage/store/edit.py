"""A transaction being put together: what is created, replaced and deleted, checked object by object.

Mistakes in bodies are collected, so that all of them are told at once. What concerns several objects is decided at the
end: names may be swapped, and an object deleted together with what refers to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import BALANCING, Kind
from lbdns.config.yaml.source import Placed
from lbdns.manage.store.bodies import CheckedBody, check_body
from lbdns.manage.store.disabling import DisabledAt, disabled_at
from lbdns.manage.store.item import Change, Item, new_id, shaped_id, time_text
from lbdns.manage.store.making import is_adopted, matters
from lbdns.manage.store.refusals import NotFound, NotUnique, Outdated, Referenced
from lbdns.manage.store.state import State, StateDraft
from lbdns.manage.store.zones.zone_bodies import raised_serial
from lbdns.model.kind_models import NAMED_BESIDE
from lbdns.model.private_names import HANDED_OUT, next_address


class Edit:
    """One transaction over `base`; `state` is what it has come to so far. `is_local`: an operator on this machine's.
    `given_out`: the number of the last address that was given out (model/private_names.py)."""

    def __init__(self, base: State, now_s: float, is_local: bool = False, given_out: int = 0) -> None:
        self.problems = KeptProblems()
        self.mended: dict[str, Placed[Any]] = {}  # by id: what could be made of objects with mistakes
        self.given_out = given_out
        self._base = base
        self._draft = StateDraft(base)
        self._now_s = now_s
        self._is_local = is_local
        self._now = time_text(now_s)
        self._touched: dict[str, Change] = {}

    @property
    def state(self) -> State:
        """The objects as this transaction would leave them."""
        return self._draft

    def get(self, kind: Kind, id: str) -> Item:
        """Return an object; raises NotFound."""
        item = self._draft.get(kind, id)
        if item is None:
            raise NotFound(kind, id)
        return item

    def expect(self, kind: Kind, id: str, revision: int) -> Item:
        """Return an object that must not have changed since a revision; raises Outdated or NotFound."""
        item = self.get(kind, id)
        if item.revision > revision:
            raise Outdated(f'the {kind.words} "{item.name}"', revision, item.revision)
        return item

    def create(
        self, kind: Kind, body: Mapping[str, Any], zone_id: str = "", id: str | None = None, is_local: bool = True
    ) -> Item:
        """Add an object; `id` is given where it had one before. `is_local`: nobody but who edits said what it is."""
        id = id or shaped_id(kind, new_id())
        checked = self._check(kind, body, id, zone_id)
        before = self._base.get(kind, id)  # deleted just now, to be made again elsewhere
        created_on = before.created_on if before is not None else self._now
        since = self._disabled_at(kind, checked.body, before)
        is_local = is_local and self._is_local
        item = Item(kind, id, checked.body, zone_id, created_on, self._now, self._base.revision + 1, since, is_local)
        return self._put(None, item)

    def replace(self, kind: Kind, id: str, body: Mapping[str, Any], is_local: bool = True) -> Item:
        """Give an object a new body: what the body does not name goes back to its default. `is_local`: see `create`."""
        before = self.get(kind, id)
        if kind in NAMED_BESIDE and body.get("name") is None:
            body = {**body, "name": before.name}
        if before.body.get("on_ramps") is not None and body.get("on_ramps") is None:
            body = {**body, "on_ramps": []}  # what is private stays so
        checked = self._check(kind, body, id, before.zone_id)
        is_local = is_local and self._is_local
        if checked.body == before.body and (before.is_local or not is_local or not matters(kind)):
            return before
        after = replace(
            before,
            body=checked.body,
            modified_on=self._now,
            revision=self._base.revision + 1,
            disabled_at=self._disabled_at(kind, checked.body, before),
            is_local=is_local,
        )
        return self._put(before, after)

    def take(self, item: Item, before: Item | None) -> Item:
        """Create, replace or move an object whose body is checked and canonical; `before` is what it was so far.

        Of the item kind, id, body and zone are taken; one that is the same as `before` is left alone.
        """
        if before is not None and before.zone_id == item.zone_id:
            if before.body == item.body:
                return before
        elif before is not None:
            self._put(before, None)
        created_on = before.created_on if before is not None else self._now
        since, is_local = self._disabled_at(item.kind, item.body, before), item.is_local and self._is_local
        number = self._base.revision + 1
        made = Item(item.kind, item.id, item.body, item.zone_id, created_on, self._now, number, since, is_local)
        return self._put(before if before is not None and before.zone_id == item.zone_id else None, made)

    def patch(self, kind: Kind, id: str, fields: Mapping[str, Any]) -> Item:
        """Change the fields that are named; null puts one back to its default."""
        before = self.get(kind, id)
        return self.replace(kind, id, {**before.body, **fields}, is_adopted(before, fields))

    def delete(self, kind: Kind, id: str) -> Item:
        """Delete an object; a zone goes with whatever belongs to it. Raises NotFound."""
        item = self.get(kind, id)
        if kind is Kind.ZONE:
            inside = [*self._draft.records(id).values()]
            inside += [one for kind in BALANCING for one in self._draft.all(kind).values() if one.zone_id == id]
            for one in inside:
                self._put(one, None)
        self._put(item, None)
        return item

    def give_address(self) -> str:
        """Return an address for a private load balancer that asks for none: the next that was never given out; raises
        LbdnsError where there is none."""
        taken = {item.name for item in self._draft.all(Kind.LOAD_BALANCER).values()}
        found = next_address(self.given_out, taken)
        if found is None:
            raise LbdnsError(
                f"every address of {HANDED_OUT} was given out once, and none is twice: ask for one by name"
            )
        self.given_out, address = found
        return address

    def finish(self) -> tuple[Change, ...]:
        """Return the difference to the base; raises NotUnique and Referenced. SOA serials are raised here."""
        self._raise_serials()
        changes = tuple(self._touched.values())
        _check_unique(changes, self._draft)
        _check_references(changes, self._draft)
        return changes

    def _check(self, kind: Kind, body: Mapping[str, Any], id: str, zone_id: str) -> CheckedBody:
        zone = self.get(Kind.ZONE, zone_id) if zone_id else None
        count = len(self.problems)
        checked = check_body(kind, body, id, self._draft, zone, self.problems)
        if checked.placed is not None and len(self.problems) > count:
            self.mended[id] = checked.placed
        return checked

    def _disabled_at(self, kind: Kind, body: Mapping[str, Any], before: Item | None) -> DisabledAt:
        """Return since when what is disabled by a body is so; of one with mistakes, which is not stored, nothing."""
        return () if self.problems else disabled_at(kind, body, before, self._now)

    def _put(self, before: Item | None, after: Item | None) -> Item:
        change = Change(before, after)
        self._draft.put(change)
        id = change.item.id
        first = self._touched[id].before if id in self._touched else before
        if first is None and after is None:
            del self._touched[id]
        elif first is not None and after is not None and _is_same(first, after):
            self._touched.pop(id, None)
        else:
            self._touched[id] = Change(first, after)
        return change.item

    def _raise_serials(self) -> None:
        """Raise the serial of every zone whose records or SOA changed, unless the change itself gave it a new one."""
        zones = {
            change.item.zone_id if change.item.kind is Kind.RECORD else change.item.id
            for change in self._touched.values()
            if change.item.kind in (Kind.RECORD, Kind.ZONE)
        }
        for id in zones:
            before, zone = self._base.get(Kind.ZONE, id), self._draft.get(Kind.ZONE, id)
            if before is None or zone is None or zone.body["serial"] != before.body["serial"]:
                continue
            body = {**zone.body, "serial": raised_serial(before.body["serial"], int(self._now_s))}
            self._put(zone, replace(zone, body=body, modified_on=self._now, revision=self._base.revision + 1))


def _is_same(first: Item, after: Item) -> bool:
    """Tell whether nothing came of a change: neither of the object, nor that it is the operator's now."""
    is_adopted = after.is_local and not first.is_local and matters(after.kind)
    return (first.body, first.zone_id) == (after.body, after.zone_id) and not is_adopted


def unique_key(item: Item) -> tuple[str, ...]:
    """Return what may be there only once."""
    if item.kind is Kind.LOAD_BALANCER:
        return item.name, str(item.body.get("type", "A")), item.view
    if item.kind is Kind.ROUTE:
        return item.name, str(item.body.get("virtual_network_id", ""))
    return item.name, item.view


def _check_unique(changes: tuple[Change, ...], state: State) -> None:
    """Check that names are unique. Which records are the same, the zone they make says (dns/master/draft.py).

    No two objects of the base have one name, so one of two that do was changed: the others are looked at only to tell
    which comes second.
    """
    come = [change.after for change in changes if change.after is not None and change.after.kind is not Kind.RECORD]
    for kind in {item.kind for item in come if _is_twice(item, state)}:
        owners: dict[tuple[str, ...], Item] = {}
        for item in state.all(kind).values():
            other = owners.setdefault(unique_key(item), item)
            if other is not item:
                raise _taken(item)


def _is_twice(item: Item, state: State) -> bool:
    """Tell whether another object has what only one may have; such have one label."""
    called = state.called(item.kind, item.label)
    return len(called) > 1 and [*map(unique_key, called)].count(unique_key(item)) > 1


def _taken(item: Item) -> NotUnique:
    if item.kind is Kind.LOAD_BALANCER:
        kind = {"A": "a load balancer"}.get(item.body.get("type", "A"), f"an {item.body.get('type')} load balancer")
        return NotUnique(item.kind, item.label, ("name",), f'there is {kind} "{item.label}" already')
    if item.kind is Kind.ROUTE:
        return NotUnique(item.kind, item.name, ("network",), f"there is a route of {item.name} to its network already")
    return NotUnique(item.kind, item.label)


def _check_references(changes: tuple[Change, ...], state: State) -> None:
    for change in changes:
        if change.after is None and change.before is not None:
            users = state.users(change.before.kind, change.before.id)
            if users:
                raise Referenced(change.before, users)
