"""What rules and pool sets make of a load balancer: variants, each planned like a load balancer of its own.

What a set of rules that match does is worked out once for all load balancers that have these rules.

A pool set is found by place, as `geo` finds lists: a variant with pool sets is a row of SELECT_SET, whose classes lead
to the variants that its sets make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbdns.model.balancer import LoadBalancer, Replacing, replacing
from lbdns.model.rule import PoolSet, Rule
from lbdns.places import regions
from lbdns.steering.kernel.numbers import SELECT_SET
from lbdns.steering.policies.context import Context, Site
from lbdns.steering.policies.cut import UNKNOWN_LIST, Partition, Spread, spread
from lbdns.steering.policies.plan import Candidates, Lists, Plan, spread_plan
from lbdns.steering.policies.units import Unit, Units
from lbdns.steering.policies.what_steers import Steered

REGION_NUMBERS = {code: number for number, code in enumerate(regions.REGION_CODES)}
_KEY = "pool_sets"
NO_SET: Candidates = ()
SETS_FOUND_AS = "geo"
"""The policy as under which places are found for pool sets."""
_STEERING = frozenset(Steered._fields)

Codes = tuple[str, ...]


class Variant(NamedTuple):
    """What steers with overrides in place; `is_fixed`: it is answered without records."""

    steered: Steered
    is_fixed: bool = False


class Effect(NamedTuple):
    """What rules that match, or a pool set, do, whichever load balancer has them."""

    replaced: Replacing
    is_fixed: bool

    @property
    def is_nothing(self) -> bool:
        """Whether a load balancer with it is as it was."""
        return not (self.is_fixed or self.replaced.fields or self.replaced.weights)

    def on(self, steered: Steered) -> Variant:
        """Return what it makes."""
        return Variant(steered._replace(**self.replaced.over(steered.random_steering)), self.is_fixed)


def effect_of(matched: Iterable[Rule | PoolSet]) -> Effect:
    """Return what rules do that match in this order; nothing behind a fixed response acts."""
    several = []
    is_fixed = False
    for one in matched:
        if one.overrides is not None:
            several.append(one.overrides)
        if one.fixed_response is not None:
            is_fixed = True
            break
    fields, weights = replacing(several)
    return Effect(Replacing({name: fields[name] for name in fields if name in _STEERING}, weights), is_fixed)


def by_set(steered: Steered, position: int | None) -> Variant:
    """Return what a pool set makes of a variant, None: no set; it has no pool sets of its own any more."""
    matched = () if position is None else (steered.pool_sets[position],)
    return effect_of(matched).on(steered._replace(pool_sets=()))


def has_sets(one: Steered | LoadBalancer) -> bool:
    """Return whether any pool set may match."""
    return bool(one.pool_sets) and not all([each.disabled for each in one.pool_sets])


class _Set(NamedTuple):
    """A pool set that may match, by its position, and which places it is for."""

    position: int
    pops: Codes
    countries: Codes
    regions: Codes
    is_everywhere: bool


class _Sets(NamedTuple):
    """The pool sets that may match, in order, and how places are found for them."""

    sets: tuple[_Set, ...]
    by_location: bool
    mode: str
    prefer_ecs: str


class _Found(NamedTuple):
    """A list for each pool set that is found anywhere, and how these are spread over places."""

    lists: tuple[Candidates, ...]
    over: Spread

    @property
    def size(self) -> int:
        """Bytes, near enough."""
        return self.over.size


def plan_sets(steered: Steered, context: Context) -> Plan:
    """Return which pool set each place has, as a plan whose lists name one set, by its position as weight, or none.

    A place is a country and a region, as `geo` finds them; the PoP is known.
    """
    sets = tuple([_set(position, one) for position, one in enumerate(steered.pool_sets) if not one.disabled])
    strategy = steered.location_strategy
    by_location = strategy.region_from == "location" and any([one.regions for one in sets])
    found = context.part(_find_sets, _Sets(sets, by_location, strategy.mode, strategy.prefer_ecs))
    return spread_plan(SELECT_SET, found.lists, found.over)


def _set(position: int, one: PoolSet) -> _Set:
    where = one.topology
    if where is None:
        return _Set(position, (), (), (), is_everywhere=True)
    return _Set(position, where.pops or (), where.countries or (), where.regions or (), is_everywhere=False)


def _find_sets(asked: _Sets, site: Site, units: Units) -> _Found:
    lists = Lists()

    def partition(unit: Unit) -> Partition:
        region_of = units.region_of[unit]
        here = REGION_NUMBERS.get(site.region, -1)
        region_of = np.where(region_of < 0, here, region_of) if asked.by_location else np.full_like(region_of, here)
        numbers = first_sets(region_of, units.of_country[unit])
        numbers[0] = UNKNOWN_LIST
        return Partition(unit, numbers)

    def first_sets(region_of: NDArray[np.int32], of_country: dict[str, NDArray[np.intp]]) -> NDArray[np.int32]:
        """Return for each unit the list of the first set that matches it."""
        numbers = np.full(len(region_of), lists.number(NO_SET), dtype=np.int32)
        for one in reversed(asked.sets):
            found = _where(one, site.code, region_of, of_country)
            if found.any():
                numbers[found] = lists.number(((_KEY, one.position),))
        return numbers

    by_country = partition(Unit.COUNTRY)
    resolver = partition(Unit.SUBDIVISION) if asked.by_location else by_country
    ecs = by_country if asked.prefer_ecs == "geo" else resolver  # which takes no more than the country from ECS
    own_place = np.array([REGION_NUMBERS.get(site.region, -1)], np.int32), {site.place.country: np.array([0])}
    pop_list = int(first_sets(*own_place)[0])
    over = spread(pop_list, ecs, resolver, asked.mode)
    return _Found(lists.all(), over)


def set_positions(lists: Sequence[Candidates]) -> list[int | None]:
    """Return which pool set each list of such a plan stands for, None: no set."""
    return [listed[0][1] if listed else None for listed in lists]


def _where(
    one: _Set, pop: str, region_of: NDArray[np.int32], of_country: dict[str, NDArray[np.intp]]
) -> NDArray[np.bool_]:
    """Return which units a pool set matches."""
    if one.is_everywhere or pop in one.pops:
        return np.ones(len(region_of), np.bool_)
    found = np.isin(region_of, [REGION_NUMBERS[code] for code in one.regions])
    for country in one.countries:
        if country in of_country:
            found[of_country[country]] = True
    return found
