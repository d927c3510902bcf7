"""Build a model from what a file says; where it is refused, report every mistake and go on with what remains.

A validator that looks at several fields runs only once each of them is sound. So the refused values are taken out, one
round after another, until the rest passes: then every mistake has been seen, and the object can stand in for what was
meant while references are checked. It never gets any further: a configuration with any mistake is not served.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import KEPT_MAX, KeptProblems
from lbdns.base.words import RIGHTS
from lbdns.config.yaml.bounded import cut, is_within, shape_of
from lbdns.config.yaml.source import Placed, Source
from lbdns.config.yaml.yaml_tree import spellings
from lbdns.model.fields import compact
from lbdns.model.mistakes import mistake_count, mistakes_of
from lbdns.model.refusal import Location, Mistake

Model = TypeVar("Model", bound=BaseModel)

MAX_ROUNDS: Final = 16
_GONE: Final = object()
"""What stands in a list for a refused item, so that the others keep their indexes."""
STAND_INS: Final[dict[str, dict[str, Any]]] = {
    "LoadBalancer": {"name": "stand-in.invalid", "default_pools": ["-"], "fallback_pool": "-"},
    "Pool": {"name": "stand-in", "origins": [{"name": "stand-in", "address": "192.0.2.1"}]},
    "MonitorGroup": {"members": [{"monitor": "-"}]},
    "VirtualNetwork": {"name": "stand-in"},
    "NetworkRoute": {"network": "192.0.2.0/24"},
    "NameOverride": {"name": "stand-in.invalid", "load_balancer": "stand-in.invalid"},
    "WebhookDestination": {"name": "stand-in", "url": "http://stand-in.invalid/"},
    "PagerDutyService": {"name": "stand-in", "routing_key": "-"},
    "NotificationPolicy": {
        "name": "stand-in",
        "alert_type": "load_balancing_health_alert",
        "mechanisms": {"email": [{"id": "stand-in@example.com"}]},
    },
    "StoredKey": {"name": "stand-in.invalid"},
    "Peer": {"name": "stand-in"},
    "Acl": {"name": "stand-in", "ip_range": "127.0.0.1"},
    "IncomingTransfer": {"name": "stand-in.invalid"},
    "OutgoingTransfer": {"name": "stand-in.invalid"},
    "Silence": {"policy": "-", "start_time": "1970-01-01T00:00:00Z", "end_time": "9999-12-31T00:00:00Z"},
}
"""What stands in for a required field whose value was refused, by the name of the model, which who reads settings need
not load; `Placed.refused` tells that it does."""


STAND_IN_ITEMS: Final[dict[str, dict[str, Any]]] = {"rules": {"disabled": True}, "pool_sets": {"disabled": True}}
"""What stands in for a refused item of a list, so that those behind it are looked at by their own indexes."""


_LISTED_STAND_INS: Final[dict[str, Any]] = {
    **{field: {"network": "127.0.0.1"} for field in RIGHTS},
    **{field: {"address": "127.0.0.1"} for field in ("primaries", "also_notify")},
    "names": "*",
    "types": "A",
}
"""The same of lists within the settings' `access` and `zones`, by the field that has the list."""


def build(
    model: type[Model], data: Any, source: Source, problems: list[Problem], is_stored: bool = False
) -> Placed[Model] | None:
    """Return the model of `data`, mended where it had to be; None where too little is left of it.

    The bounds of its lists and mappings are looked at first, and what is beyond them is not; of what `is_stored`, and
    passed once, only where the model refuses it. Where `problems` only counts any more, mistakes are counted and
    nothing is mended.
    """
    if not is_stored and not is_within(shape_of(model), data):
        return _Repair(model, data, source, problems).begin()
    try:
        return Placed(compact(model.model_validate(data)), source)
    except ValidationError as error:
        if is_stored and not is_within(shape_of(model), data):
            return _Repair(model, data, source, problems).begin()
        if isinstance(problems, KeptProblems) and problems.is_full:
            problems.more += mistake_count(error)
            return None
        if not isinstance(data, dict):
            problems.extend(source.problem(found.location, found.message) for found in mistakes_of(error, model))
            return None
        return _Repair(model, data, source, problems).run(error)


class _Repair:
    """One object's repair: its data, with _GONE for list items taken out, and the locations taken out so far.

    `above` holds every location that one of those is, or lies within.
    """

    def __init__(self, model: type[BaseModel], data: dict[str, Any], source: Source, problems: list[Problem]) -> None:
        self.model = model
        self.excess: list[Mistake] = []
        self.data = cut(shape_of(model), data, self.excess)
        self.source = source
        self.problems = problems
        self.removed: set[Location] = set()
        self.above: set[Location] = set()

    def begin(self) -> Placed[Any] | None:
        """Tell of what was beyond a bound, and of the mistakes in the rest."""
        self.problems.extend(self.source.problem(found.location, found.message) for found in self.excess)
        excess = _fields(found.location for found in self.excess)
        try:
            return Placed(self.model.model_validate(self.data), self.source, excess)
        except ValidationError as error:
            found = self.run(error)
        return found and replace(found, refused=found.refused | excess)

    def run(self, error: ValidationError) -> Placed[Any] | None:
        """Take out what is refused until the rest passes; of more mistakes than are kept, tell the first and end."""
        if isinstance(self.problems, KeptProblems) and error.error_count() > KEPT_MAX:
            first = mistakes_of(error, self.model, KEPT_MAX)
            self.problems.extend(self.source.problem(one.location, one.message) for one in first)
            self.problems.more += mistake_count(error) - len(first)
            return None
        mistakes = mistakes_of(error, self.model)  # an error kept here would be kept with this frame, by its traceback
        for _ in range(MAX_ROUNDS):
            unpruned = _Unpruned(self.data)
            found = [(unpruned.place(one.location), one) for one in mistakes]
            for place, one in found:
                if not self._follows(place, [unpruned.place(about) for about in one.about]):
                    self.problems.append(self.source.problem(place, one.message))
            for place, _one in found:
                self._remove(place)
            try:
                item = self.model.model_validate(_pruned(self.data))
            except ValidationError as again:
                mistakes = mistakes_of(again, self.model)
                continue
            inside = frozenset(place for place in self.removed if place and place[0] in STAND_IN_ITEMS)
            return Placed(item, self.source, _fields(self.removed), inside)
        return None

    def _follows(self, place: Location, about: list[Location]) -> bool:
        """Tell whether a mistake only follows from a value that was refused and taken out before."""
        return place in self.above or any(map(self._overlaps, about))

    def _overlaps(self, place: Location) -> bool:
        """Tell whether a location holds one that was taken out, lies within one, or is one."""
        return place in self.above or any(place[:length] in self.removed for length in range(len(place)))

    def _remove(self, place: Location) -> None:
        """Take out the value at a location; where there is none, fill it in or take out what holds it."""
        self.removed.add(place)
        self.above.update(place[:length] for length in range(len(place) + 1))
        holder: Any = self.data
        for step in place[:-1]:
            holder = _item(holder, step)
        if isinstance(holder, list) and isinstance(place[-1], int):
            holder[place[-1]] = _stand_in(place)
        elif isinstance(holder, dict) and len(place) == 1:
            self._replace(holder, str(place[0]))
        elif not isinstance(holder, dict) or holder.pop(place[-1], _GONE) is _GONE:
            self._remove(place[:-1])

    def _replace(self, data: dict[str, Any], field: str) -> None:
        """Take out a field of the object itself; a required one gets its stand-in."""
        data.pop(field, None)
        stand_ins = STAND_INS.get(self.model.__name__, {})
        if field in stand_ins:
            data[field] = copy.deepcopy(stand_ins[field])


def _stand_in(place: Location) -> Any:
    """Return what stands in for a refused item of a list, _GONE where nothing can."""
    if len(place) == 2 and place[0] in STAND_IN_ITEMS:
        return dict(STAND_IN_ITEMS[str(place[0])])
    if place[0] in ("access", "zones") and place[-2] in _LISTED_STAND_INS:
        return copy.copy(_LISTED_STAND_INS[place[-2]])
    return _GONE


def _fields(locations: Iterable[Location]) -> frozenset[str]:
    return frozenset(str(place[0]) for place in locations if place)


def _pruned(value: Any) -> Any:
    """Return a value without the items that were taken out."""
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_pruned(item) for item in value if item is not _GONE]
    return value


class _Unpruned:
    """Locations in pruned data as those in the data itself, list items that were taken out counted again.

    Which of them are left, and how the keys of a mapping are spelled, is found out once for each list and mapping.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._left: dict[int, list[int]] = {}
        self._spelled: dict[int, dict[str, str]] = {}

    def place(self, place: Location) -> Location:
        """Return a location in the data."""
        data = self._data
        steps: list[str | int] = []
        for step in place:
            if isinstance(data, list) and isinstance(step, int):
                step = self._index(data, step)
            elif isinstance(data, dict) and step not in data:
                step = self._key(data, step)
            data = _item(data, step)
            steps.append(step)
        return tuple(steps)

    def _index(self, data: list[Any], step: int) -> int:
        left = self._left.get(id(data))
        if left is None:
            left = self._left[id(data)] = [index for index, item in enumerate(data) if item is not _GONE]
        return left[step]

    def _key(self, data: dict[str, Any], step: str | int) -> str | int:
        spelled = self._spelled.get(id(data))
        if spelled is None:
            spelled = self._spelled[id(data)] = spellings(data)
        return spelled.get(str(step), str(step))


def _item(value: Any, step: str | int) -> Any:
    """Return an item of a value, _GONE where there is none."""
    if isinstance(value, dict):
        return value.get(step, _GONE)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _GONE
