"""All objects at one revision. A state is immutable: a change makes a new one that shares what did not change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from lbdns.base.kinds import Kind
from lbdns.dns.name import text_suffixes
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.label_index import LabelIndex
from lbdns.manage.store.unreadable import Unreadable
from lbdns.model.view_names import labelled

_NONE: Final[Mapping[str, Item]] = MappingProxyType({})
Items = Mapping[str, Item]


class State:
    """Objects by kind and id, in the order in which they were made; records by zone.

    `unreadable`: those that are stored beside them and cannot be read.
    """

    def __init__(
        self,
        revision: int = 0,
        items: Mapping[Kind, Items] | None = None,
        records: Mapping[str, Items] | None = None,
        unreadable: Sequence[Unreadable] = (),
    ) -> None:
        self.revision = revision
        self.unreadable = tuple(unreadable)
        self._items = {} if items is None else items
        self._records = {} if records is None else records  # zone id -> record id -> record
        self._labels: dict[Kind, LabelIndex] = {}  # of the kinds that were asked for by label

    @staticmethod
    def of(items: Iterable[Item], revision: int, unreadable: Sequence[Unreadable] = ()) -> State:
        """Return a state of these objects."""
        return State(unreadable=unreadable).changed((Change(None, item) for item in items), revision)

    def beside(self, refused: Mapping[str, Unreadable]) -> State:
        """Return the state without some objects, by id, that cannot be read."""
        gone = (Change(item, None) for id in refused if (item := self.item(id)) is not None)
        return State(self.revision, self._items, self._records, (*self.unreadable, *refused.values())).changed(
            gone, self.revision
        )

    def without_unreadable(self, id: str) -> State:
        """Return the state without an object that cannot be read."""
        rest = [one for one in self.unreadable if one.id != id]
        return State(self.revision, self._items, self._records, rest)

    def zones_of_records(self) -> Iterable[str]:
        """Return the ids of the zones that records say they are in, whether there are such zones or not."""
        return self._records.keys()

    def all(self, kind: Kind) -> Items:
        """Return the objects of a kind by id. Records are kept by zone: see `records`."""
        if kind is Kind.RECORD:
            return {id: item for records in self._records.values() for id, item in records.items()}
        return self._items.get(kind, _NONE)

    def records(self, zone_id: str) -> Items:
        """Return a zone's records by id; the same object as long as none of them changes."""
        return self._records.get(zone_id, _NONE)

    def get(self, kind: Kind, id: str) -> Item | None:
        """Return an object, or None."""
        if kind is Kind.RECORD:
            zone_id = self._zone_ids.get(id)
            return self.records(zone_id).get(id) if zone_id is not None else None
        return self._items.get(kind, _NONE).get(id)

    def named(self, kind: Kind, label: str) -> Item | None:
        """Return the first object that came to have this label (its name, and its view where it is of one), or None."""
        return self._by_label(kind).first(label)

    def called(self, kind: Kind, label: str) -> Sequence[Item]:
        """Return all objects of this label: load balancers of several types may have one."""
        return self._by_label(kind).called(label)

    def zone_of(self, name: str, view: str = "") -> Item | None:
        """Return the zone with the longest name that a name is within, as who is in a view sees it, or None. For all
        (""), it is one that all see, or where there is none, one of any view."""
        zones = self._by_label(Kind.ZONE)
        labels = (labelled(suffix, one) for suffix in text_suffixes(name) for one in dict.fromkeys((view, "")))
        found = next(filter(None, map(zones.first, labels)), None)
        return found if found is not None or view else next(self.zones_around(name), None)

    def zones_around(self, name: str) -> Iterator[Item]:
        """Yield the zones that a name is within, the longest names first, of all views."""
        for suffix in text_suffixes(name):
            yield from self._zones_by_name.get(suffix, ())

    @cached_property
    def _zones_by_name(self) -> Mapping[str, Sequence[Item]]:
        found: dict[str, list[Item]] = {}
        for zone in self.all(Kind.ZONE).values():
            found.setdefault(zone.name, []).append(zone)
        return found

    def users(self, kind: Kind, id: str) -> list[Item]:
        """Return the objects that refer to one, in the order of their kinds."""
        return [item for other in kind.users for item in self.all(other).values() if id in item.references()]

    def changed(self, changes: Iterable[Change], revision: int) -> State:
        """Return the state after some changes."""
        items: dict[Kind, dict[str, Item]] = {}
        records: dict[str, dict[str, Item]] = {}
        labels = self._labels.copy()
        for change in changes:
            item = change.item
            if item.kind is Kind.RECORD:
                into = records.get(item.zone_id)
                if into is None:
                    into = records[item.zone_id] = dict(self.records(item.zone_id))
            else:
                into = items.get(item.kind)
                if into is None:
                    into = items[item.kind] = dict(self._items.get(item.kind, _NONE))
                    if item.kind in labels:
                        labels[item.kind] = labels[item.kind].copy()
                if item.kind in labels:
                    labels[item.kind].put(into.get(item.id), change.after)
            if change.after is None:
                into.pop(item.id, None)
            else:
                into[item.id] = change.after
        state = State(revision, {**self._items, **items}, {**self._records, **records}, self.unreadable)
        state._labels = labels
        return state

    def __iter__(self) -> Iterator[Item]:
        """Yield every object, in the order of kinds."""
        for kind in Kind:
            yield from self.all(kind).values()

    def item(self, id: str) -> Item | None:
        """Return the object of an id, of whichever kind, or None."""
        return next((item for kind in Kind if (item := self.get(kind, id)) is not None), None)

    @cached_property
    def _zone_ids(self) -> dict[str, str]:
        return {id: zone_id for zone_id, records in self._records.items() for id in records}

    def _by_label(self, kind: Kind) -> LabelIndex:
        found = self._labels.get(kind)
        if found is None:
            found = self._labels[kind] = LabelIndex.of(self.all(kind).values())
        return found


class StateDraft(State):
    """A state that an edit works on: changed in place, sharing with its base what it has not touched."""

    def __init__(self, base: State) -> None:
        super().__init__(base.revision, dict(base._items), dict(base._records), base.unreadable)
        self._base = base
        self._copied: set[tuple[Kind, str]] = set()

    def put(self, change: Change) -> None:
        """Take a change over."""
        item = change.item
        into = self._own(item.kind, item.zone_id if item.kind is Kind.RECORD else "")
        if item.kind is not Kind.RECORD:
            self._by_label(item.kind).put(into.get(item.id), change.after)
        if change.after is None:
            into.pop(item.id, None)
        else:
            into[item.id] = change.after
        if item.kind is Kind.RECORD and "_zone_ids" in self.__dict__:
            self._zone_ids[item.id] = item.zone_id
        if item.kind is Kind.ZONE:
            self.__dict__.pop("_zones_by_name", None)

    def _own(self, kind: Kind, zone_id: str) -> dict[str, Item]:
        """Return the objects of a kind, or a zone's records, in a dictionary that is this draft's own."""
        holder: dict[Any, Any] = self._records if kind is Kind.RECORD else self._items  # type: ignore[assignment]
        key = zone_id if kind is Kind.RECORD else kind
        if (kind, zone_id) not in self._copied:
            self._copied.add((kind, zone_id))
            holder[key] = dict(holder.get(key, _NONE))
        own: dict[str, Item] = holder[key]
        return own

    def _by_label(self, kind: Kind) -> LabelIndex:
        if kind not in self._labels:
            self._labels[kind] = self._base._by_label(kind).copy()
        return self._labels[kind]
