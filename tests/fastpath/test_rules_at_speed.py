"""Rules and pool sets on both paths: the fast one says what the slow one says, and leaves to it what Python decides."""

from __future__ import annotations

from array import array
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import dns.message
import dns.rdatatype
import pytest

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.fastpath.counting import count_decision
from lbdns.fastpath.layout import DEFERRED
from lbdns.mapped.counter_words import LOAD_BALANCERS_FIRST, RULES_FIRST, WORD_COUNT
from lbdns.mapped.counters import Counters
from lbdns.snapshot.slots import rule_keys
from tests.answer import world
from tests.answer.lanes import compiled_view
from tests.answer.packets import query
from tests.fastpath.lanes import Lane, Served
from tests.fastpath.test_equality import compare

ZONE = """
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
to-api CNAME api.apps
to-www CNAME www
old DNAME apps
"""
RESOLVER = bytes((192, 0, 2, 7))
OTHER = bytes((203, 0, 113, 7))
SOMEWHERE = bytes((9, 9, 9, 9))


def rule(name: str, condition: str, *pools: str, **fields: Any) -> dict[str, Any]:
    overrides = {"overrides": {"default_pools": list(pools)}} if pools else {}
    return {"name": name, "condition": condition, **overrides, **fields}


def balancer(name: str, *rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "name": f"{name}.example.com",
        "default_pools": ["one"],
        "fallback_pool": "one",
        "ttl": 20,
        "rules": list(rules),
        **fields,
    }


BALANCERS = [
    balancer("plain"),
    balancer(
        "www",
        rule("here", "ip.src in {192.0.2.0/25 2001:db8::/33}", "two"),
        rule("half", "ip.src in {0.0.0.0/1}", "eu"),
        rule("nobody", "ip.src in {198.51.100.0/24}", fixed_response={"status_code": 403}),
        rule(
            "six", "dns.qry.type eq 28 and dns.rr.opt.client", "asia", overrides={"default_pools": ["asia"], "ttl": 7}
        ),
    ),
    balancer(
        "*.apps",
        rule("api", 'dns.qry.name contains "api"', "two"),
        rule("long", "dns.qry.name.len gt 24", "eu"),
        rule("text", 'dns.rr.opt.client.addr contains "0.11"', "asia"),
        rule("stars", 'dns.qry.name wildcard "X*z.*"', fixed_response={}),
    ),
    balancer("*.seen", rule("digits", r'dns.qry.name matches "^[a-z]+[0-9]+\."', "two")),
    balancer(
        "set",
        rule("half", "ip.src in {128.0.0.0/1}", "eu"),
        steering_policy="geo",
        location_strategy={"mode": "resolver_ip", "prefer_ecs": "always"},
        pool_sets=[
            {"name": "dutch", "match": {"topology": {"countries": ["NL"]}}, "overrides": {"pools": ["two"]}},
            {"name": "japan", "match": {"topology": {"countries": ["JP"]}}, "fixed_response": {}},
        ],
    ),
]


def configuration(geodata: Path) -> dict[str, Any]:
    return {
        "settings": {"pop": {"code": "IAD"}, "workers": 1, "geodata": {"city": str(geodata)}},
        "zones": {"example.com": ZONE},
        "pools": {name: world.POOLS[name] for name in ("one", "two", "eu", "asia")},
        "load_balancers": BALANCERS,
    }


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    folder = tmp_path_factory.mktemp("rules")
    geodata = world.write_geodata(folder / "places.mmdb")
    return compiled_view(parse(configuration(geodata), folder).configuration, folder)


def slow(view: ServingView, name: str, qtype: str = "A", ecs: str | None = None, client: bytes = RESOLVER) -> Any:
    """Return (addresses, scope or None, the SOA's TTL where there is none) as the slow path answers."""
    road = Road()
    reply = respond(view, query(name, qtype, ecs=ecs).wire, Client(client, 40_000), Transport.UDP, 1, 0, road)
    assert reply is not None
    message = dns.message.from_wire(reply)
    found = sorted(item.to_text() for rrset in message.answer for item in rrset if rrset.rdtype in (1, 28))
    scope = next((option.scopelen for option in message.options), None)
    return found or message.authority[0].ttl, scope


ONE, TWO, EU, ASIA = ["198.51.100.1"], ["198.51.100.21", "198.51.100.22"], ["198.51.100.31"], ["198.51.100.41"]


@pytest.mark.parametrize(
    ("name", "qtype", "ecs", "client", "wanted"),
    [
        ("plain", "A", None, RESOLVER, (ONE, None)),
        ("plain", "A", "10.0.0.0/8", RESOLVER, (ONE, 0)),
        ("www", "A", None, RESOLVER, (TWO, None)),
        ("www", "A", "2001:db8::/32", RESOLVER, (TWO, 33)),
        ("www", "A", None, OTHER, (ONE, None)),
        ("www", "A", "198.51.100.0/24", RESOLVER, (20, 24)),
        ("www", "A", "64.0.0.0/24", OTHER, (EU, 1)),
        ("www", "AAAA", "64.0.0.0/24", OTHER, (["2001:db8:4::41"], 1)),
        ("www", "A", "2001:db8::/56", OTHER, (TWO, 33)),
        ("to-www", "A", "64.0.0.0/24", OTHER, (EU, 1)),
        ("x.apps", "A", None, RESOLVER, (ONE, None)),
        ("API.apps", "A", None, RESOLVER, (TWO, None)),
        ("to-api", "A", None, RESOLVER, (TWO, None)),
        ("api.old", "A", None, RESOLVER, (TWO, None)),
        ("abcdefghijk.apps", "A", None, RESOLVER, (EU, None)),
        ("x.apps", "A", "10.0.11.0/24", RESOLVER, (ASIA, 32)),
        ("x.apps", "A", "10.0.12.0/24", RESOLVER, (ONE, 32)),
        ("xyz.apps", "A", None, RESOLVER, (20, None)),
        ("web1.seen", "A", None, RESOLVER, (TWO, None)),
        ("web.seen", "A", None, RESOLVER, (ONE, None)),
        ("set", "A", "192.0.2.0/24", OTHER, (TWO, 24)),
        ("set", "A", "203.0.113.0/25", OTHER, (20, 25)),
        ("set", "A", "64.0.0.0/24", SOMEWHERE, (ONE, 3)),
    ],
)
def test_rules_are_followed(
    view: ServingView, name: str, qtype: str, ecs: str | None, client: bytes, wanted: Any
) -> None:
    assert slow(view, f"{name}.example.com.", qtype, ecs, client) == wanted


NAMES = ("plain", "www", "x.apps", "api.apps", "abcdefghijklm.apps", "XyZ.apps", "to-www", "to-api", "api.old", "set")
ASKED = ("web1.seen", "web.seen", "to-api", "x.seen")


def test_the_fast_path_says_the_same(lane: Lane, view: ServingView) -> None:
    fast = Served(lane, view)
    chance = Random("rules at speed")
    seen: dict[str, set[bool]] = {}
    for _ in range(3000):
        name = chance.choice((*NAMES, *ASKED))
        block = chance.choice([chance.getrandbits(32), chance.choice([10, 64, 192, 198, 203]) << 24])
        near = chance.choice(["192.0.2.0", "203.0.113.0", "198.51.100.64", str(ip_address(block))])
        bits = chance.choice([8, 16, 20, 24, 25, 32])
        whole = int(ip_address(near)) >> (32 - bits) << (32 - bits)
        ecs = chance.choice([None, f"{ip_address(whole)}/{bits}", "2001:db8::/48", "0.0.0.0/0"])
        message = query(f"{name}.example.com.", chance.choice(["A", "AAAA", "CNAME", "TXT"]), ecs=ecs).wire
        said = compare(fast, view, message, chance.choice([RESOLVER, OTHER, bytes(16)]), chance.getrandbits(64))
        seen.setdefault(name, set()).add(said == DEFERRED)
    for name in set(NAMES) - set(ASKED):
        assert seen[name] == {False}, f"{name} is left to the slow path"
    for name in ASKED:
        assert True in seen[name], f"{name} is not left to the slow path"


def test_what_matched_is_counted_by_name(view: ServingView) -> None:
    counters = Counters(memoryview(array("Q", bytes(8 * WORD_COUNT))))
    slot_of = {}
    for row, one in enumerate(parsed().load_balancers):
        first = view.columns["lb_hit_start"][row]
        for place, key in enumerate(rule_keys(one)):
            slot_of[key] = view.columns["hit_slot"][first + place]

    def hits(name: str, ecs: str | None = None, client: bytes = RESOLVER) -> set[str]:
        before = bytes(counters.words[RULES_FIRST : RULES_FIRST + 64])
        road = Road()
        respond(view, query(f"{name}.example.com.", ecs=ecs).wire, Client(client, 1), Transport.UDP, 1, 0, road)
        assert road.decision is not None
        count_decision(counters, view.steering, road.decision)
        after = memoryview(bytes(counters.words[RULES_FIRST : RULES_FIRST + 64])).cast("Q")
        grown = [slot for slot, count in enumerate(memoryview(before).cast("Q")) if after[slot] == count + 1]
        assert sum(after) - sum(memoryview(before).cast("Q")) == len(grown)
        return {key[2] for key, slot in slot_of.items() if slot in grown}

    assert hits("plain") == set()
    assert hits("www") == {"here"}
    assert hits("www", client=SOMEWHERE) == {"half"}
    assert hits("www", client=OTHER) == set()
    assert hits("www", "198.51.100.0/24") == {"nobody"}
    assert hits("set", "192.0.2.0/24") == {"half", "dutch"}
    assert hits("set", "64.0.0.0/24", SOMEWHERE) == set()
    assert hits("xyz.apps") == {"stars"}
    assert sum(counters.words[LOAD_BALANCERS_FIRST : LOAD_BALANCERS_FIRST + 64]) == 8


def parsed() -> Any:
    made = configuration(Path("unused"))
    made["settings"] = {"pop": {"code": "IAD"}}
    return parse(made, Path(".")).configuration
