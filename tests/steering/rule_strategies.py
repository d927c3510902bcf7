"""Random rules, pool sets and queries that meet them, for worlds of strategies.py."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from random import Random
from typing import Any

from lbdns.model.balancer import LoadBalancer
from lbdns.model.rule import PoolSet, Rule
from tests.steering.naive_conditions import address_text
from tests.steering.naive_places import Address, Network, Place
from tests.steering.naive_rules import turns
from tests.steering.naive_world import Asked, World
from tests.steering.strategies import (
    ANY_POLICY,
    AS_NUMBERS,
    COUNTRIES,
    POP_CODES,
    REGIONS,
    draw_address,
    draw_asked,
    draw_list,
    draw_lists,
    network_of,
)

LISTED = ("192.0.2.0/25", "10.0.0.0/8", "2001:db8::/32", "30.0.0.0/7", "2a00::/16")
NETWORKS = ("0.0.0.0/1", "192.0.2.0/25", "10.0.0.0/8", "172.16.0.0/12", "::/1", "2000::/3", "0.0.0.0/0", "fc00::/7")
LABELS = (
    (b"www",),
    (b"eu", b"www"),
    (b"a",),
    (b"WWW",),
    (b"*",),
    (b"x" * 63,),
    (b"a.b\\", b"\xff"),
    (b"example", b"com"),
)
WORDS = ("www", "eu", "e", ".wild", "example.com.", "eu.www.wild.example.com.", "*", "a", "")
QUERY_TYPES = (1, 28, 5, 15, 33, 16)


# --- conditions ------------------------------------------------------------------------------------------------------


class Drawing:
    """Draws conditions about the networks of a tree; at most so many look into texts, which each double the work."""

    def __init__(self, chance: Random, tree: dict[Network, Place], texts: int = 2) -> None:
        self.chance = chance
        self.tree = tree
        self.texts_left = texts
        self.texts: list[str] = []

    def condition(self, depth: int = 3) -> str:
        """Return a condition, of parts joined up to `depth` times."""
        chance = self.chance
        way = chance.randrange(8) if depth else 0
        if way < 4:
            return self.comparison()
        if way == 4:
            return f"{chance.choice(('not ', '!'))}({self.condition(depth - 1)})"
        word = chance.choice((" and ", " or ", " xor ", " && ", " || ", " ^^ "))
        parts = [self.condition(depth - 1) for _ in range(chance.choice((2, 2, 3)))]
        whole = word.join(parts)
        return f"({whole})" if chance.randrange(4) else whole

    def comparison(self) -> str:
        chance = self.chance
        kinds = [self.network, self.network, self.address, self.number, self.place, self.message, self.constant]
        return chance.choice([*kinds, self.text])()

    def network_text(self) -> str:
        chance = self.chance
        if chance.randrange(3) == 0:
            return chance.choice(NETWORKS)
        version = chance.choice((4, 4, 6))
        width = 32 if version == 4 else 128
        address = draw_address(chance, self.tree, version)
        return str(network_of(int(address), chance.choice((1, 4, 8, 9, 16, 23, 24, 25, 27, width)), version))

    def address_text(self) -> str:
        return address_text(draw_address(self.chance, self.tree, self.chance.choice((4, 4, 6)))).decode()

    def network(self) -> str:
        chance = self.chance
        items = [self.network_text() for _ in range(chance.randrange(1, 4))]
        if chance.randrange(4) == 0:
            items.append("$office")
        if chance.randrange(4) == 0:
            items.append(self.address_text())
        if chance.randrange(4) == 0:
            version = chance.choice((4, 6))
            ends = sorted(draw_address(chance, self.tree, version) for _ in range(2))
            items.append("..".join(address_text(end).decode() for end in ends))
        return f"{chance.choice(('ip.src', 'ip.src', 'ip.src', self.masked()))} in {{{' '.join(items)}}}"

    def masked(self) -> str:
        chance = self.chance
        if chance.randrange(2):
            return f"cidr6(ip.src, {chance.choice((1, 16, 17, 48))})"
        return f"cidr(ip.src, {chance.choice((1, 8, 13, 24))}, {chance.choice((1, 16, 48, 128))})"

    def address(self) -> str:
        word = self.chance.choice(("eq", "ne", "lt", "le", "gt", "ge", "==", "!=", "<"))
        return f"{self.chance.choice(('ip.src', 'ip.src', self.masked()))} {word} {self.address_text()}"

    def number(self) -> str:
        chance = self.chance
        number = chance.choice((*AS_NUMBERS, 64498))
        if chance.randrange(3) == 0:
            return f"ip.src.asnum in {{{number} 64496..64511}}"
        return f"ip.src.asnum {chance.choice(('eq', 'eq', 'ne', 'lt', 'ge', '&'))} {number}"

    def place(self) -> str:
        chance = self.chance
        code = chance.choice(COUNTRIES)
        return chance.choice(
            (
                f'ip.src.country eq "{code}"',
                f'ip.src.country ne "{code}"',
                f'ip.src.country in {{"{code}" "US"}}',
                f'lower(ip.src.country) contains "{code[1].lower()}"',
                f'ip.src.continent {chance.choice(("eq", "ne"))} "{chance.choice(("EU", "NA", "AS", "AF"))}"',
                f'ip.src.subdivision {chance.choice(("eq", "ne"))} "{chance.choice(("US-CA", "US-NY", "CA-QC"))}"',
                f'ip.src.subdivision wildcard "{chance.choice(("us-*", "*-?", "ca-b*"))}"',
                f"ip.src.lat {chance.choice(('gt', 'le'))} {chance.choice(('45', '50.5', '-10.25', '0'))}",
                f"ip.src.lon {chance.choice(('lt', 'ge'))} {chance.choice(('0', '9.0', '-97.75'))}",
                f'concat(ip.src.country, "/", ip.src.continent) eq "{code}/EU"',
            )
        )

    def message(self) -> str:
        chance = self.chance
        number = chance.choice(QUERY_TYPES)
        return chance.choice(
            (
                "dns.rr.opt.client",
                "not dns.rr.opt.client",
                "dns.qry.type in {1 28}",
                f"dns.qry.type eq {number}",
                f"dns.qry.type ne {number}",
                f"dns.qry.type in {{{number} 5..16}}",
                "dns.qry.type & 4",
                f'dns.rr.opt.client.addr {chance.choice(("eq", "ne"))} "{self.address_text()}"',
                f'dns.rr.opt.client.addr in {{"{self.address_text()}" "nonsense"}}',
            )
        )

    def constant(self) -> str:
        chance = self.chance
        return chance.choice(
            (
                "dns.qry.qu",
                f'cf.load_balancer.region {chance.choice(("eq", "ne"))} "{chance.choice(REGIONS)}"',
                f'cf.load_balancer.name contains "{chance.choice(WORDS[:4])}"',
                f'ends_with(cf.load_balancer.name, "{chance.choice(("com", "www.example.com", "."))}")',
            )
        )

    def text(self) -> str:
        """Return a comparison of a name or of the text of an address: a new one or one there is."""
        if not self.texts_left:
            return self.chance.choice(self.texts)
        self.texts_left -= 1
        self.texts.append(self.text_about_address() if self.chance.randrange(3) == 0 else self.text_about_name())
        return self.texts[-1]

    def text_about_name(self) -> str:
        chance = self.chance
        word = chance.choice(WORDS)
        name = chance.choice(("dns.qry.name", "dns.qry.name", "lower(dns.qry.name)", "upper(dns.qry.name)"))
        cut = f"substring(dns.qry.name, {chance.choice((0, 1, -5, 3))}, {chance.choice((2, 4, -1, 100))})"
        return chance.choice(
            (
                f'{name} contains "{word}"',
                f'{name} {chance.choice(("eq", "ne", "lt", "ge"))} "{word}"',
                f'{name} in {{"www.wild.example.com." "{word}"}}',
                f'starts_with({name}, "{word}")',
                f'ends_with({name}, "{word}")',
                f'{name} wildcard "{chance.choice(("www*", "*.WILD.*", "*", "e*w*m.", "*x", "www.example.com."))}"',
                f'{name} strict wildcard "{chance.choice(("www*", "*.WILD.*", "*.example.com."))}"',
                f'{name} matches "{chance.choice(("^www", "w+[.]w", "a|b", "[.]$", "^.{23,25}$"))}"',
                f"dns.qry.name.len {chance.choice(('gt', 'eq', 'lt', '&', 'le'))} {chance.choice((16, 22, 24, 200))}",
                f"dns.qry.name.len in {{22..24 {chance.randrange(100)}}}",
                f"len({name}) ne 22",
                f'{cut} {chance.choice(("eq", "contains"))} "{chance.choice(("w", "ww", "eu", ""))}"',
                f'concat(dns.qry.name, "/", to_string(dns.qry.type)) contains "{chance.choice(("/1", "/28", "w"))}"',
            )
        )

    def text_about_address(self) -> str:
        chance = self.chance
        text = self.address_text()
        part = text[: chance.randrange(1, len(text) + 1)]
        return chance.choice(
            (
                f'dns.rr.opt.client.addr contains "{part}"',
                f'starts_with(dns.rr.opt.client.addr, "{part}")',
                f'starts_with(dns.rr.opt.client.addr, "{chance.randrange(256)}.")',
                f'ends_with(dns.rr.opt.client.addr, "{text[-2:]}")',
                f'dns.rr.opt.client.addr matches "^{chance.randrange(3)}[0-9.]+$"',
                f'dns.rr.opt.client.addr wildcard "{part}*"',
                f'dns.rr.opt.client.addr gt "{part}"',
                f"len(dns.rr.opt.client.addr) lt {chance.randrange(7, 20)}",
                f'to_string(ip.src) contains "{part[:3]}"',
            )
        )


# --- rules and pool sets ---------------------------------------------------------------------------------------------


def draw_set_overrides(chance: Random, names: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if chance.randrange(2):
        found["pools"] = draw_list(chance, names)
    if chance.randrange(4) == 0:
        found["pool_weights"] = {name: chance.choice((0.0, 0.25, 1.0)) for name in draw_list(chance, names)}
    if chance.randrange(5) == 0:
        found["pool_default_weight"] = chance.choice((0.0, 0.5))
    if chance.randrange(4) == 0:
        found["fallback_pool"] = chance.choice(names)
    if chance.randrange(3) == 0:
        found["steering_policy"] = chance.choice(ANY_POLICY)
    return found


def draw_overrides(chance: Random, names: list[str]) -> dict[str, Any]:
    found = draw_set_overrides(chance, names)
    default = draw_list(chance, names)
    if chance.randrange(4) == 0:
        found["default_pools"] = default
    for field, keys in (("region_pools", REGIONS), ("country_pools", COUNTRIES), ("pop_pools", POP_CODES)):
        if chance.randrange(5) == 0:
            found[field] = draw_lists(chance, keys, names, default)
    if not {"pool_weights", "pool_default_weight"} & found.keys() and chance.randrange(4) == 0:
        found["random_steering"] = {"default_weight": chance.choice((0.0, 1.0)), "pool_weights": {names[0]: 0.5}}
    if chance.randrange(5) == 0:
        found["location_strategy"] = {
            "mode": chance.choice(("pop", "resolver_ip")),
            "prefer_ecs": chance.choice(("always", "always", "geo", "never", "proximity")),
            "region_from": chance.choice(("pop", "location")),
        }
    if chance.randrange(5) == 0:
        found["session_affinity"] = chance.choice(("none", "ip_cookie"))
    if chance.randrange(3) == 0:
        found["ttl"] = chance.choice((1, 60, 300))
    return found


def what_it_does(chance: Random, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return overrides, a fixed response, or both where they go together; sometimes neither."""
    way = chance.randrange(10)
    if way == 0:
        return {}
    if way > 2:
        return {"overrides": overrides}
    beside = {field: value for field, value in overrides.items() if field != "pools"}
    return {"fixed_response": {}, **({"overrides": beside} if way == 1 else {})}


def draw_rule(chance: Random, drawing: Drawing, names: list[str]) -> Rule:
    priority = chance.choice((None, None, None, chance.randrange(-2, 6)))
    return Rule(
        name=f"rule {chance.randrange(100)}",
        condition=drawing.condition() if chance.randrange(12) else "",
        priority=priority,
        disabled=chance.randrange(8) == 0,
        terminates=chance.randrange(5) == 0,
        **what_it_does(chance, draw_overrides(chance, names)),
    )


def draw_pool_set(chance: Random, names: list[str]) -> PoolSet:
    match: Any = chance.choice((None, {"default": True}))
    if chance.randrange(5):
        lists = {"pops": POP_CODES, "countries": COUNTRIES, "regions": REGIONS}
        chosen = chance.sample(list(lists), chance.choice((1, 1, 2)))
        match = {"topology": {key: tuple(chance.sample(lists[key], chance.choice((1, 2, 3)))) for key in chosen}}
    return PoolSet(
        name=f"set {chance.randrange(100)}",
        disabled=chance.randrange(8) == 0,
        match=match,
        **what_it_does(chance, draw_set_overrides(chance, names)),
    )


def with_rules(chance: Random, world: World) -> World:
    """Give the load balancers of a world rules, pool sets or both, and it a named list."""
    configuration = world.configuration
    balancers = tuple(_with_rules(chance, world, one) for one in configuration.load_balancers)
    settings = configuration.settings.model_copy(update={"lists": {"office": frozenset(map(ip_network, LISTED))}})
    world.configuration = replace(configuration, settings=settings, load_balancers=balancers)
    return world


def _with_rules(chance: Random, world: World, balancer: LoadBalancer) -> LoadBalancer:
    named = balancer.type != "A"
    names = [name for name in world.configuration.pools if name.startswith("mail") is named]
    drawing = Drawing(chance, world.tree)
    rules = tuple(draw_rule(chance, drawing, names) for _ in range(chance.choice((0, 1, 2, 3, 5))))
    sets = tuple(draw_pool_set(chance, names) for _ in range(chance.choice((0, 0, 1, 2, 4))))
    return balancer.model_copy(update={"rules": rules, "pool_sets": sets})


def draw_asked_by_name(chance: Random, world: World, balancer: LoadBalancer) -> Asked:
    """Return a query, of a wildcard's load balancer by some name under it."""
    asked = draw_asked(chance, world, balancer)
    if not balancer.name.startswith("*."):
        return asked
    return replace(asked, labels=(*chance.choice(LABELS), *balancer.name.encode().split(b".")[1:]))


def spoken_addresses(chance: Random, world: World, balancer: LoadBalancer) -> list[Address]:
    """Return addresses at the edges of what rules name."""
    found: list[Address] = []
    for version in (4, 6):
        kind = type(draw_address(chance, world.tree, version))
        points = turns(world, balancer, version)
        for point in chance.sample(points, min(3, len(points))):
            found += [kind(point), kind(max(point - 1, 0))]
    return found
