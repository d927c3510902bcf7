"""`geo`: the list of the PoP, else of the client's country, else of the region, else `default_pools`.

By definition, not by health: a chosen list that is all down leads to the fallback pool. Region and PoP are those of the
answering PoP; with `region_from: location` the region is that of the located country and subdivision, where known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.places import regions
from lbdns.steering.kernel.numbers import SELECT_FIRST
from lbdns.steering.policies.context import Context, Site
from lbdns.steering.policies.cut import UNKNOWN_LIST, Partition, Spread, spread
from lbdns.steering.policies.plan import Plan, spread_plan, unweighted
from lbdns.steering.policies.units import Unit, Units
from lbdns.steering.policies.what_steers import Names, Steered

SAME_EVERYWHERE = "no place in the databases changes the candidates: they are those of this PoP ({pop})"
REGION_NUMBERS = {code: number for number, code in enumerate(regions.REGION_CODES)}

HERE: Final = 0
Numbered = tuple[tuple[str, int], ...]
"""Codes, and the number of each one's list."""


class _Map(NamedTuple):
    """Which list stands where, by number, HERE being that of this PoP's region: `regions` and `default` those of the
    located region, empty where that does not count, `countries` those that go before."""

    default: int
    regions: Numbered
    countries: Numbered
    mode: str
    prefer_ecs: str


def plan(steered: Steered, context: Context) -> Plan:
    """Return a list per country (or country and subdivision where regions follow the location)."""
    site = context.site
    if site.code and site.code in steered.pop_pools:
        return Plan(SELECT_FIRST, (unweighted(steered.pop_pools[site.code]),))
    strategy = steered.location_strategy
    numbers: dict[Names, int] = {steered.region_pools.get(site.region, steered.default_pools): HERE}
    default = HERE
    regional: Numbered = ()
    if strategy.region_from == "location" and steered.region_pools:
        default = numbers.setdefault(steered.default_pools, len(numbers))
        regional = _numbered(steered.region_pools, numbers)
    national = _numbered(steered.country_pools, numbers)
    where = _Map(default, regional, national, strategy.mode, strategy.prefer_ecs)
    return spread_plan(SELECT_FIRST, tuple([unweighted(names) for names in numbers]), context.part(_spread, where))


def _numbered(pools: Mapping[str, Names], numbers: dict[Names, int]) -> Numbered:
    return tuple([(code, numbers.setdefault(names, len(numbers))) for code, names in pools.items()])


def _spread(where: _Map, site: Site, units: Units) -> Spread:
    # A list for each region; at index -1 stands that of places of no region, which get this PoP's.
    of_region = np.full(len(regions.REGION_CODES) + 1, HERE, dtype=np.int32)
    if where.regions:
        of_region[:-1] = where.default
        for code, number in where.regions:
            of_region[REGION_NUMBERS[code]] = number

    def partition(unit: Unit) -> Partition:
        numbers: NDArray[np.int32] = of_region[units.region_of[unit]]
        of_country = units.of_country[unit]
        for country, number in where.countries:
            if country in of_country:
                numbers[of_country[country]] = number
        numbers[0] = UNKNOWN_LIST
        return Partition(unit, numbers)

    by_country = partition(Unit.COUNTRY)
    resolver = partition(Unit.SUBDIVISION) if where.regions else by_country
    # `prefer_ecs: geo` takes no more than the country from ECS.
    ecs = by_country if where.prefer_ecs == "geo" else resolver
    pop_list = dict(where.countries).get(site.place.country, HERE)
    return spread(pop_list, ecs, resolver, where.mode)
