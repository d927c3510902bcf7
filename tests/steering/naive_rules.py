"""Rules and pool sets for the naive oracle: each query goes through the list of rules, one by one.

What a rule says of a query: `facts`. Which rules match: `matching`. What comes of them: `ruled`, `set_over`. For whom
else it holds: `rule_scopes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from typing import Any

from lbdns.expressions import tree
from lbdns.expressions.parse import parse
from lbdns.model.balancer import LoadBalancer
from tests.steering.naive_conditions import Facts, Given, address_text, as_equal, is_true, turns_of
from tests.steering.naive_places import Address, turning_points
from tests.steering.naive_world import Asked, World

CONTINENTS = {
    "NL": "EU",
    "DE": "EU",
    "FR": "EU",
    "PL": "EU",
    "US": "NA",
    "CA": "NA",
    "JP": "AS",
    "AU": "OC",
    "XK": "EU",
}
TYPE_NUMBERS = {("A", False): 1, ("A", True): 5, ("AAAA", False): 28, ("AAAA", True): 5}
NAMED_TYPES = {"MX": 15, "SRV": 33}
PLACE_FIELDS = ("ip.src.asnum", "ip.src.country", "ip.src.subdivision", "ip.src.continent", "ip.src.lat", "ip.src.lon")
NAME_FIELDS = ("dns.qry.name", "dns.qry.name.len")
ECS_TEXT = "dns.rr.opt.client.addr"
PLAIN = ("ttl", "steering_policy", "fallback_pool", "random_steering", "location_strategy", "session_affinity")
MAPS = ("region_pools", "country_pools", "pop_pools")
Hits = tuple[int, ...]


# --- what a query says -----------------------------------------------------------------------------------------------


def facts(world: World, lb: LoadBalancer, asked: Asked) -> dict[str, Any]:
    """Return every field's value for a query."""
    ecs = asked.ecs if asked.ecs is not None and asked.ecs[1] > 0 else None
    number = NAMED_TYPES[lb.type] if lb.type in NAMED_TYPES else TYPE_NUMBERS[asked.family, asked.wants_cname]
    labels = asked.labels or tuple(lb.name.encode().split(b"."))
    name = b"".join(label.lower() + b"." for label in labels)
    return {
        "cf.load_balancer.name": lb.name.encode(),
        "cf.load_balancer.region": world.pop["region"].encode() or None,
        "dns.qry.qu": True,
        "dns.qry.name": name,
        "dns.qry.name.len": len(name),
        "dns.qry.type": number,
        "dns.rr.opt.client": ecs is not None,
        ECS_TEXT: None if ecs is None else address_text(ecs[0]),
        **address_facts(world, asked.resolver if ecs is None else ecs[0]),
    }


def address_facts(world: World, address: Address) -> dict[str, Any]:
    place = world.look_up(address)
    country, subdivision = place["country"], place["subdivision"]
    return {
        "ip.src": address,
        "ip.src.asnum": place["asn"] or None,
        "ip.src.country": country.encode() or None,
        "ip.src.subdivision": f"{country}-{subdivision}".encode() if country and subdivision else None,
        "ip.src.continent": CONTINENTS.get(country, "").encode() or None,
        "ip.src.lat": place["latitude"],
        "ip.src.lon": place["longitude"],
    }


# --- which rules match, and what they make of a load balancer --------------------------------------------------------


def looked_at(lb: LoadBalancer) -> list[tuple[int, Any, Any]]:
    """Return (position, rule, condition) of the rules that are enabled, in the order in which they are looked at."""
    found = []
    for position, rule in enumerate(lb.rules):
        if not rule.disabled:
            priority = position if rule.priority is None else rule.priority
            found.append((priority, position, rule, parse(rule.condition)))
    return [(position, rule, condition) for _, position, rule, condition in sorted(found, key=lambda one: one[:2])]


def matching(world: World, lb: LoadBalancer, said: Facts, given: Given | None = None) -> Hits:
    """Return the positions of the rules that match, in order, as far as one ends the road."""
    found = []
    for position, rule, condition in looked_at(lb):
        if is_true(condition, said, world.configuration.settings.networks, given):
            found.append(position)
            if rule.terminates or rule.fixed_response is not None:
                break
    return tuple(found)


def put_over(lb: LoadBalancer, overrides: Any) -> LoadBalancer:
    """Return a load balancer with overrides in place of its own fields."""
    changed: dict[str, Any] = {}
    for field in PLAIN:
        if getattr(overrides, field, None) is not None:
            changed[field] = getattr(overrides, field)
    for field in ("default_pools", *MAPS):
        if getattr(overrides, field, None) is not None:
            changed[field] = getattr(overrides, field)
    if overrides.pools is not None:
        changed |= {"default_pools": overrides.pools, "region_pools": {}, "country_pools": {}, "pop_pools": {}}
    if overrides.pool_weights is not None or overrides.pool_default_weight is not None:
        assert "random_steering" not in changed
        own = lb.random_steering
        weights = own.pool_weights if overrides.pool_weights is None else overrides.pool_weights
        default = own.default_weight if overrides.pool_default_weight is None else overrides.pool_default_weight
        changed["random_steering"] = type(own)(pool_weights=weights, default_weight=default)
    return lb.model_copy(update=changed)


def ruled(lb: LoadBalancer, hits: Hits) -> tuple[LoadBalancer, bool]:
    """Return what rules make of a load balancer, and whether the last of them answers without records."""
    is_fixed = False
    for position in hits:
        rule = lb.rules[position]
        if rule.overrides is not None:
            lb = put_over(lb, rule.overrides)
        is_fixed = rule.fixed_response is not None
    return lb, is_fixed


# --- for whom else they match ----------------------------------------------------------------------------------------


def comparisons(lb: LoadBalancer) -> list[Any]:
    """Return the comparisons of all rules that are looked at, those by `ne` as by `eq`."""
    found = [node for _, _, condition in looked_at(lb) for node in tree.walk(condition)]
    found = [node for node in found if isinstance(node, tree.Comparison)]
    return [as_equal(node) if getattr(node, "operator", "") == "ne" else node for node in found]


def reads(node: Any) -> set[str]:
    return {field.name for field in tree.fields_of(node)}


def is_text_test(node: Any) -> bool:
    """Tell whether a comparison looks into the text of an address: more than whether it is one of some texts."""
    if ECS_TEXT not in reads(node):
        return "ip.src" in reads(node) and any(
            isinstance(one, tree.Call) and one.name in ("to_string", "concat") for one in tree.walk(node)
        )
    plain = isinstance(node, tree.Compare | tree.In) and isinstance(node.left, tree.Field)
    return not plain or getattr(node, "operator", "eq") != "eq"


def tested(lb: LoadBalancer) -> list[Any]:
    """Return the comparisons that are settled by the bytes of a message, not by a class of addresses."""
    under_wildcard = lb.name.startswith("*.")
    return [
        node for node in comparisons(lb) if is_text_test(node) or (under_wildcard and reads(node) & set(NAME_FIELDS))
    ]


def turns(world: World, lb: LoadBalancer, version: int) -> list[int]:
    """Return the addresses of a family at which the rules that match may change."""
    points = {0}
    for node in comparisons(lb):
        points |= turns_of(node, world.configuration.settings.networks, version)
    if any(reads(node) & set(PLACE_FIELDS) for node in comparisons(lb)):
        points |= set(turning_points(world.tree, version))
    return sorted(points)


def addresses_of(world: World, lb: LoadBalancer) -> Iterator[Address]:
    yield from (IPv4Address(point) for point in turns(world, lb, 4))
    yield from (IPv6Address(point) for point in turns(world, lb, 6))


def numbers_of(lb: LoadBalancer) -> list[int]:
    """Return the types that a load balancer is asked for, one of them where no rule asks which it is."""
    if lb.type in NAMED_TYPES:
        return [NAMED_TYPES[lb.type]]
    return [1, 28, 5] if any("dns.qry.type" in reads(node) for node in comparisons(lb)) else [1]


def row_of(world: World, lb: LoadBalancer, asked: Asked, combinations: Iterable[Given]) -> tuple[Hits, ...]:
    """Return which rules match an address, by the type asked for and however the tests come out."""
    said = facts(world, lb, asked)
    if said[ECS_TEXT] is None:  # what is missing has no test that holds
        combinations = [
            {node: truth and ECS_TEXT not in reads(node) for node, truth in one.items()} for one in combinations
        ]
    return tuple(
        matching(world, lb, {**said, "dns.qry.type": number}, given)
        for number in numbers_of(lb)
        for given in combinations
    )


def rule_scopes(world: World, lb: LoadBalancer, asked: Asked) -> tuple[int, int]:
    """Return the least and the most SCOPE PREFIX-LENGTH that rules may give: equal where no test of texts is among
    them, since which of those can hold together is not looked into."""
    if asked.ecs is None or asked.ecs[1] == 0 or not looked_at(lb):
        return 0, 0
    tests = list(dict.fromkeys(tested(lb)))
    free = [dict(zip(tests, truths, strict=True)) for truths in product((False, True), repeat=len(tests))]
    most = shared_bits(world, lb, asked, free)
    if not tests:
        return most, most
    if any(is_text_test(node) for node in tests):
        most = asked.ecs[0].max_prefixlen
    said = facts(world, lb, asked)
    as_asked = {node: is_true(node, said, world.configuration.settings.networks) for node in tests}
    return shared_bits(world, lb, asked, [as_asked]), most


def shared_bits(world: World, lb: LoadBalancer, asked: Asked, combinations: Sequence[Given]) -> int:
    """Return the shortest prefix of the ECS address all of whose addresses have one row; 0 where ECS does not matter
    at all, else 1 at least."""
    assert asked.ecs is not None
    settled = tuple(tuple(one.values()) for one in combinations)

    def row_at(address: Address, has_ecs: bool) -> tuple[Hits, ...]:
        key = (lb.name, lb.type, address, has_ecs, settled)
        if key not in world.rule_rows:
            ecs = (address, address.max_prefixlen) if has_ecs else None
            one = Asked(asked.family, address, ecs, wants_cname=asked.wants_cname, labels=asked.labels)
            world.rule_rows[key] = row_of(world, lb, one, combinations)
        found: tuple[Hits, ...] = world.rule_rows[key]
        return found

    everywhere = list(addresses_of(world, lb))
    if len({row_at(address, has_ecs) for address in everywhere for has_ecs in (False, True)}) == 1:
        return 0
    own = asked.ecs[0]
    row = row_at(own, True)
    points = [int(address) for address in everywhere if address.version == own.version]
    rows = {point: row_at(type(own)(point), True) for point in points}
    return max(
        1, prefix_around(own, points, lambda point: rows[point] == row, lambda first: row_at(first, True) == row)
    )


def prefix_around(
    address: Address, points: list[int], turns_alike: Callable[[int], bool], begins_alike: Callable[[Address], bool]
) -> int:
    """Return the length of the shortest prefix around an address that begins alike and turns nowhere."""
    width = address.max_prefixlen
    for bits in range(width + 1):
        first = int(address) >> (width - bits) << (width - bits)
        last = first + 2 ** (width - bits) - 1
        if begins_alike(type(address)(first)) and all(turns_alike(point) for point in points if first <= point <= last):
            return bits
    raise AssertionError("an address is like itself")
