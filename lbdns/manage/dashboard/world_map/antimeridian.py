"""Rings that cross the 180th meridian, cut there: on a plane their ends lie at either side."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from lbdns.manage.dashboard.world_map.topology import Point, Ring

_TURN: Final = 360.0
_EDGE: Final = 180.0


def parts_of(ring: Ring) -> list[Ring]:
    """Return the parts of a closed ring that lie within -180 and 180 degrees; a ring that crosses nothing is itself.

    Of two neighbouring points the shorter way between them is meant, across the meridian too.
    """
    unrolled = [ring[0]]
    for (before, _), (longitude, latitude) in pairwise(ring):
        step = (longitude - before + _EDGE) % _TURN - _EDGE if abs(longitude - before) > _EDGE else longitude - before
        unrolled.append((unrolled[-1][0] + step, latitude))
    low, high = min(x for x, _ in unrolled), max(x for x, _ in unrolled)
    if low >= -_EDGE and high <= _EDGE:
        return [ring]
    parts = []
    for turn in (-1, 0, 1):
        moved = [(x - turn * _TURN, y) for x, y in unrolled]
        inside = _beyond(_beyond(moved, -_EDGE, 1), _EDGE, -1)
        if len(inside) > 3:
            parts.append(inside)
    return parts


def _beyond(ring: Ring, edge: float, side: int) -> Ring:
    """Return what of a closed ring lies east (`side` 1) or west (-1) of a meridian, closed along it."""
    kept: Ring = []
    for here, there in pairwise(ring):
        is_in, is_in_then = (side * (one[0] - edge) >= 0 for one in (here, there))
        if is_in:
            kept.append(here)
        if is_in != is_in_then:
            kept.append(_crossing(here, there, edge))
    return [*kept, kept[0]] if kept else []


def _crossing(here: Point, there: Point, edge: float) -> Point:
    part = (edge - here[0]) / (there[0] - here[0])
    return edge, here[1] + part * (there[1] - here[1])
