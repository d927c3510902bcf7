"""What a policy makes of a load balancer at compile time: candidate lists, and which place gets which.

A place counts by its unit: its country, its country and subdivision, or its coordinates. A `Partition` gives every unit
of one kind a list; unit 0 is the unknown place, and -1 means that the location strategy has to ask elsewhere: the
resolver, where the strategy asks for it, else the PoP.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.places import regions
from lbdns.places.centroids import stand_in
from lbdns.places.place import Place

Candidates = tuple[tuple[str, int], ...]  # (pool name, weight) in order; weights matter to SELECT_WEIGHTED alone

UNKNOWN_LIST = -1
PLACES_DO_NOT_MATTER = "does not matter here: every place gets the same candidates"


class Unit(Enum):
    """The part of a place that a policy looks at."""

    COUNTRY = "country"
    SUBDIVISION = "subdivision"
    COORDINATES = "coordinates"


class Units:
    """The distinct units among some places: `of_place[kind][place_id]` is a unit's number, `values[kind]` what it
    stands for.

    Number 0 is the unknown: no country, or no coordinates, of a centroid neither. `region_of[kind]`: each unit's region
    as an index into REGION_CODES, -1 where it has none; `of_country[kind]`: the numbers of each country's units. Built
    once per geolocation database.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self.values: dict[Unit, list[Place]] = {}
        self.of_place: dict[Unit, NDArray[np.int32]] = {}
        for kind in Unit:
            numbers: dict[tuple[object, ...], int] = {}
            values = [Place()]
            of_place = np.zeros(len(places), dtype=np.int32)
            for place_id, found in enumerate(places):
                place = _place_of(kind, found)
                key = _unit_key(kind, place)
                if key is None:
                    continue
                number = numbers.get(key)
                if number is None:
                    number = numbers[key] = len(values)
                    values.append(place)
                of_place[place_id] = number
            self.values[kind] = values
            self.of_place[kind] = of_place
        self.region_of = {kind: _regions_of(self.values[kind]) for kind in (Unit.COUNTRY, Unit.SUBDIVISION)}
        self.of_country = {kind: _by_country(self.values[kind]) for kind in (Unit.COUNTRY, Unit.SUBDIVISION)}
        located = self.values[Unit.COORDINATES]
        self.latitudes = np.array([place.latitude or 0.0 for place in located])
        self.longitudes = np.array([place.longitude or 0.0 for place in located])


def _regions_of(places: Sequence[Place]) -> NDArray[np.int32]:
    numbers = {code: index for index, code in enumerate(regions.REGION_CODES)}
    codes = (regions.region_of(place.country, place.subdivision) for place in places)
    return np.array([numbers.get(code, -1) for code in codes], dtype=np.int32)


def _by_country(places: Sequence[Place]) -> dict[str, NDArray[np.intp]]:
    found: dict[str, list[int]] = {}
    for number, place in enumerate(places):
        found.setdefault(place.country, []).append(number)
    return {country: np.array(numbers, dtype=np.intp) for country, numbers in found.items()}


def _place_of(kind: Unit, place: Place) -> Place:
    """Return what a kind of unit sees of a place."""
    if kind is Unit.COUNTRY:
        return Place(place.country)  # of all of it, whichever subdivision comes first
    if kind is Unit.COORDINATES and place.latitude is None:
        return stand_in(place)
    return place


def _unit_key(kind: Unit, place: Place) -> tuple[object, ...] | None:
    if kind is Unit.COORDINATES:
        return None if place.latitude is None or place.longitude is None else (place.latitude, place.longitude)
    if not place.country:
        return None
    return (place.country,) if kind is Unit.COUNTRY else (place.country, place.subdivision)


class Partition(NamedTuple):
    """Which list each unit of one kind gets: `lists[number]`, UNKNOWN_LIST where the unit says nothing."""

    unit: Unit
    lists: NDArray[np.int32]


class Plan(NamedTuple):
    """A policy's result: how to pick from a list, the lists, and how location chooses among them.

    `ecs` applies to places found by ECS, `resolver` to those found by the resolver's address; both None where location
    does not matter. `pop_list` is the list of this server's own place, used where nothing else is known.
    """

    select: int
    lists: tuple[Candidates, ...]
    pop_list: int = 0
    ecs: Partition | None = None
    resolver: Partition | None = None


def unweighted(names: Sequence[str]) -> Candidates:
    """Return names as candidates whose weights do not matter."""
    return tuple([(name, 1) for name in names])


class Lists:
    """Distinct candidate lists by number."""

    def __init__(self) -> None:
        self._numbers: dict[Candidates, int] = {}

    def number(self, candidates: Candidates) -> int:
        """Return the number of a list, a new one where it is new."""
        return self._numbers.setdefault(candidates, len(self._numbers))

    def all(self) -> tuple[Candidates, ...]:
        """Return the lists in order of their numbers."""
        return tuple(self._numbers)


def located_plan(select: int, lists: Lists, pop_list: int, ecs: Partition, resolver: Partition, mode: str) -> Plan:
    """Return a plan by location, or the plan of one list where every place gets the same as this server's own.

    `mode`: the location strategy's. Where it is `pop`, nobody asks where the resolver is: an ECS network whose place is
    unknown counts as at the PoP, so it gets that list, and merges with neighbours that get it too. With `resolver_ip`
    the resolver's place decides for it, and one cache may stand behind resolvers in many places: it stays apart.
    """
    if _is_everywhere(pop_list, ecs) and (resolver is ecs or _is_everywhere(pop_list, resolver)):
        return Plan(select, (lists.all()[pop_list],))
    if mode == "pop":
        resolver = ecs = Partition(ecs.unit, np.where(ecs.lists == UNKNOWN_LIST, np.int32(pop_list), ecs.lists))
    return Plan(select, lists.all(), pop_list, ecs, resolver)


def _is_everywhere(number: int, partition: Partition) -> bool:
    """Return whether every unit that gets a list gets this one."""
    return not ((partition.lists != UNKNOWN_LIST) & (partition.lists != number)).any()
