"""`geo`: the list of the PoP, else of the client's country, else of the region, else `default_pools`.

By definition, not by health: a chosen list that is all down leads to the fallback pool. Region and PoP are those of the
answering PoP; with `region_from: location` the region is that of the located country and subdivision, where known.
"""

from __future__ import annotations

import numpy as np

from lbdns.geo import Place, regions
from lbdns.model import LoadBalancer
from lbdns.steering.layout import SELECT_FIRST
from lbdns.steering.plan import UNKNOWN_LIST, Context, Lists, Partition, Plan, Unit, located_plan, unweighted


def plan(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return a list per country (or country and subdivision where regions follow the location)."""
    site = context.site
    if site.code and site.code in load_balancer.pop_pools:
        return Plan(SELECT_FIRST, (unweighted(load_balancer.pop_pools[site.code]),))
    lists = Lists()
    by_location = load_balancer.location_strategy.region_from == "location" and bool(load_balancer.region_pools)

    def number_of(place: Place) -> int:
        region = regions.region_of(place.country, place.subdivision) if by_location else ""
        return lists.number(unweighted(_names(load_balancer, place.country, region or site.region)))

    def partition(unit: Unit) -> Partition:
        values = context.units.values[unit]
        numbers = np.full(len(values), UNKNOWN_LIST, dtype=np.int32)
        for index, place in enumerate(values[1:], start=1):
            numbers[index] = number_of(Place(place.country, place.subdivision if unit is Unit.SUBDIVISION else ""))
        return Partition(unit, numbers)

    resolver = partition(Unit.SUBDIVISION if by_location else Unit.COUNTRY)
    # `prefer_ecs: geo` takes no more than the country from ECS.
    country_only = load_balancer.location_strategy.prefer_ecs == "geo"
    ecs = partition(Unit.COUNTRY) if by_location and country_only else resolver
    pop_list = lists.number(unweighted(_names(load_balancer, site.place.country, site.region)))
    return located_plan(SELECT_FIRST, lists, pop_list, ecs, resolver)


def _names(load_balancer: LoadBalancer, country: str, region: str) -> tuple[str, ...]:
    if country in load_balancer.country_pools:
        return load_balancer.country_pools[country]
    if region in load_balancer.region_pools:
        return load_balancer.region_pools[region]
    return load_balancer.default_pools
