"""The fields that a load balancer steers by: its own, and those that its rules put over them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from lbdns.base.wording import nearest
from lbdns.base.words import STEERING_POLICIES
from lbdns.dns import record_bounds
from lbdns.model import bounds
from lbdns.model.fields import Alike, Frozen, Number, PoolNames, Weight
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Flag, Reference, Whole
from lbdns.model.refusal import refusal

if TYPE_CHECKING:
    SteeringPolicy = str
else:
    SteeringPolicy = Literal[(*STEERING_POLICIES, "")]
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_POP = re.compile(r"[A-Z]{3}", re.ASCII)
_COUNTRY_ALIASES: Final = {"UK": "GB", "EL": "GR"}


def _upper_keys(value: Any) -> Any:
    """Put a map's keys into upper case; refuse two keys that differ in case alone."""
    if not isinstance(value, dict):
        return value
    upper: dict[Any, Any] = {}
    for key, item in value.items():
        # Interned: there are few codes, and very many maps.
        folded = sys.intern(key.upper()) if isinstance(key, str) else key
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


NO_POOLS: Final[dict[str, tuple[str, ...]]] = {}
"""Shared by all load balancers that have no map: an empty one for each is a tenth of what they take."""


Ttl = Annotated[Whole, Field(ge=0, le=record_bounds.MAX_TTL_S)]
SessionAffinity = Literal["none", "cookie", "ip_cookie", "header"]
AffinityTtl = Annotated[Whole, Field(ge=bounds.MIN_AFFINITY_TTL_S, le=bounds.MAX_AFFINITY_TTL_S)]
PoolWeights = Annotated[dict[Reference, Weight], Field(max_length=bounds.MAX_POOL_WEIGHTS)]
"""Weights by pool."""


class RandomSteering(Frozen):
    """Weights of pools under the policies that draw one: 0 to 1 in steps of 0.01, by pool name."""

    default_weight: Weight = bounds.DEFAULT_WEIGHT
    """The weight of a pool that is not named."""
    pool_weights: PoolWeights = Field(default_factory=dict)
    """Weights by pool."""

    def weight_of(self, pool: str) -> float:
        """Return the weight of a pool by its name."""
        return self.pool_weights.get(pool, self.default_weight)


EQUAL_WEIGHTS: Final = RandomSteering()
"""Shared by all load balancers that say nothing: pydantic would copy a default that holds a mapping for each."""


class LocationStrategy(Alike):
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
