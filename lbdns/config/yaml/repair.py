"""Build a model from what a file says; where it is refused, report every mistake and go on with what remains.

A validator that looks at several fields runs only once each of them is sound. So the refused values are taken out, one
round after another, until the rest passes: then every mistake has been seen, and the object can stand in for what was
meant while references are checked. It never gets any further: a configuration with any mistake is not served.
"""

from __future__ import annotations

import copy
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from lbdns.base.errors import Problem
from lbdns.config.yaml.source import Placed, Source
from lbdns.config.yaml.yaml_tree import spelled
from lbdns.model.balancer import LoadBalancer
from lbdns.model.mistakes import mistakes_of
from lbdns.model.monitors import MonitorGroup
from lbdns.model.pool import Pool

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str | int, ...]

MAX_ROUNDS: Final = 16
_GONE: Final = object()
"""What stands in a list for a refused item, so that the others keep their indexes."""
_STAND_INS: Final[dict[type[BaseModel], dict[str, Any]]] = {
    LoadBalancer: {"name": "stand-in.invalid", "default_pools": ["-"], "fallback_pool": "-"},
    Pool: {"name": "stand-in", "origins": [{"name": "stand-in", "address": "192.0.2.1"}]},
    MonitorGroup: {"members": [{"monitor": "-"}]},
}
"""What stands in for a required field whose value was refused; `Placed.refused` tells that it does."""


def build(model: type[Model], data: Any, source: Source, problems: list[Problem]) -> Placed[Model] | None:
    """Return the model of `data`, mended where it had to be; None where too little is left of it."""
    try:
        return Placed(model.model_validate(data), source)
    except ValidationError as error:
        if not isinstance(data, dict):
            problems.extend(source.problem(found.location, found.message) for found in mistakes_of(error, model))
            return None
        return _Repair(model, data, source, problems).run(error)


class _Repair:
    """One object's repair: its data, with _GONE for list items taken out, and the locations taken out so far."""

    def __init__(self, model: type[Any], data: dict[str, Any], source: Source, problems: list[Problem]) -> None:
        self.model = model
        self.data = copy.deepcopy(data)
        self.source = source
        self.problems = problems
        self.removed: set[Location] = set()

    def run(self, error: ValidationError) -> Placed[Any] | None:
        """Take out what is refused until the rest passes."""
        for _ in range(MAX_ROUNDS):
            found = [(_unpruned(self.data, one.location), one) for one in mistakes_of(error, self.model)]
            for place, one in found:
                if not self._follows(place, [_unpruned(self.data, about) for about in one.about]):
                    self.problems.append(self.source.problem(place, one.message))
            for place, _one in found:
                self._remove(place)
            try:
                item = self.model.model_validate(_pruned(self.data))
            except ValidationError as again:
                error = again
                continue
            return Placed(item, self.source, frozenset(str(place[0]) for place in self.removed if place))
        return None

    def _follows(self, place: Location, about: list[Location]) -> bool:
        """Tell whether a mistake only follows from a value that was refused and taken out before."""
        if any(removed[: len(place)] == place for removed in self.removed):
            return True
        return any(_overlap(removed, rested_on) for removed in self.removed for rested_on in about)

    def _remove(self, place: Location) -> None:
        """Take out the value at a location; where there is none, fill it in or take out what holds it."""
        self.removed.add(place)
        holder: Any = self.data
        for step in place[:-1]:
            holder = _item(holder, step)
        if isinstance(holder, list) and isinstance(place[-1], int):
            holder[place[-1]] = _GONE
        elif isinstance(holder, dict) and len(place) == 1:
            self._replace(holder, str(place[0]))
        elif not isinstance(holder, dict) or holder.pop(place[-1], _GONE) is _GONE:
            self._remove(place[:-1])

    def _replace(self, data: dict[str, Any], field: str) -> None:
        """Take out a field of the object itself; a required one gets its stand-in."""
        data.pop(field, None)
        if field in _STAND_INS.get(self.model, {}):
            data[field] = _STAND_INS[self.model][field]


def _overlap(one: Location, other: Location) -> bool:
    """Tell whether one location holds the other, or both are the same."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _pruned(value: Any) -> Any:
    """Return a value without the items that were taken out."""
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_pruned(item) for item in value if item is not _GONE]
    return value


def _unpruned(data: Any, place: Location) -> Location:
    """Return a location in pruned data as one in the data itself: list items that were taken out count again."""
    steps: list[str | int] = []
    for step in place:
        if isinstance(data, list) and isinstance(step, int):
            step = [index for index, item in enumerate(data) if item is not _GONE][step]
        elif isinstance(data, dict):
            step = spelled(data, step)
        data = _item(data, step)
        steps.append(step)
    return tuple(steps)


def _item(value: Any, step: str | int) -> Any:
    """Return an item of a value, _GONE where there is none."""
    if isinstance(value, dict):
        return value.get(step, _GONE)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _GONE
