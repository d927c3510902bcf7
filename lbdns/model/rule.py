"""Custom rules and pool sets: what a load balancer does differently for some queries.

Both are shown exactly as they were sent. Rules come first, by ascending priority, and each that matches puts its
overrides over what there is so far; then the first pool set that matches puts its own over that. What comes of one of
them, `overridden` of lbdns.model.balancer says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from lbdns.base.words import PLACE_MAPS
from lbdns.expressions.expression_error import ExpressionError
from lbdns.expressions.parse import parse
from lbdns.expressions.proxied import parse_condition
from lbdns.expressions.tree import Condition, lists_of
from lbdns.model import bounds
from lbdns.model.fields import AsSent, PoolNames, Weight
from lbdns.model.plain_fields import Flag, Reference, Whole
from lbdns.model.refusal import Mistake, refuse_all
from lbdns.model.steering_fields import (
    AdaptiveRouting,
    AffinityTtl,
    CountryPools,
    LocationStrategy,
    PoolWeights,
    PopPools,
    RandomSteering,
    RegionPools,
    SessionAffinity,
    SessionAffinityAttributes,
    SteeringPolicy,
    Ttl,
    check_country,
    check_pop,
    check_region,
)

RuleName = Annotated[str, StringConstraints(max_length=bounds.MAX_RULE_NAME_CHARS)]
NamedList = tuple[tuple[str | int, ...], tuple[str, ...]]
"""A list of pools, and the way to it."""


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


_AT_MOST: Final = Field(max_length=bounds.MAX_PLACES_PER_MAP)
Pops = Annotated[tuple[Annotated[str, BeforeValidator(_upper), AfterValidator(check_pop)], ...], _AT_MOST]
Countries = Annotated[tuple[Annotated[str, BeforeValidator(_upper), AfterValidator(check_country)], ...], _AT_MOST]
Regions = Annotated[tuple[Annotated[str, BeforeValidator(_upper), AfterValidator(check_region)], ...], _AT_MOST]


class FixedResponse(AsSent):
    """An answer that no pool gives: in DNS, NOERROR without records. Its fields are HTTP's, kept for the v4 API."""

    message_body: Annotated[str, StringConstraints(max_length=bounds.MAX_RESPONSE_BODY_CHARS)] | None = None
    """Does not act in DNS."""
    status_code: Annotated[Whole, Field(ge=bounds.MIN_STATUS_CODE, le=bounds.MAX_STATUS_CODE)] | None = None
    """Does not act in DNS."""
    content_type: Annotated[str, StringConstraints(max_length=bounds.MAX_CONTENT_TYPE_CHARS)] | None = None
    """Does not act in DNS."""
    location: Annotated[str, StringConstraints(max_length=bounds.MAX_RESPONSE_LOCATION_CHARS)] | None = None
    """Does not act in DNS."""


class PoolSetOverrides(AsSent):
    """What a pool set puts in place of a load balancer's own."""

    pools: PoolNames | None = None
    """The pools, in order, in place of `default_pools`; nothing is left of region, country and PoP pools."""
    pool_weights: PoolWeights | None = None
    """Weights by pool, in place of those of `random_steering`."""
    pool_default_weight: Weight | None = None
    """The weight of a pool that is not named, in place of that of `random_steering`."""
    fallback_pool: Reference | None = None
    """The pool that is answered from where no other can be."""
    steering_policy: SteeringPolicy | None = None
    """How a pool is chosen."""

    def pool_lists(self) -> Iterator[NamedList]:
        """Yield every list of pools with its location, those left out that `pools` replaces."""
        if self.pools is not None:
            yield ("pools",), self.pools

    def named_pools(self) -> Iterator[str]:
        """Yield every pool that is named, wherever it is."""
        for _, names in self.pool_lists():
            yield from names
        if self.fallback_pool is not None:
            yield self.fallback_pool
        yield from self.pool_weights or ()


class Overrides(PoolSetOverrides):
    """What a rule puts in place of a load balancer's own; what it leaves out stays."""

    default_pools: PoolNames | None = None
    """The pools, in order."""
    region_pools: RegionPools | None = None
    """Under `geo`: pools by region."""
    country_pools: CountryPools | None = None
    """Under `geo`: pools by country."""
    pop_pools: PopPools | None = None
    """Under `geo`: pools by PoP."""
    random_steering: RandomSteering | None = None
    """The weights of the pools where one is drawn; not beside `pool_weights` or `pool_default_weight`."""
    location_strategy: LocationStrategy | None = None
    """Whose place decides."""
    session_affinity: SessionAffinity | None = None
    """`ip_cookie` gives a client one endpoint, always the same; `cookie` and `header` do not act in DNS."""
    session_affinity_ttl: AffinityTtl | None = None
    """Does not act in DNS."""
    session_affinity_attributes: SessionAffinityAttributes | None = None
    """Does not act in DNS."""
    ttl: Ttl | None = None
    """The TTL of the answers, in seconds."""
    adaptive_routing: AdaptiveRouting | None = None
    """Does not act in DNS."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.random_steering is not None:
            message = "either this, or pool_weights and pool_default_weight; they say the same"
            about = [("random_steering",)]
            about += [(name,) for name in ("pool_weights", "pool_default_weight") if getattr(self, name) is not None]
            if len(about) > 1:
                refuse_all("Overrides", [Mistake(("random_steering",), message, tuple(about))])
        return self

    def pool_lists(self) -> Iterator[NamedList]:
        """Yield every list of pools with its location, those left out that `pools` replaces."""
        if self.pools is not None:
            yield ("pools",), self.pools
            return
        if self.default_pools is not None:
            yield ("default_pools",), self.default_pools
        for field in PLACE_MAPS:
            for place, pools in (getattr(self, field) or {}).items():
                yield (field, place), pools

    def named_pools(self) -> Iterator[str]:
        """Yield every pool that is named, wherever it is."""
        yield from super().named_pools()
        yield from self.default_pools or ()
        for field in PLACE_MAPS:
            for pools in (getattr(self, field) or {}).values():
                yield from pools
        if self.random_steering is not None:
            yield from self.random_steering.pool_weights


def _both(overrides: PoolSetOverrides | None, response: FixedResponse | None) -> Iterator[Mistake]:
    """Yield a mistake for pools beside a fixed response: nothing would be answered from them."""
    if overrides is not None and overrides.pools is not None and response is not None:
        message = "a fixed response is given as well, which answers from no pool; keep one of the two"
        yield Mistake(("overrides", "pools"), message, (("overrides", "pools"), ("fixed_response",)))


class Rule(AsSent):
    """What is done for the queries that a condition is true of."""

    name: RuleName = ""
    """For people; messages tell a rule by it."""
    condition: str = ""
    """The condition, in the language of docs/rules.md; empty: always true."""
    priority: Annotated[Whole, Field(ge=-bounds.MAX_RULE_PRIORITY, le=bounds.MAX_RULE_PRIORITY)] | None = None
    """Rules with lower ones come first; without it, the place in the list counts."""
    disabled: Flag = False
    """Whether it is passed over."""
    terminates: Flag = False
    """Whether no rule behind it is looked at, where its condition is true."""
    overrides: Overrides | None = None
    """What it puts in place of the load balancer's own."""
    fixed_response: FixedResponse | None = None
    """The answer without a pool; then no rule behind it and no pool set is looked at."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("Rule", (*self._mistakes_of_condition(), *_both(self.overrides, self.fixed_response)))
        return self

    def _mistakes_of_condition(self) -> Iterator[Mistake]:
        try:
            self.tree  # noqa: B018  # kept for whoever checks and compiles it
        except ExpressionError as error:
            told = f'rule "{self.name}", ' if self.name else ""
            for column, message in error.problems:
                yield Mistake(("condition",), f"{told}column {column}: {message}")

    @cached_property
    def tree(self) -> Condition:
        """The condition as a tree."""
        return parse_condition(self.condition)

    @property
    def ends(self) -> bool:
        """Whether no rule behind it is looked at, where it matches."""
        return self.terminates or self.fixed_response is not None


class Topology(AsSent):
    """Places: what stands in any of the lists is meant."""

    pops: Pops | None = None
    """PoPs that answer, by IATA code."""
    countries: Countries | None = None
    """Countries by ISO 3166-1 code; whose, `location_strategy` says."""
    regions: Regions | None = None
    """Regions; whose, `location_strategy` says."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if not (self.pops or self.countries or self.regions):
            message = "no place is listed, so it would never match; list some in pops, countries or regions"
            refuse_all("Topology", [Mistake((), message, (("pops",), ("countries",), ("regions",)))])
        return self


class PoolSetMatch(AsSent):
    """Which queries a pool set is for: all, or those of some places."""

    default: Flag | None = None
    """Whether it is for every query."""
    topology: Topology | None = None
    """The places that it is for."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        about = (("default",), ("topology",))
        if self.default and self.topology is not None:
            message = "it is for every query, by default: true, and for some places; keep one of the two"
            refuse_all("PoolSetMatch", [Mistake(("topology",), message, about)])
        if not self.default and self.topology is None:
            message = "matches nothing; give default: true or topology, or leave match out for every query"
            refuse_all("PoolSetMatch", [Mistake((), message, about)])
        return self


class PoolSet(AsSent):
    """What is done for the queries of some places; the first that matches is taken."""

    name: RuleName = ""
    """For people; messages tell a pool set by it."""
    disabled: Flag = False
    """Whether it is passed over."""
    match: PoolSetMatch | None = None
    """Which queries it is for; without it, every one."""
    overrides: PoolSetOverrides | None = None
    """What it puts in place of what load balancer and rules say."""
    fixed_response: FixedResponse | None = None
    """The answer without a pool."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        refuse_all("PoolSet", _both(self.overrides, self.fixed_response))
        return self

    @property
    def topology(self) -> Topology | None:
        """The places that it is for; None: every query."""
        return None if self.match is None else self.match.topology


def lists_named(condition: str) -> frozenset[str]:
    """Return the names of the lists that a condition, which passed its checks, asks for."""
    return frozenset(one.name for one in lists_of(parse(condition))) if "$" in condition else frozenset()


def in_order(rules: tuple[Rule, ...]) -> list[int]:
    """Return the positions of the rules that are not disabled, in the order in which they are looked at: by ascending
    priority, where there is none by the position in the list, and of two alike the one that stands first."""
    enabled = [position for position, rule in enumerate(rules) if not rule.disabled]
    return sorted(enabled, key=lambda position: _priority(rules[position], position))


def _priority(rule: Rule, position: int) -> int:
    return position if rule.priority is None else rule.priority
