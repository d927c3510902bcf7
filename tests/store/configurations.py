"""Random configurations for what goes from files to the store and back, and how to tell whether two are the same."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from lbdns.model.configuration import Configuration

TEXTS = (
    "",
    "plain",
    "off",
    "a: b",
    "# no comment",
    'quoted "twice" and \\',
    "caf\u00e9 \u2028 \U0001f600",
    "two\nlines",
    "12:30",
    "0x10",
    "null",
    " edges ",
    "-",
    "{a}",
    "%",
)
RECORDS = (
    "{0} {1} A 192.0.2.{2}",
    "{0} {1} AAAA 2001:db8::{2}",
    '{0} {1} TXT "text {2}" "\\" \\\\ ; \\200"',
    "{0} {1} MX {2} Mail{2}.Example.NET.",
    "{0} {1} MX {2} .",
    "{0}.ptr {1} PTR {0}",
    "{0}.cname {1} CNAME \\@.x.example.net.",
    '{0} {1} CAA 0 issue "ca{2}.example.net; policy=x"',
    "{0} {1} TYPE65280 \\# 3 0102{2:02x}",
    "{0} {1} HTTPS {2} . alpn=h2,h3 port={2}",
    "_s._tcp.{0} {1} SRV 0 {2} 443 ns1",
    "{0} {1} TLSA 3 1 1 {2:064x}",
    '{0} {1} URI {2} 1 "https://example.net/{2}"',
)
POLICIES = ("off", "geo", "random", "proximity", "dynamic_latency", "")


def draw_tree(chance: Random) -> dict[str, Any]:
    """Return a configuration as `lbdns.config.parse` takes it: valid, and full of what is awkward to write down."""
    monitors = {name: _monitor(chance) for name in _some(chance, ("web", "null", "7", "on"))}
    groups = {
        name: {
            "description": chance.choice(TEXTS),
            "members": [
                {"monitor": monitor, **chance.choice(({}, {"must_be_healthy": True}, {"enabled": False}))}
                for monitor in _some(chance, tuple(monitors), 1)
            ],
        }
        for name in (_some(chance, ("all", "no")) if monitors else ())
    }
    pools = {name: _pool(chance, monitors, groups) for name in _some(chance, ("eu", "us", "off", "1e3"), 1)}
    names = tuple(pools)
    zones = {name: _zone(chance) for name in _some(chance, ("example.com", "sub.example.com", "example.net"), 1)}
    balancers = []
    for name in _some(chance, tuple(f"{label}.{zone}" for zone in zones for label in ("www", "*.wild", "api"))):
        balancers.append(_balancer(chance, name, names))
    return {
        "zones": zones,
        "monitors": monitors,
        "monitor_groups": groups,
        "pools": pools,
        "load_balancers": balancers,
    }


def comparable(configuration: Configuration) -> dict[str, Any]:
    """Return what a configuration means: without files and lines, without the order that nothing depends on."""
    return {
        "monitors": configuration.monitors,
        "monitor_groups": configuration.monitor_groups,
        "pools": configuration.pools,
        "load_balancers": sorted(configuration.load_balancers, key=lambda one: (one.name, one.type)),
        "zones": {
            zone.apex: {(one.owner, one.type): (one.ttl, sorted(one.rdatas)) for one in zone.rrsets}
            for zone in configuration.zones
        },
    }


def _some(chance: Random, items: tuple[str, ...], least: int = 0) -> list[str]:
    return chance.sample(items, chance.randrange(least, len(items) + 1))


def _monitor(chance: Random) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "description": chance.choice(TEXTS),
        "interval": chance.choice((60, 10)),
        "expected_codes": chance.choice(("200", "2xx,301-303")),
        "expected_body": chance.choice(TEXTS),
        "header": chance.choice(({}, {"X-Probe": ["a", "b c"]})),
    }
    return chance.choice((fields, {"type": "tcp", "port": 443}, {}))


def _pool(chance: Random, monitors: dict[str, Any], groups: dict[str, Any]) -> dict[str, Any]:
    count = chance.randrange(1, 5)
    origins: list[dict[str, Any]] = [
        {"name": chance.choice((f"e{at}", f"no {at}", f"{at}")), "address": f"192.0.2.{at + 1}"} for at in range(count)
    ]
    for origin in origins:
        origin |= chance.choice(({}, {"weight": 0.07}, {"enabled": False}, {"header": {"Host": ["a.example"]}}))
    made: dict[str, Any] = {"origins": origins, "description": chance.choice(TEXTS)}
    if monitors and chance.randrange(2):
        made["monitor"] = chance.choice(list(monitors))
    elif groups:
        made["monitor_group"] = chance.choice(list(groups))
    if chance.randrange(2):
        made |= {"latitude": chance.choice((52, 52.37, -0.5)), "longitude": 4.9}
    if chance.randrange(2):
        made["load_shedding"] = {"default_percent": 25.5, "default_policy": "hash"}
    if chance.randrange(3) == 0:
        made["notification_filter"] = {"pool": {"healthy": False}, "origin": {"disable": True}}
    if chance.randrange(3) == 0:
        made["check_regions"] = ["WEU", "ENAM"]
    return made


def _balancer(chance: Random, name: str, pools: tuple[str, ...]) -> dict[str, Any]:
    def some() -> list[str]:
        return _some(chance, pools, 1)

    made: dict[str, Any] = {
        "name": name,
        "default_pools": some(),
        "fallback_pool": chance.choice(pools),
        "steering_policy": chance.choice(POLICIES),
        "ttl": chance.choice((30, 5)),
        "enabled": chance.randrange(4) > 0,
        "description": chance.choice(TEXTS),
    }
    if chance.randrange(2):
        made |= {"region_pools": {"ENAM": some(), "WEU": some()}, "country_pools": {"NO": some()}}
    if chance.randrange(2):
        made["random_steering"] = {"default_weight": 0.5, "pool_weights": {pool: 0.25 for pool in some()}}
    if chance.randrange(2):
        made["location_strategy"] = {"mode": "resolver_ip", "prefer_ecs": "always", "region_from": "location"}
    if chance.randrange(2):
        made["rules"] = [_rule(chance, some) for _ in range(chance.randrange(4))]
    if chance.randrange(3) == 0:
        made["pool_sets"] = [_pool_set(chance, some) for _ in range(chance.randrange(3))]
    return made


CONDITIONS = (
    "",
    "ip.src in {192.0.2.0/24  2001:db8::/32}",
    'dns.qry.name contains "a: b" or\n  dns.qry.name matches r#"^(w|"x").*$"#',
    "not (dns.qry.type in {1 28})",
    'dns.qry.name eq "\\x41\\"\\\\"',
)


def _rule(chance: Random, some: Callable[[], list[str]]) -> dict[str, Any]:
    made: dict[str, Any] = {"condition": chance.choice(CONDITIONS)}
    if chance.randrange(2):
        made |= {"name": chance.choice(TEXTS)[:200], "priority": chance.choice((0, -3, 7)), "disabled": False}
    if chance.randrange(4) == 0:
        return made | {"fixed_response": {"message_body": chance.choice(TEXTS)[:1024], "status_code": 404}}
    overrides = chance.choice(
        (
            {"pools": some(), "pool_weights": {pool: 0.5 for pool in some()}, "pool_default_weight": 1},
            {"default_pools": some(), "country_pools": {"NO": some()}, "fallback_pool": some()[0]},
            {"random_steering": {"pool_weights": {some()[0]: 1}}, "location_strategy": {"mode": "pop"}, "ttl": 30},
        )
    )
    return made | {"overrides": overrides, "terminates": chance.randrange(2) == 0}


def _pool_set(chance: Random, some: Callable[[], list[str]]) -> dict[str, Any]:
    match = chance.choice(({"default": True}, {"topology": {"countries": ["NO", "DE"], "pops": []}}))
    return {"match": match, "overrides": {"pools": some(), "steering_policy": "", "fallback_pool": some()[0]}}


def _zone(chance: Random) -> str:
    lines = [
        f"$TTL {chance.choice((300, 60, 86400))}",
        f"@ SOA ns1 hostmaster {chance.choice((1, 2026010101, 2**32 - 1))} 7200 900 1209600 60",
        "@ NS ns1",
        "ns1 A 192.0.2.53",
    ]
    for number in range(1, chance.randrange(1, 13)):
        owner = chance.choice(("@", "text", "a\\.b", "deep.er", "*.any", "xn--bcher-kva", "UPPER"))
        lines.append(chance.choice(RECORDS).format(owner, chance.choice(("", "120")), number))
    return "\n".join(lines) + "\n"
