"""Load balancers: the names that are steered, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from lbdns.base.wording import nearest
from lbdns.base.words import BALANCER_TYPES, PLACE_MAPS, STEERING_POLICIES, effective_policy
from lbdns.dns import record_bounds
from lbdns.model import bounds
from lbdns.model.fields import (
    SHOWN_WHERE_SET,
    Description,
    Flag,
    Frozen,
    Networks,
    Number,
    PoolNames,
    Reference,
    Weight,
    Whole,
)
from lbdns.model.hostnames import parse_owner_name
from lbdns.model.refusal import refusal

if TYPE_CHECKING:
    SteeringPolicy = str
    BalancerType = str
else:
    SteeringPolicy = Literal[(*STEERING_POLICIES, "")]
    BalancerType = Literal[BALANCER_TYPES]
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_POP = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY_ALIASES: Final = {"UK": "GB", "EL": "GR"}


def _upper_keys(value: Any) -> Any:
    """Put a map's keys into upper case; refuse two keys that differ in case alone."""
    if not isinstance(value, dict):
        return value
    upper: dict[Any, Any] = {}
    for key, item in value.items():
        folded = key.upper() if isinstance(key, str) else key
        if folded in upper:
            raise refusal(f'"{key}" is given twice, in different case; keep one')
        upper[folded] = item
    return upper


def check_region(key: str) -> str:
    if key not in bounds.REGION_CODES:
        near = nearest(key, bounds.REGION_CODES)
        meant = f'; did you mean "{near}"?' if near else ""
        raise refusal(f'unknown region "{key}"; expected one of {", ".join(bounds.REGION_CODES)}{meant}')
    return key


def check_country(key: str) -> str:
    if key in _COUNTRY_ALIASES:
        raise refusal(f'"{key}" is no ISO 3166-1 country code; that country is "{_COUNTRY_ALIASES[key]}"')
    if not _COUNTRY.fullmatch(key):
        raise refusal(f'"{key}" is no country code; expected two letters of ISO 3166-1, such as "DE"')
    return key


def check_pop(key: str) -> str:
    if not _POP.fullmatch(key):
        raise refusal(f'"{key}" is no PoP code; expected the three letters of an IATA airport code, such as "AMS"')
    return key


RegionPools = Annotated[
    dict[Annotated[str, AfterValidator(check_region)], PoolNames],
    BeforeValidator(_upper_keys),
    Field(max_length=bounds.MAX_PLACES_PER_MAP),
]
CountryPools = Annotated[
    dict[Annotated[str, AfterValidator(check_country)], PoolNames],
    BeforeValidator(_upper_keys),
    Field(max_length=bounds.MAX_PLACES_PER_MAP),
]
PopPools = Annotated[
    dict[Annotated[str, AfterValidator(check_pop)], PoolNames],
    BeforeValidator(_upper_keys),
    Field(max_length=bounds.MAX_PLACES_PER_MAP),
]


class RandomSteering(Frozen):
    """Weights of pools under the policies that draw one: 0 to 1 in steps of 0.01, by pool name."""

    default_weight: Weight = bounds.DEFAULT_WEIGHT
    """The weight of a pool that is not named."""
    pool_weights: Annotated[dict[Reference, Weight], Field(max_length=bounds.MAX_POOL_WEIGHTS)] = Field(
        default_factory=dict
    )
    """Weights by pool."""

    def weight_of(self, pool: str) -> float:
        """Return the weight of a pool by its name."""
        return self.pool_weights.get(pool, self.default_weight)


_EQUAL_WEIGHTS: Final = RandomSteering()
"""Shared by all load balancers that say nothing: pydantic would copy a default that holds a mapping for each."""


class LocationStrategy(Frozen):
    """Whose place counts: this PoP's, the resolver's or the client's (RFC 7871). `region_from` is lbdns's own."""

    mode: Literal["pop", "resolver_ip"] = "pop"
    """Whose place counts where ECS does not: this server's, or the resolver's where it is known."""
    prefer_ecs: Literal["always", "never", "proximity", "geo"] = "proximity"
    """When the place of the client subnet counts that a query brings (RFC 7871): never, always, or only under the
    policy named."""
    region_from: Annotated[Literal["pop", "location"], SHOWN_WHERE_SET] = "pop"
    """Whose region `region_pools` are looked up by: this server's, or that of the place found."""


class SessionAffinityAttributes(Frozen):
    """Details of session affinity by cookie or header: accepted and kept, without effect in DNS."""

    samesite: Literal["Auto", "Lax", "None", "Strict"] = "Auto"
    """Does not act in DNS."""
    secure: Literal["Auto", "Always", "Never"] = "Auto"
    """Does not act in DNS."""
    drain_duration: Annotated[Number, Field(ge=0, le=bounds.MAX_DRAIN_DURATION_S)] | None = None
    """Does not act in DNS."""
    zero_downtime_failover: Literal["none", "temporary", "sticky"] = "none"
    """Does not act in DNS."""
    headers: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_HEADER_NAME_CHARS)], ...],
        Field(max_length=bounds.MAX_AFFINITY_HEADERS),
    ] = ()
    """Does not act in DNS."""
    require_all_headers: Flag = False
    """Does not act in DNS."""


class AdaptiveRouting(Frozen):
    """Fail-over of connections between pools: accepted and kept, without effect in DNS."""

    failover_across_pools: Flag = False
    """Does not act in DNS."""


def _refuse_rules(rules: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    if rules:
        raise refusal("custom rules are not served yet; leave the key out or give an empty list")
    return rules


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
    ttl: Annotated[Whole, Field(ge=0, le=record_bounds.MAX_TTL_S)] = bounds.DEFAULT_TTL_S
    """The TTL of its answers, in seconds."""
    steering_policy: SteeringPolicy = ""
    """How a pool is chosen. Empty: `geo` where a map of places is set, else `off`."""
    region_pools: RegionPools = Field(default_factory=dict)
    """Under `geo`: pools by region, where neither PoP nor country has any."""
    country_pools: CountryPools = Field(default_factory=dict)
    """Under `geo`: pools by ISO 3166-1 country, where the PoP has none."""
    pop_pools: PopPools = Field(default_factory=dict)
    """Under `geo`: pools by the PoP that answers."""
    random_steering: RandomSteering = Field(default_factory=lambda: _EQUAL_WEIGHTS)
    """The weights of the pools where one is drawn."""
    location_strategy: LocationStrategy = LocationStrategy()
    """Whose place decides."""
    session_affinity: Literal["none", "cookie", "ip_cookie", "header"] = "none"
    """`ip_cookie` gives a client one endpoint, always the same; `cookie` and `header` do not act in DNS."""
    session_affinity_ttl: Annotated[Whole, Field(ge=bounds.MIN_AFFINITY_TTL_S, le=bounds.MAX_AFFINITY_TTL_S)] | None = (
        None
    )
    """Does not act in DNS."""
    session_affinity_attributes: SessionAffinityAttributes = SessionAffinityAttributes()
    """Does not act in DNS."""
    adaptive_routing: AdaptiveRouting = AdaptiveRouting()
    """Does not act in DNS."""
    rules: Annotated[tuple[dict[str, Any], ...], Field(max_length=bounds.MAX_RULES), AfterValidator(_refuse_rules)] = ()
    """Empty: custom rules are not served yet."""
    networks: Networks = ()
    """Kept for the v4 API; does not act: there is one network."""
    type: Annotated[BalancerType, SHOWN_WHERE_SET] = "A"
    """What is answered: addresses, or hostnames as MX or SRV."""

    @property
    def effective_policy(self) -> str:
        """The steering policy with `""` resolved: `geo` where any map of places is set, else `off`."""
        return effective_policy(self.steering_policy, bool(self.region_pools or self.country_pools or self.pop_pools))

    def pool_lists(self) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
        """Yield every list of pools with its location: default_pools, then each key of the three maps."""
        yield ("default_pools",), self.default_pools
        for field in PLACE_MAPS:
            for place, pools in getattr(self, field).items():
                yield (field, place), pools

    def candidate_names(self) -> frozenset[str]:
        """Return the names of the pools that the policy may choose among."""
        return frozenset(name for _, pools in self.pool_lists() for name in pools)

    def pool_names(self) -> frozenset[str]:
        """Return the names of all pools that this load balancer can answer from, the fallback pool among them."""
        return self.candidate_names() | {self.fallback_pool}
