"""The parts of places that policies look at: a country, a country and subdivision, or coordinates, each by a number."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from lbdns.places import regions
from lbdns.places.centroids import stand_in
from lbdns.places.place import Place


class Unit(StrEnum):
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
