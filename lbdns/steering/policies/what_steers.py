"""What of a load balancer steers: all that policies and rows are made from, its own or with overrides in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lbdns.base.words import effective_policy
from lbdns.model.balancer import LoadBalancer
from lbdns.model.rule import PoolSet
from lbdns.model.steering_fields import LocationStrategy, RandomSteering

Names = tuple[str, ...]


class Steered(NamedTuple):
    """Fields of `LoadBalancer`, by the same names."""

    default_pools: Names
    fallback_pool: str
    ttl: int
    steering_policy: str
    region_pools: Mapping[str, Names]
    country_pools: Mapping[str, Names]
    pop_pools: Mapping[str, Names]
    random_steering: RandomSteering
    location_strategy: LocationStrategy
    session_affinity: str
    pool_sets: tuple[PoolSet, ...]

    @property
    def effective_policy(self) -> str:
        """The steering policy with `""` resolved."""
        return effective_policy(self.steering_policy, bool(self.region_pools or self.country_pools or self.pop_pools))


def steered_of(load_balancer: LoadBalancer) -> Steered:
    """Return what of a load balancer steers where no rule matches."""
    one = load_balancer
    return Steered(
        one.default_pools,
        one.fallback_pool,
        one.ttl,
        one.steering_policy,
        one.region_pools,
        one.country_pools,
        one.pop_pools,
        one.random_steering,
        one.location_strategy,
        one.session_affinity,
        one.pool_sets,
    )
