"""Areas out of a TopoJSON document (github.com/topojson/topojson-specification): rings of degrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

Point = tuple[float, float]
Ring = list[Point]


def rings_of(document: Mapping[str, Any], geometry: Mapping[str, Any]) -> Iterator[Ring]:
    """Yield the rings of a Polygon or MultiPolygon, holes among them, as longitudes and latitudes."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    for polygon in polygons:
        for arcs in polygon:
            yield _ring(document, arcs)


def _ring(document: Mapping[str, Any], arcs: Sequence[int]) -> Ring:
    """Return arcs put together; each begins where the one before ends. One's complement is an arc backwards."""
    ring: Ring = []
    for number in arcs:
        points = list(_arc(document, number if number >= 0 else ~number))
        if number < 0:
            points.reverse()
        ring += points[1:] if ring else points
    return ring


def _arc(document: Mapping[str, Any], number: int) -> Iterator[Point]:
    """Yield an arc's points: differences of whole numbers, scaled and moved by the document's transform."""
    (scale_x, scale_y), (move_x, move_y) = document["transform"]["scale"], document["transform"]["translate"]
    steps = document["arcs"][number]
    for x, y in accumulate(steps, lambda at, step: (at[0] + step[0], at[1] + step[1])):
        yield x * scale_x + move_x, y * scale_y + move_y
