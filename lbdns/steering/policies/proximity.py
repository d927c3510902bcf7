"""`proximity`: pools by great-circle distance from the located place; those without coordinates last, in order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.places.centroids import stand_in
from lbdns.steering.kernel.numbers import SELECT_FIRST, SELECT_NEAREST
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import UNKNOWN_LIST, Lists, Partition, Plan, Unit, located_plan, unweighted

SAME_EVERYWHERE = "no place in the databases changes the order: pools are those nearest to this PoP ({pop}) first"
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
NO_DISTANCE_M = 1e12  # stands after any distance on Earth


def plan(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return a list per pair of coordinates: all of `default_pools`, nearest first.

    Where very many load balancers are steered so, the nearest is found at query time instead: the answers are the same,
    but ECS scopes are those of the located networks, without neighbours that decide alike.
    """
    names = load_balancer.default_pools
    if context.has_many_partitions:
        return Plan(SELECT_NEAREST, (unweighted(names),))
    pools = [context.pools[name] for name in names]
    lists = Lists()
    units = context.units
    orders = _orders(distances_m(units.latitudes, units.longitudes, pools))
    distinct, inverse = np.unique(orders[1:], axis=0, return_inverse=True) if len(orders) > 1 else (orders[:0], [])
    numbers = [lists.number(unweighted([names[index] for index in order])) for order in distinct]
    by_unit = np.full(len(orders), UNKNOWN_LIST, dtype=np.int32)
    if numbers:
        by_unit[1:] = np.array(numbers, dtype=np.int32)[np.asarray(inverse).reshape(-1)]
    place = stand_in(context.site.place)
    order: list[int] = list(range(len(names)))
    if place.latitude is not None and place.longitude is not None:
        here = distances_m(np.array([place.latitude]), np.array([place.longitude]), pools)
        order = [int(index) for index in _orders(here)[0]]
    pop_list = lists.number(unweighted([names[index] for index in order]))
    partition = Partition(Unit.COORDINATES, by_unit)
    return located_plan(SELECT_FIRST, lists, pop_list, partition, partition, load_balancer.location_strategy.mode)


def distances_m(
    latitudes: NDArray[np.float64], longitudes: NDArray[np.float64], pools: list[Pool]
) -> NDArray[np.float64]:
    """Return great-circle distances in whole metres, shape (points, pools); NO_DISTANCE_M for pools without
    coordinates.

    Haversine on a sphere. Whole metres make pools at one place tie whatever the rounding of the trigonometry, and ties
    keep the configured order.
    """
    there = np.array([[pool.latitude or 0.0, pool.longitude or 0.0] for pool in pools])
    placed = np.array([pool.latitude is not None for pool in pools])
    phi_1, phi_2 = np.radians(latitudes)[:, None], np.radians(there[:, 0])[None, :]
    delta = np.radians(there[:, 1])[None, :] - np.radians(longitudes)[:, None]
    half = np.sin((phi_2 - phi_1) / 2) ** 2 + np.cos(phi_1) * np.cos(phi_2) * np.sin(delta / 2) ** 2
    metres = np.rint(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))
    return np.where(placed[None, :], metres, NO_DISTANCE_M)


def _orders(distances: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.argsort(distances, axis=1, kind="stable")
