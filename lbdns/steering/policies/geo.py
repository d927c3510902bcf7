"""`geo`: the list of the PoP, else of the client's country, else of the region, else `default_pools`.

By definition, not by health: a chosen list that is all down leads to the fallback pool. Region and PoP are those of the
answering PoP; with `region_from: location` the region is that of the located country and subdivision, where known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbdns.model.balancer import LoadBalancer
from lbdns.places import regions
from lbdns.steering.kernel.numbers import SELECT_FIRST
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import UNKNOWN_LIST, Lists, Partition, Plan, Unit, located_plan, unweighted

SAME_EVERYWHERE = "no place in the databases changes the candidates: they are those of this PoP ({pop})"
REGION_NUMBERS = {code: number for number, code in enumerate(regions.REGION_CODES)}


def plan(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return a list per country (or country and subdivision where regions follow the location)."""
    site = context.site
    if site.code and site.code in load_balancer.pop_pools:
        return Plan(SELECT_FIRST, (unweighted(load_balancer.pop_pools[site.code]),))
    lists = Lists()
    by_location = load_balancer.location_strategy.region_from == "location" and bool(load_balancer.region_pools)
    here = lists.number(unweighted(load_balancer.region_pools.get(site.region, load_balancer.default_pools)))
    # A list for each region; at index -1 stands that of places of no region, which get this PoP's.
    of_region = np.full(len(regions.REGION_CODES) + 1, here, dtype=np.int32)
    if by_location:
        of_region[:-1] = lists.number(unweighted(load_balancer.default_pools))
        for code, names in load_balancer.region_pools.items():
            of_region[REGION_NUMBERS[code]] = lists.number(unweighted(names))

    def partition(unit: Unit, region_of: NDArray[np.int32]) -> Partition:
        numbers = of_region[region_of]
        of_country = context.units.of_country[unit]
        for country, names in load_balancer.country_pools.items():
            number = lists.number(unweighted(names))
            if country in of_country:
                numbers[of_country[country]] = number
        numbers[0] = UNKNOWN_LIST
        return Partition(unit, numbers)

    units = context.units
    by_country = partition(Unit.COUNTRY, units.region_of[Unit.COUNTRY])
    resolver = partition(Unit.SUBDIVISION, units.region_of[Unit.SUBDIVISION]) if by_location else by_country
    # `prefer_ecs: geo` takes no more than the country from ECS.
    ecs = by_country if load_balancer.location_strategy.prefer_ecs == "geo" else resolver
    names_here = load_balancer.country_pools.get(site.place.country)
    pop_list = here if names_here is None else lists.number(unweighted(names_here))
    return located_plan(SELECT_FIRST, lists, pop_list, ecs, resolver, load_balancer.location_strategy.mode)
