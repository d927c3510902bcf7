"""Warnings about load balancers: settings that do not act, answers that will surprise, records that nobody will see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.wording import listed, nearest
from lbdns.base.words import COORDINATES, PLACE_MAPS, ROUND_TRIP_TIMES, STEERING_POLICIES, WEIGHTED_POLICIES
from lbdns.config.checks.checked_pool import Families
from lbdns.config.checks.facts import Facts
from lbdns.config.yaml.source import Placed
from lbdns.dns.master.zone_checks import ZoneIndex
from lbdns.dns.rdata.record_types import HIDDEN_TYPES, type_text
from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.steering_fields import LocationStrategy

_PROXY_FIELDS: Final = {"session_affinity_ttl", "session_affinity_attributes", "adaptive_routing"}


def check_effects(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts) -> Iterator[Problem]:
    """Yield the warnings about one load balancer's fields, and the mistakes that only look like such."""
    if facts.tells_effects:
        yield from _check_acting(placed, pools, facts)
    yield from _check_codes(placed, facts)


def _check_acting(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts) -> Iterator[Problem]:
    """Check that settings act, and that answers will not surprise."""
    balancer = placed.item
    yield from _check_proxy_only(placed)
    yield from _check_ttl(placed)
    if placed.knows("steering_policy", *PLACE_MAPS):
        yield from _check_places(placed, facts)
        _, compared = STEERING_POLICIES[balancer.effective_policy]
        if compared == COORDINATES:
            yield from _check_coordinates(placed, pools, facts)
        elif compared == ROUND_TRIP_TIMES:
            yield from _check_round_trips(placed, pools, facts)
    if balancer.type == "A":
        yield from _check_families(placed, facts)
    elif balancer.type == "SRV" and placed.knows("name") and not _is_service_name(balancer.name):
        message = (
            "an SRV name begins with service and protocol, such as _sip._udp (RFC 2782); few clients will ask this one"
        )
        yield placed.source.warning(("name",), message)
    yield from _check_weights(placed)


def _check_codes(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    """Check that PoP codes are known and that countries exist."""
    for code in placed.item.pop_pools:
        if message := missing_pop(code, facts):
            yield placed.source.problem(("pop_pools", code), message)
    for code in placed.item.country_pools:
        if message := missing_country(code, facts):
            yield placed.source.warning(("country_pools", code), message)


def missing_pop(code: str, facts: Facts) -> str:
    """Return what to say of a PoP's code that is no airport's, "" where it is one."""
    return "" if facts.is_pop(code) else f'no airport has the IATA code "{code}"; a PoP is named by one, such as AMS'


def missing_country(code: str, facts: Facts) -> str:
    """Return what to say of a code that is no country's, "" where it is one."""
    if code in facts.countries:
        return ""
    near = nearest(code, facts.countries)
    meant = f'; did you mean "{near}"?' if near else ""
    return f'"{code}" is no country of ISO 3166-1{meant}'


def _is_service_name(name: str) -> bool:
    labels = name.removeprefix("*.").split(".")
    return labels[0].startswith("_") and (name.startswith("*.") or (len(labels) > 1 and labels[1].startswith("_")))


def _check_proxy_only(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    balancer, source = placed.item, placed.source
    if balancer.proxied:
        yield source.warning(("proxied",), "lbdns answers queries and carries no traffic, so this does not act")
    if balancer.networks:
        yield source.warning(("networks",), "does not act: there is one network")
    if balancer.session_affinity in ("cookie", "header"):
        message = f'"{balancer.session_affinity}" does not act in DNS; "ip_cookie" keeps a client on one endpoint'
        yield source.warning(("session_affinity",), message)
    for field in _PROXY_FIELDS & balancer.model_fields_set:
        if getattr(balancer, field) != LoadBalancer.model_fields[field].default:
            yield source.warning((field,), "does not act in DNS; it is for proxies")


def _check_ttl(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    ttl_s = placed.item.ttl
    if ttl_s < bounds.SHORT_TTL_S:
        message = f"{ttl_s} s is very short: resolvers will ask again for nearly every look-up; 30 is usual"
        yield placed.source.warning(("ttl",), message)
    elif ttl_s > bounds.LONG_TTL_S:
        message = f"{ttl_s} s is very long: clients will keep an address that long after it failed; 30 is usual"
        yield placed.source.warning(("ttl",), message)


def _check_places(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    """Check that maps of places act, and that the place that they are looked up by is known."""
    balancer, source = placed.item, placed.source
    if balancer.effective_policy != "geo":
        for field in PLACE_MAPS:
            if getattr(balancer, field):
                message = f'does not act with steering_policy "{balancer.steering_policy}"; it is for "geo"'
                yield source.warning((field,), message)
        return
    if not placed.knows("location_strategy"):
        return
    for field, message in places_that_do_not_act(balancer.location_strategy, facts):
        if getattr(balancer, field):
            yield source.warning((field,), message)


def places_that_do_not_act(strategy: LocationStrategy, facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield each of PLACE_MAPS whose keys could not apply here, with what to say of it."""
    if facts.pop_code is None:
        yield "pop_pools", "no PoP is set, so no key applies; set pop: {code: ...} in lbdns.yaml"
    if strategy.region_from == "pop" and not facts.has_pop_region:
        message = (
            "the region is this PoP's, and no PoP is set, so no key applies; "
            "set pop: {code: ...} in lbdns.yaml, or location_strategy: {region_from: location}"
        )
        yield "region_pools", message
    is_by_pop = strategy.mode == "pop" and strategy.prefer_ecs in ("never", "proximity")
    if is_by_pop and not facts.has_pop_country:
        message = (
            "the country is this PoP's, and no PoP is set, so no key applies; "
            "set pop: {code: ...} in lbdns.yaml, or location_strategy: {mode: resolver_ip}"
        )
        yield "country_pools", message


def _check_coordinates(
    placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts
) -> Iterator[Problem]:
    """Check that pools, and this server, stand somewhere where a policy compares coordinates."""
    lacking = [
        pool.item.name
        for pool in _default_pools(placed, pools)
        if pool.item.latitude is None and pool.knows("latitude", "longitude")
    ]
    if lacking:
        message = f"no latitude and longitude in {listed(lacking)}; pools without stand last, in order"
        yield placed.source.warning(("default_pools",), message)
    strategy = placed.item.location_strategy
    if not facts.has_pop_coordinates and strategy.mode == "pop":
        effect = "this PoP has no place, so clients whose place is unknown get the first pool"
        if facts.pop_centroid:
            effect = f"this PoP is taken to be at the centroid of {facts.pop_centroid}"
        yield placed.source.warning(("steering_policy",), f"{effect}; set pop: {{code: ...}} in lbdns.yaml")
    is_by_database = strategy.mode == "resolver_ip" or strategy.prefer_ecs in ("always", "proximity")
    if is_by_database and placed.knows("location_strategy") and not facts.has_client_coordinates:
        message = (
            "the geolocation database knows no coordinates, so every client is taken to be at the centroid of its "
            "subdivision or country; set geodata: {city: ...} in lbdns.yaml to a city-level one to tell more apart"
        )
        yield placed.source.warning(("steering_policy",), message)


def _check_round_trips(
    placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], facts: Facts
) -> Iterator[Problem]:
    """Check that somebody measures the round-trip times that a policy compares."""
    unmeasured = [pool.item.name for pool in _default_pools(placed, pools) if not pool.item.is_monitored]
    if unmeasured:
        message = f"no monitor measures {listed(unmeasured)}; pools without a figure come last, in order"
        yield placed.source.warning(("default_pools",), message)
    if not facts.has_pop_region:
        message = (
            "round-trip times are kept by this PoP's region, and no PoP is set; set pop: {code: ...} in lbdns.yaml"
        )
        yield placed.source.warning(("steering_policy",), message)


def _default_pools(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]]) -> list[Placed[Pool]]:
    return [pools[name] for name in dict.fromkeys(placed.item.default_pools) if name in pools]


def _check_families(placed: Placed[LoadBalancer], facts: Facts) -> Iterator[Problem]:
    """Check that every pool has the same address families: a query is not sent on for want of one."""
    shown = families_told(placed.item, facts)
    if shown:
        message = f"the pools differ in address families: {shown}; what a pool lacks is answered with no address"
        yield placed.source.warning(("default_pools",), message)


def families_told(balancer: LoadBalancer, facts: Facts) -> str:
    """Return which address families the pools of a load balancer have, an example of each; "" where all are alike."""
    if facts.are_families_alike:
        return ""
    by_families: dict[Families, str] = {}
    for name in _ordered_pools(balancer):
        families = facts.families.get(name)
        if families is not None:
            by_families.setdefault(families, name)
    shown = ", ".join(f'"{name}" has {families}' for families, name in by_families.items())
    return shown if len(by_families) > 1 else ""


def _ordered_pools(balancer: LoadBalancer) -> Iterator[str]:
    for _, names in balancer.pool_lists():
        yield from names
    for _, names in balancer.fallback_pools():
        yield from names


def _check_weights(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    """Check that the weights of pools act, and belong to pools that are drawn from."""
    balancer, source = placed.item, placed.source
    weights = balancer.random_steering.pool_weights
    if not weights or not placed.knows("steering_policy", "random_steering", "default_pools"):
        return
    if balancer.effective_policy not in WEIGHTED_POLICIES:
        message = f'does not act with steering_policy "{balancer.steering_policy}"; it is for "random"'
        yield source.warning(("random_steering",), message)
        return
    for name in weights:
        if name not in balancer.default_pools:
            message = f'"{name}" is not among default_pools, so its weight does not act'
            yield source.warning(("random_steering", "pool_weights", name), message)


def check_hidden(placed: Placed[LoadBalancer], index: ZoneIndex, name: bytes) -> Iterator[Problem]:
    """Yield a warning for the records that a load balancer hides, and for a CNAME that an apex cannot have."""
    balancer, source = placed.item, placed.source
    drafts = index.draft.nodes.get(name, ())
    hidden = [draft for draft in drafts if draft.type in HIDDEN_TYPES[balancer.type]]
    if hidden:
        shown = ", ".join(f"{type_text(draft.type)} ({draft.place})" for draft in hidden)
        yield source.warning(("name",), f"hides the zone's own records of this name: {shown}")


def check_apex(
    placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]], index: ZoneIndex, name: bytes
) -> Iterator[Problem]:
    """Yield a warning for endpoints that ask for a CNAME where none may stand."""
    if placed.item.type != "A" or name != index.apex:
        return
    for pool_name in sorted(placed.item.pool_names() & pools.keys()):
        for endpoint in pools[pool_name].item.origins:
            if not endpoint.flatten_cname and endpoint.ip is None:
                origin = f'origin "{endpoint.name}" of pool "{pool_name}"'
                message = f"{origin} has flatten_cname false, but an apex has no CNAME; its addresses are answered"
                yield placed.source.warning(("name",), message)
