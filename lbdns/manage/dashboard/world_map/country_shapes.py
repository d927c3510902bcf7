"""The countries as SVG paths in one plane of WIDTH x HEIGHT, made once.

Countries too small for the scale are points: they stand at their centroid, as what has no shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

from lbdns.manage.dashboard.world_map.antimeridian import parts_of
from lbdns.manage.dashboard.world_map.equal_earth import project
from lbdns.manage.dashboard.world_map.topology import rings_of
from lbdns.places import regions
from lbdns.places.centroids import stand_in
from lbdns.places.place import Place
from lbdns.places.shipped import geodata_dir, shipped_rows

WIDTH: Final = 2000
_NORTH, _SOUTH = 84.0, -57.0
"""Degrees between which the map lies: nobody asks from Antarctica's ice."""
_SCALE: Final = WIDTH / 2 / project(180, 0)[0]
_TOP: Final = project(0, _NORTH)[1]
HEIGHT: Final = round((_TOP - project(0, _SOUTH)[1]) * _SCALE)
FILE: Final = "countries-110m.json"
_BY_NAME: Final = {"Kosovo": "XK"}
"""What has no number in ISO 3166-1 and a code in databases."""
_LEFT_OUT: Final = frozenset({"AQ"})


class CountryShape(NamedTuple):
    """A country on the map: ISO 3166-1 alpha-2 code, "" of what has none; English name; path, "" of a point; where it
    is told to be."""

    code: str
    name: str
    path: str
    x: int
    y: int


def at(longitude: float, latitude: float) -> tuple[int, int]:
    """Return where a point in degrees lies on the map, from its upper left corner."""
    x, y = project(longitude, latitude)
    return round(WIDTH / 2 + x * _SCALE), round((_TOP - y) * _SCALE)


@cache
def country_shapes() -> tuple[CountryShape, ...]:
    """Return every country that has a shape or a centroid, those with a shape first."""
    document = json.loads((geodata_dir() / FILE).read_text(encoding="utf-8"))
    rows = shipped_rows("country_numbers.csv")
    next(rows)
    code_of = {number: code for code, number in rows}
    shaped = [_shape(document, one, code_of) for one in document["objects"]["countries"]["geometries"]]
    drawn = sorted((one for one in shaped if one.code not in _LEFT_OUT), key=lambda one: one.name)
    has_shape = {one.code for one in shaped}
    points = [_point(code) for code in (*regions.COUNTRIES, *regions.OTHER_COUNTRIES) if code not in has_shape]
    return *drawn, *(one for one in points if one is not None)


def _shape(document: dict[str, Any], geometry: dict[str, Any], code_of: dict[str, str]) -> CountryShape:
    name = geometry["properties"]["name"]
    code = code_of.get(geometry.get("id", ""), _BY_NAME.get(name, ""))
    known = regions.country_of(code)
    rings = [[at(*point) for point in part] for ring in rings_of(document, geometry) for part in parts_of(ring)]
    point = _point(code)
    x, y = (point.x, point.y) if point else _middle(max(rings, key=len))
    return CountryShape(code, known.name if known else name, _path(rings), x, y)


def _point(code: str) -> CountryShape | None:
    """Return a country as a point at its centroid, None where it has none."""
    place, known = stand_in(Place(code)), regions.country_of(code)
    if place.longitude is None or place.latitude is None or known is None:
        return None
    return CountryShape(code, known.name, "", *at(place.longitude, place.latitude))


def _middle(ring: list[tuple[int, int]]) -> tuple[int, int]:
    return round(sum(x for x, _ in ring) / len(ring)), round(sum(y for _, y in ring) / len(ring))


def _path(rings: Iterable[list[tuple[int, int]]]) -> str:
    """Return rings as a path of whole steps; what shrinks to less than a triangle is left out."""
    parts = []
    for ring in rings:
        points = [point for index, point in enumerate(ring) if index == 0 or point != ring[index - 1]]
        if len(points) < 4:
            continue
        steps = [f"{x - before[0]} {y - before[1]}" for before, (x, y) in pairwise(points[:-1])]
        parts.append(f"M{points[0][0]} {points[0][1]}l{' '.join(steps)}z".replace(" -", "-"))
    return "".join(parts)
