"""`proximity`: pools by great-circle distance from the located place; those without coordinates last, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.places.centroids import stand_in
from lbdns.steering.kernel.numbers import SELECT_FIRST, SELECT_NEAREST
from lbdns.steering.policies.context import Context, Site
from lbdns.steering.policies.cut import UNKNOWN_LIST, Partition, Spread, spread
from lbdns.steering.policies.plan import Plan, spread_plan, unweighted
from lbdns.steering.policies.units import Unit, Units
from lbdns.steering.policies.what_steers import Steered

SAME_EVERYWHERE = "no place in the databases changes the order: pools are those nearest to this PoP ({pop}) first"
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
NO_DISTANCE_M = 1e12  # stands after any distance on Earth
ORDER_BYTES = 100  # an order of a few pools, in this process


Coordinates = tuple[float | None, float | None]
"""Latitude and longitude in degrees, None where there are none."""


class _Places(NamedTuple):
    """Where the pools stand, in order, and whose place counts where ECS does not."""

    pools: tuple[Coordinates, ...]
    mode: str


class _Orders(NamedTuple):
    """Distinct orders of pools, by their indices, and how these are spread over places."""

    orders: tuple[tuple[int, ...], ...]
    over: Spread

    @property
    def size(self) -> int:
        """Bytes, near enough."""
        return self.over.size + ORDER_BYTES * len(self.orders)


def plan(steered: Steered, context: Context) -> Plan:
    """Return a list per pair of coordinates: all of `default_pools`, nearest first.

    Where very many load balancers are steered so, the nearest is found at query time instead: the answers are the same,
    but ECS scopes are those of the located networks, without neighbours that decide alike.
    """
    names = steered.default_pools
    if context.has_many_partitions:
        return Plan(SELECT_NEAREST, (unweighted(names),))
    pools = [context.pools[name] for name in names]
    where = _Places(tuple([(pool.latitude, pool.longitude) for pool in pools]), steered.location_strategy.mode)
    found = context.part(_nearest, where)
    lists = tuple([unweighted([names[index] for index in order]) for order in found.orders])
    return spread_plan(SELECT_FIRST, lists, found.over)


def _nearest(where: _Places, site: Site, units: Units) -> _Orders:
    orders = _orders(distances_m(units.latitudes, units.longitudes, where.pools))
    numbers: dict[tuple[int, ...], int] = {}
    by_unit = np.full(len(orders), UNKNOWN_LIST, dtype=np.int32)
    if len(orders) > 1:
        distinct, inverse = np.unique(orders[1:], axis=0, return_inverse=True)
        numbers = {tuple(order): number for number, order in enumerate(distinct.tolist())}
        by_unit[1:] = np.asarray(inverse).reshape(-1)
    place = stand_in(site.place)
    here = tuple(range(len(where.pools)))
    if place.latitude is not None and place.longitude is not None:
        distances = distances_m(np.array([place.latitude]), np.array([place.longitude]), where.pools)
        here = tuple(_orders(distances)[0].tolist())
    pop_list = numbers.setdefault(here, len(numbers))
    partition = Partition(Unit.COORDINATES, by_unit)
    return _Orders(tuple(numbers), spread(pop_list, partition, partition, where.mode))


def distances_m(
    latitudes: NDArray[np.float64], longitudes: NDArray[np.float64], pools: Sequence[Coordinates]
) -> NDArray[np.float64]:
    """Return great-circle distances in whole metres, shape (points, pools); NO_DISTANCE_M for pools without
    coordinates.

    Haversine on a sphere. Whole metres make pools at one place tie whatever the rounding of the trigonometry, and ties
    keep the configured order.
    """
    there = np.array([[latitude or 0.0, longitude or 0.0] for latitude, longitude in pools])
    placed = np.array([latitude is not None for latitude, _ in pools])
    phi_1, phi_2 = np.radians(latitudes)[:, None], np.radians(there[:, 0])[None, :]
    delta = np.radians(there[:, 1])[None, :] - np.radians(longitudes)[:, None]
    half = np.sin((phi_2 - phi_1) / 2) ** 2 + np.cos(phi_1) * np.cos(phi_2) * np.sin(delta / 2) ** 2
    metres = np.rint(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))
    return np.where(placed[None, :], metres, NO_DISTANCE_M)


def _orders(distances: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.argsort(distances, axis=1, kind="stable")
