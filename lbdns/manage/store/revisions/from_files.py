"""Files -> store: what a checked directory's objects are as stored bodies, and the difference put into an edit.

    a network, monitor, group, pool          is known by its name
    a zone                                   by its name and view
    a route                                  by its addresses and its virtual network
    a load balancer                          by its name, type and view
    a record                                 by name, type, view and content, in its zone

What is known keeps its id, and what files cannot say of it: a record's comment and tags, that a zone is paused, that a
load balancer is the account's, or which of the zones around its name has it. Within a zone that the files hold, the
files say which records there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from lbdns.base.kinds import BALANCING, Kind
from lbdns.base.lasting_ids import lasting_id
from lbdns.dns.name import text_suffixes
from lbdns.manage.store.edit import Edit, unique_key
from lbdns.manage.store.item import Item, new_ids, shaped_id, time_text
from lbdns.manage.store.private_balancers import ON_RAMPS, is_unplaced
from lbdns.manage.store.records.matching import matched_records
from lbdns.manage.store.references_by_name import to_ids
from lbdns.manage.store.revisions.diff import SECRET_FIELDS
from lbdns.manage.store.revisions.wanted import Wanted, WantedZone, wanted_of
from lbdns.manage.store.shared_values import share_lists, share_words
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import raised_serial
from lbdns.model.configuration import Configuration
from lbdns.model.private_names import as_address
from lbdns.model.view_names import VIEW, labelled
from lbdns.model.virtual_network import lasting_network_id

MakeId = Callable[[Kind, str, str], str]
"""Returns the id of a new object of a kind, by its name and, where one name is not enough, what else tells it apart."""
SERIAL_MODULUS: Final = 1 << 32


def desired(wanted: Wanted, state: State, prune: bool = False, make_id: MakeId | None = None) -> list[Item]:
    """Return the objects of a configuration as a store that is in `state` would hold them.

    The order is that of reference, each zone directly before its records. With `prune`, a load balancer belongs to the
    zones of the files alone; without, to those of the store as well. `make_id`: None gives ids that nothing has.
    """
    give_id = make_id or _fresh_ids()
    found: list[Item] = []
    shadow = _Named()
    labels = {zone.label for zone in wanted.zones}
    routes = {unique_key(item): item for item in state.all(Kind.ROUTE).values()}

    def add(of: Iterable[tuple[Kind, str, Mapping[str, Any]]]) -> None:
        for kind, name, stated in of:
            body = to_ids(kind, stated, shadow)
            if kind is Kind.ROUTE:
                found.append(_route_item(body, routes, give_id))
                continue
            there = state.named(kind, name)
            of_zone = state.get(Kind.ZONE, there.zone_id) if there is not None else None
            zone_id = of_zone.id if of_zone is not None and (not prune or of_zone.label in labels) else ""
            if kind.is_of_zone:
                zone_id = hosted.get(name, zone_id)
            elif kind is Kind.TSIG and there is not None:
                body = {**_secrets_of(there), **body}  # files that are shown to people have none
            given = body.pop("id", lasting_network_id(name)) if kind is Kind.VIRTUAL_NETWORK else ""
            item = Item(kind, _id_of(state, kind, name, give_id, given), body, zone_id)
            shadow.add(item)
            found.append(item)

    hosted: dict[str, str] = {}
    of_zones = [one for one in wanted.named if one[0].is_of_zone]
    add(one for one in wanted.named if Kind.LOAD_BALANCER not in one[0].referred and one not in of_zones)
    for zone in wanted.zones:
        found += _zone_items(zone, state, give_id)
    hosted.update({item.label: item.id for item in found if item.kind is Kind.ZONE})
    if not prune:
        hosted = {item.label: id for id, item in state.all(Kind.ZONE).items()} | hosted
    add(of_zones)
    known = {unique_key(item): item for item in state.all(Kind.LOAD_BALANCER).values()}
    lists: dict[str, list[str]] = {}
    for balancer in wanted.balancers:
        item = _balancer_item(balancer, known, hosted, shadow, give_id)
        share_lists(item.kind, item.body, lists)
        shadow.add(item)
        found.append(item)
    add(one for one in wanted.named if Kind.LOAD_BALANCER in one[0].referred)
    return found


def _fresh_ids() -> MakeId:
    ids = new_ids()
    return lambda *_: next(ids)


def state_of(configuration: Configuration, revision: int) -> State:
    """Return the objects of files as a state. An id follows from what an object is known by, so that it stays."""
    now = time_text(time.time())
    items = desired(wanted_of(configuration), State(), make_id=lasting_id)
    return State.of((replace(item, created_on=now, modified_on=now, revision=revision) for item in items), revision)


def apply(edit: Edit, files: Wanted, prune: bool = False) -> list[Item]:
    """Put the difference between a configuration and the store into an edit.

    With `prune`, objects that the files do not name are deleted, save the account's load balancers that name no views
    and are in no zone: an export may have left those out. Returns the objects that `prune` deletes, or would delete.
    """
    state = edit.state
    wanted = desired(files, state, prune)
    kept = {item.id for item in wanted}
    zone_ids = [item.id for item in wanted if item.kind is Kind.ZONE]
    unnamed = list(_unnamed(state, kept))
    gone = [*(unnamed if prune else ()), *_gone_records(state, zone_ids, kept)]
    changed_zones = {item.zone_id for item in gone if item.kind is Kind.RECORD}
    changed_zones |= {item.zone_id for item in wanted if item.kind is Kind.RECORD and _differs(item, state)}
    before = {item.id: state.get(item.kind, item.id) for item in wanted}
    for item in gone:
        if item.kind is not Kind.ZONE:
            edit.delete(item.kind, item.id)
    for item in wanted:
        if item.kind is Kind.ZONE:
            item = _with_serial(item, before[item.id], item.id in changed_zones)
        edit.take(item, before[item.id])
    for item in gone:
        if item.kind is Kind.ZONE:
            edit.delete(item.kind, item.id)
    return unnamed


class _Named(State):
    """References by name while the objects that they lead to are still being listed."""

    def __init__(self) -> None:
        super().__init__()
        self._items_by_name: dict[tuple[Kind, str], Item] = {}

    def add(self, item: Item) -> None:
        """Make an object known; of several of a name, the first."""
        self._items_by_name.setdefault((item.kind, item.name), item)

    def named(self, kind: Kind, label: str) -> Item | None:
        """Return the object of this name, or None."""
        return self._items_by_name.get((kind, label))


def _secrets_of(item: Item) -> dict[str, Any]:
    return {field: item.body[field] for field in SECRET_FIELDS[item.kind] if field in item.body}


def _id_of(state: State, kind: Kind, name: str, make_id: MakeId, given: str) -> str:
    """Return the id of an object: the one that it has in the store, else the one given, else a new one."""
    known = state.named(kind, name)
    return known.id if known is not None else given or make_id(kind, name, "")


def _route_item(body: Mapping[str, Any], known: Mapping[tuple[str, ...], Item], make_id: MakeId) -> Item:
    item = Item(Kind.ROUTE, "", body)
    there = known.get(unique_key(item))
    id = shaped_id(Kind.ROUTE, make_id(Kind.ROUTE, *unique_key(item))) if there is None else there.id
    return replace(item, id=id)


def _zone_items(zone: WantedZone, state: State, make_id: MakeId) -> Iterator[Item]:
    """Yield a zone and its records."""
    body, records = zone.body, zone.records
    known = state.named(Kind.ZONE, zone.label)
    id = known.id if known is not None else make_id(Kind.ZONE, zone.label, "")
    if known is not None:
        body = {**known.body, **body}
    yield Item(Kind.ZONE, id, body)
    of_zone = state.records(id) if known is not None else {}
    for record, wanted in matched_records(records, of_zone):
        if record is not None:
            yield Item(Kind.RECORD, record.id, wanted, id)
        else:
            key = labelled(f"{wanted['type']} {wanted['content']} {wanted.get('priority', '')}", wanted.get(VIEW, ""))
            yield Item(Kind.RECORD, make_id(Kind.RECORD, f"{zone.label} {wanted['name']}", key), wanted, id)


def _balancer_item(
    balancer: Mapping[str, Any],
    known: Mapping[tuple[str, ...], Item],
    hosted: Mapping[str, str],
    names: State,
    make_id: MakeId,
) -> Item:
    body = to_ids(Kind.LOAD_BALANCER, balancer, names)
    share_words(Kind.LOAD_BALANCER, body)
    name, type, view = str(body["name"]), str(body.get("type", "A")), str(body.get(VIEW, ""))
    is_private = body.get(ON_RAMPS) is not None or as_address(name) is not None
    suffixes = text_suffixes(name) if not is_private else ()
    labels = (labelled(suffix, one) for suffix in suffixes for one in (view, "")) if view else suffixes
    zones = [hosted[label] for label in labels if label in hosted]
    there = known.get((name, type, view))
    if there is None:
        id = make_id(Kind.LOAD_BALANCER, name, labelled(type, view))
        return Item(Kind.LOAD_BALANCER, id, body, next(iter(zones), ""))
    is_kept = not there.zone_id or there.zone_id in zones
    return Item(Kind.LOAD_BALANCER, there.id, body, there.zone_id if is_kept else next(iter(zones), ""))


def _unnamed(state: State, kept: set[str]) -> Iterator[Item]:
    """Yield the objects of a store, records left out, that the files could name and do not."""
    for kind in (*reversed(BALANCING), Kind.ZONE):
        for item in state.all(kind).values():
            if item.id not in kept and not is_unplaced(item, state):
                yield item


def _gone_records(state: State, zone_ids: Iterable[str], kept: set[str]) -> list[Item]:
    return [item for zone_id in zone_ids for item in state.records(zone_id).values() if item.id not in kept]


def _differs(item: Item, state: State) -> bool:
    before = state.get(item.kind, item.id)
    return before is None or before.body != item.body


def put(edit: Edit, item: Item, before: Item | None) -> None:
    """Create, replace or move an object; one that is the same as `before` is left alone."""
    if before is None:
        edit.create(item.kind, item.body, item.zone_id, item.id, item.is_local)
    elif before.zone_id != item.zone_id:
        edit.delete(item.kind, item.id)
        edit.create(item.kind, item.body, item.zone_id, item.id, item.is_local)
    elif before.body != item.body:
        edit.replace(item.kind, item.id, item.body, item.is_local)


def _with_serial(item: Item, before: Item | None, has_new_records: bool) -> Item:
    """Return a zone with the serial that it shall have: the file's only where it is ahead and something else changed.

    The edit itself raises the serial of a zone that changed and whose serial did not.
    """
    if before is None:
        return item
    old, given = int(before.body["serial"]), int(item.body["serial"])
    changed = has_new_records or {**item.body, "serial": old} != before.body
    is_ahead = changed and is_later(given, raised_serial(old, int(time.time())))
    return Item(item.kind, item.id, {**item.body, "serial": given if is_ahead else old}, item.zone_id)


def is_later(serial: int, other: int) -> bool:
    """Tell whether an SOA serial is later than another one, in the arithmetic of RFC 1982."""
    return 0 < (serial - other) % SERIAL_MODULUS < SERIAL_MODULUS // 2
