"""The models of a kind's objects, kept from state to state, and what is asked of all of them together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter, eq
from typing import Any, Final

from lbdns.base.memo import BySequence, shared_ends
from lbdns.config.yaml.source import Placed, Source
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import Items

ByName = tuple[dict[str, Source], dict[str, Placed[Any]]]
"""Where objects stand, and the objects, by their names."""
_NAME: Final = attrgetter("source.name")
_SOURCE: Final = attrgetter("source")
_ZONE_ID: Final = attrgetter("zone_id")
_IS_LOCAL: Final = attrgetter("is_local")


def _by_name(models: Sequence[Placed[Any]]) -> ByName:
    names = [*map(_NAME, models)]
    return dict(zip(names, map(_SOURCE, models), strict=True)), dict(zip(names, models, strict=True))


def _are_equal(some: Collection[str], others: Collection[str]) -> bool:
    return len(some) == len(others) and all(map(eq, some, others))


class KeptModels:
    """Reads the objects of one kind again and again. `are_of_zones`: each of those read last is in a zone; `are_local`:
    no token had a hand in one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._items: Items = {}
        self._listed: Sequence[Item] = ()
        self._models: BySequence[Item, Placed[Any]] = BySequence()
        self._by_name: tuple[Sequence[Placed[Any]], ByName] = (), ({}, {})
        self._ids: tuple[object, Items, dict[str, str]] = None, {}, {}
        self.are_of_zones = self.are_local = True

    def read(self, items: Items, make: Callable[[Item], Placed[Any]]) -> Sequence[Placed[Any]]:
        """Return the models of objects by their ids; while the objects are those of before, the very same sequence."""
        if items is not self._items:
            self._listed = [*items.values()]
        self._items = {}  # in case that something is raised
        models = self._models.of_all(self._listed, make)
        self._see(self._models.came_of)
        self._items = items
        return models

    def hold(self, read: Sequence[tuple[Item, Placed[Any]]]) -> None:
        """Keep models that were made elsewhere."""
        self._items, self._listed = {}, [item for item, _ in read]
        self._models.hold(self._listed, [model for _, model in read])
        self.are_of_zones = self.are_local = True
        self._see(self._listed)

    def clear(self) -> None:
        """Drop every model."""
        self._models.clear()

    def by_name(self, models: Sequence[Placed[Any]]) -> ByName:
        """Return models by name: the very same mappings for the very same sequence, to be left as they are."""
        if self._by_name[0] is not models:
            self._by_name = models, self._renewed(models) or _by_name(models)
        return self._by_name[1]

    def _renewed(self, models: Sequence[Placed[Any]]) -> ByName | None:
        """Return models by name where those that are others are called as those in whose places they stand: copies of
        the mappings of before, in which few are others. None where any is called otherwise."""
        before, (sources, placed) = self._by_name
        first, last = shared_ends(before, models)
        went, came = before[first : len(before) - last], models[first : len(models) - last]
        names = [*map(_NAME, came)]
        if len(placed) != len(models) or names != [*map(_NAME, went)]:
            return None
        sources, placed = sources.copy(), placed.copy()
        sources.update(zip(names, map(_SOURCE, came), strict=True))
        placed.update(zip(names, came, strict=True))
        return sources, placed

    def ids_by_name(self, names: dict[str, Placed[Any]]) -> dict[str, str]:
        """Return the ids of the objects that were read last by their names, in whose order they are."""
        if self._ids[0] is not names or self._ids[1] is not self._items:
            ids = self._ids[2]
            if not (_are_equal(names, ids) and _are_equal(self._items, ids.values())):
                ids = dict(zip(names, self._items, strict=True))
            self._ids = names, self._items, ids
        return self._ids[2]

    def _see(self, came: Sequence[Item]) -> None:
        """Take note of objects that came; where not all before them were alike, all are looked at."""
        self.are_of_zones = all(map(_ZONE_ID, came if self.are_of_zones else self._listed))
        self.are_local = all(map(_IS_LOCAL, came if self.are_local else self._listed))
