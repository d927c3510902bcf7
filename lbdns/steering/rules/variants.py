"""What rules and pool sets make of a load balancer: variants, each planned like a load balancer of its own.

A pool set is found by place, as `geo` finds lists: a variant with pool sets is a row of SELECT_SET, whose classes lead
to the variants that its sets make.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.model.balancer import LoadBalancer, overridden
from lbdns.model.rule import PoolSet
from lbdns.places import regions
from lbdns.steering.kernel.numbers import SELECT_SET
from lbdns.steering.policies.context import Context
from lbdns.steering.policies.plan import UNKNOWN_LIST, Candidates, Lists, Partition, Plan, Unit, located_plan

REGION_NUMBERS = {code: number for number, code in enumerate(regions.REGION_CODES)}
_KEY = "pool_sets"
NO_SET: Candidates = ()
SETS_FOUND_AS = "geo"
"""The policy as under which places are found for pool sets."""


class Variant(NamedTuple):
    """A load balancer with overrides in place of its own fields; `is_fixed`: it answers without records."""

    load_balancer: LoadBalancer
    is_fixed: bool = False


def by_rules(load_balancer: LoadBalancer, hits: Sequence[int]) -> Variant:
    """Return what the rules at these positions, which match in this order, make of a load balancer; it has no rules of
    its own any more."""
    made = load_balancer.model_copy(update={"rules": ()})
    for position in hits:
        rule = load_balancer.rules[position]
        if rule.overrides is not None:
            made = overridden(made, rule.overrides)
        if rule.fixed_response is not None:
            return Variant(made, is_fixed=True)
    return Variant(made)


def by_set(load_balancer: LoadBalancer, position: int | None) -> Variant:
    """Return what a pool set makes of a variant, None: no set; it has no pool sets of its own any more."""
    made = load_balancer.model_copy(update={"pool_sets": ()})
    if position is None:
        return Variant(made)
    one = load_balancer.pool_sets[position]
    if one.overrides is not None:
        made = overridden(made, one.overrides)
    return Variant(made, is_fixed=one.fixed_response is not None)


def has_sets(load_balancer: LoadBalancer) -> bool:
    """Return whether any pool set may match."""
    return any(not one.disabled for one in load_balancer.pool_sets)


def plan_sets(load_balancer: LoadBalancer, context: Context) -> Plan:
    """Return which pool set each place has, as a plan whose lists name one set, by its position as weight, or none.

    A place is a country and a region, as `geo` finds them; the PoP is known.
    """
    site = context.site
    enabled = [(position, one) for position, one in enumerate(load_balancer.pool_sets) if not one.disabled]
    strategy = load_balancer.location_strategy
    by_location = strategy.region_from == "location" and any(
        one.topology and one.topology.regions for _, one in enabled
    )
    lists = Lists()

    def partition(unit: Unit) -> Partition:
        region_of = context.units.region_of[unit]
        here = REGION_NUMBERS.get(site.region, -1)
        region_of = np.where(region_of < 0, here, region_of) if by_location else np.full_like(region_of, here)
        numbers = np.full(len(region_of), lists.number(NO_SET), dtype=np.int32)
        for position, one in reversed(enabled):
            found = _where(one, site.code, region_of, context.units.of_country[unit])
            if found.any():
                numbers[found] = lists.number(((_KEY, position),))
        numbers[0] = UNKNOWN_LIST
        return Partition(unit, numbers)

    by_country = partition(Unit.COUNTRY)
    resolver = partition(Unit.SUBDIVISION) if by_location else by_country
    ecs = by_country if strategy.prefer_ecs == "geo" else resolver  # which takes no more than the country from ECS
    pop_list = lists.number(_at(enabled, site.code, site.place.country, site.region))
    return located_plan(SELECT_SET, lists, pop_list, ecs, resolver, strategy.mode)


def set_positions(lists: Sequence[Candidates]) -> list[int | None]:
    """Return which pool set each list of such a plan stands for, None: no set."""
    return [listed[0][1] if listed else None for listed in lists]


def _where(
    one: PoolSet, pop: str, region_of: NDArray[np.int32], of_country: dict[str, NDArray[np.intp]]
) -> NDArray[np.bool_]:
    """Return which units a pool set matches."""
    topology = one.topology
    if topology is None or pop in (topology.pops or ()):
        return np.ones(len(region_of), np.bool_)
    wanted = [REGION_NUMBERS[code] for code in topology.regions or ()]
    found = np.isin(region_of, wanted)
    for country in topology.countries or ():
        if country in of_country:
            found[of_country[country]] = True
    return found


def _at(enabled: Sequence[tuple[int, PoolSet]], pop: str, country: str, region: str) -> Candidates:
    """Return the set of this server's own place."""
    for position, one in enabled:
        topology = one.topology
        if topology is None or pop in (topology.pops or ()):
            return ((_KEY, position),)
        if country in (topology.countries or ()) or region in (topology.regions or ()):
            return ((_KEY, position),)
    return NO_SET
