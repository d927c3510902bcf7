"""Load balancers: the names that are steered, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from lbdns.base.words import BALANCER_TYPES, PLACE_MAPS, effective_policy
from lbdns.model import bounds
from lbdns.model.fields import Frozen, Networks, PoolNames, shared
from lbdns.model.hostnames import parse_owner_name
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Description, Flag, Reference
from lbdns.model.private_names import as_address
from lbdns.model.rule import NamedList, PoolSet, PoolSetOverrides, Rule
from lbdns.model.steering_fields import (
    EQUAL_WEIGHTS,
    NO_POOLS,
    AdaptiveRouting,
    AffinityTtl,
    CountryPools,
    LocationStrategy,
    PopPools,
    RandomSteering,
    RegionPools,
    SessionAffinity,
    SessionAffinityAttributes,
    SteeringPolicy,
    Ttl,
)
from lbdns.model.view_names import labelled
from lbdns.model.views import ViewName

if TYPE_CHECKING:
    BalancerType = str
else:
    BalancerType = Literal[BALANCER_TYPES]


class LoadBalancer(Frozen):
    """A name whose answers are steered. The attributes are the API's keys; `type` is lbdns's own.

    `type` "A" answers A and AAAA queries from the pools' addresses; "MX" and "SRV" answer those types from hostnames.
    """

    name: Annotated[str, AfterValidator(parse_owner_name)]
    """The name that is answered, in one of the zones; `*.` at its beginning stands for all names below."""
    default_pools: PoolNames
    """The pools, in order."""
    fallback_pool: Reference
    """The pool that is answered from, whatever its health, where no other can be."""
    description: Description = ""
    """For people."""
    enabled: Flag = True
    """Whether it is served; a disabled one does not exist."""
    proxied: Flag = False
    """Does not act: lbdns carries no traffic."""
    ttl: Ttl = bounds.DEFAULT_TTL_S
    """The TTL of its answers, in seconds."""
    steering_policy: SteeringPolicy = ""
    """How a pool is chosen. Empty: `geo` where a map of places is set, else `off`."""
    region_pools: RegionPools = Field(default_factory=lambda: NO_POOLS)
    """Under `geo`: pools by region, where neither PoP nor country has any."""
    country_pools: CountryPools = Field(default_factory=lambda: NO_POOLS)
    """Under `geo`: pools by ISO 3166-1 country, where the PoP has none."""
    pop_pools: PopPools = Field(default_factory=lambda: NO_POOLS)
    """Under `geo`: pools by the PoP that answers."""
    random_steering: RandomSteering = Field(default_factory=lambda: EQUAL_WEIGHTS)
    """The weights of the pools where one is drawn."""
    location_strategy: Annotated[LocationStrategy, AfterValidator(shared)] = LocationStrategy()
    """Whose place decides."""
    session_affinity: SessionAffinity = "none"
    """`ip_cookie` gives a client one endpoint, always the same; `cookie` and `header` do not act in DNS."""
    session_affinity_ttl: AffinityTtl | None = None
    """Does not act in DNS."""
    session_affinity_attributes: SessionAffinityAttributes = SessionAffinityAttributes()
    """Does not act in DNS."""
    adaptive_routing: AdaptiveRouting = AdaptiveRouting()
    """Does not act in DNS."""
    rules: Annotated[tuple[Annotated[Rule, AfterValidator(shared)], ...], Field(max_length=bounds.MAX_RULES)] = ()
    """Custom rules: what is done differently for the queries that a condition is true of."""
    pool_sets: Annotated[
        tuple[Annotated[PoolSet, AfterValidator(shared)], ...], Field(max_length=bounds.MAX_POOL_SETS)
    ] = ()
    """Behind the rules, the first of these that matches: pools for the queries of some places."""
    networks: Networks = ()
    """Kept for the v4 API; does not act: there is one network."""
    type: Annotated[BalancerType, SHOWN_WHERE_SET] = "A"
    """What is answered: addresses, or hostnames as MX or SRV."""
    view: Annotated[ViewName, SHOWN_WHERE_SET] = ""
    """The view that it is served in, `public` for who is in none; empty: in all."""
    on_ramps: Annotated[
        Annotated[tuple[Reference, ...], Field(max_length=bounds.MAX_VIEWS)] | None, SHOWN_WHERE_SET
    ] = None
    """Makes it a private load balancer, served to the views that it names alone; an empty list stands for all that are
    `private`, and so does an IP address as its name. It need be in no zone."""

    @property
    def label(self) -> str:
        """What people call it: its name, and its view where it has one."""
        return labelled(self.name, self.view)

    @property
    def is_private(self) -> bool:
        """Whether it is served to the views of its on_ramps alone."""
        return self.on_ramps is not None or as_address(self.name) is not None

    @property
    def effective_policy(self) -> str:
        """The steering policy with `""` resolved: `geo` where any map of places is set, else `off`."""
        return effective_policy(self.steering_policy, bool(self.region_pools or self.country_pools or self.pop_pools))

    @property
    def has_rules(self) -> bool:
        """Whether it has any rule or pool set, disabled or not."""
        return bool(self.rules or self.pool_sets)

    def overriding(self) -> Iterator[tuple[tuple[str | int, ...], PoolSetOverrides]]:
        """Yield the overrides of each rule and pool set that is not disabled, with their location."""
        for field in RULE_LISTS:
            for position, one in enumerate(getattr(self, field)):
                if one.overrides is not None and not one.disabled:
                    yield (field, position, "overrides"), one.overrides

    def pool_lists(self) -> Iterator[NamedList]:
        """Yield every list of pools that may be answered from, with its location: default_pools, each key of the three
        maps, and the same of the rules and pool sets that are not disabled."""
        yield ("default_pools",), self.default_pools
        for field in PLACE_MAPS:
            for place, pools in getattr(self, field).items():
                yield (field, place), pools
        if self.has_rules:
            for location, overrides in self.overriding():
                for inner, pools in overrides.pool_lists():
                    yield (*location, *inner), pools

    def fallback_pools(self) -> Iterator[NamedList]:
        """Yield the fallback pool with its location, and those of the rules and pool sets that are not disabled."""
        yield ("fallback_pool",), (self.fallback_pool,)
        for location, overrides in self.overriding() if self.has_rules else ():
            if overrides.fallback_pool is not None:
                yield (*location, "fallback_pool"), (overrides.fallback_pool,)

    def candidate_names(self) -> frozenset[str]:
        """Return the names of the pools that a policy may choose among."""
        return frozenset(name for _, pools in self.pool_lists() for name in pools)

    def fallback_names(self) -> frozenset[str]:
        """Return the names of the pools that may be the fallback."""
        if not self.has_rules:
            return frozenset((self.fallback_pool,))
        return frozenset(name for _, pools in self.fallback_pools() for name in pools)

    def pool_names(self) -> frozenset[str]:
        """Return the names of all pools that this load balancer can answer from, the fallback pools among them."""
        return self.candidate_names() | self.fallback_names()

    def named_pools(self) -> frozenset[str]:
        """Return the names of all pools that it names anywhere, in what is disabled and in weights too."""
        named = self.pool_names().union(self.random_steering.pool_weights)
        if self.has_rules:
            given = (one.overrides for field in RULE_LISTS for one in getattr(self, field))
            named = named.union(*(one.named_pools() for one in given if one is not None))
        return named

    def without_rules(self) -> LoadBalancer:
        """Return what it is where no rule and no pool set matches."""
        return self.model_copy(update={"rules": (), "pool_sets": ()})


RULE_LISTS: Final = ("rules", "pool_sets")
"""Fields of a load balancer that hold what puts overrides over it, in the order in which they act."""
_WEIGHTS: Final = {"pool_weights": "pool_weights", "pool_default_weight": "default_weight"}
"""Overrides that replace a part of random_steering, and which."""


class Replacing(NamedTuple):
    """What overrides put in place: `fields` of a load balancer, and `weights`, parts of its random_steering."""

    fields: dict[str, Any]
    weights: dict[str, Any]

    def over(self, random_steering: RandomSteering) -> dict[str, Any]:
        """Return the fields to put in place of those of a load balancer that has this random_steering."""
        if not self.weights:
            return self.fields
        weighted = self.fields.get("random_steering", random_steering).model_copy(update=self.weights)
        return {**self.fields, "random_steering": weighted}


def replacing(several: Iterable[PoolSetOverrides]) -> Replacing:
    """Return what overrides replace, each put over those before it.

    A field that is given replaces the load balancer's as a whole. `pools` replaces default_pools and empties the three
    maps of places, whatever else is given of these. `pool_weights` and `pool_default_weight` each replace their part of
    random_steering and leave the other.
    """
    fields: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    for overrides in several:
        given = {name: value for name in overrides.model_fields_set if (value := getattr(overrides, name)) is not None}
        pools = given.pop("pools", None)
        if pools is not None:
            given |= {"default_pools": pools, **{field: {} for field in PLACE_MAPS}}
        if "random_steering" in given:  # never beside weights in the same overrides
            weights = {}
        for name, part in _WEIGHTS.items():
            if name in given:
                weights[part] = given.pop(name)
        fields |= given
    return Replacing(fields, weights)


def overridden(load_balancer: LoadBalancer, overrides: PoolSetOverrides) -> LoadBalancer:
    """Return a load balancer with overrides in place of its own fields; its rules and pool sets stay as they are."""
    return load_balancer.model_copy(update=replacing((overrides,)).over(load_balancer.random_steering))
