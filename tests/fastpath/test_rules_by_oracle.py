"""Rules and pool sets as a client sees them: both roads' replies are what the naive oracle says, record by record, also
where an alias leads to the load balancer.

The seeds are few; `LBDNS_RULE_SEEDS=5000` asks for so many.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import dns.edns
import dns.message
import dns.rdatatype
import pytest

from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.templates import add_templates
from lbdns.model.balancer import LoadBalancer
from tests.answer.packets import query
from tests.fastpath.lanes import Lane
from tests.fastpath.lanes import Served as FastServed
from tests.fastpath.test_equality import compare
from tests.steering import naive
from tests.steering.naive_world import Asked, World
from tests.steering.rule_strategies import with_rules
from tests.steering.served import Served, write_geodata
from tests.steering.strategies import draw_tree, draw_world
from tests.steering.test_oracle import told
from tests.steering.test_rule_oracle import draw_query

SEEDS = int(os.environ.get("LBDNS_RULE_SEEDS", "12"))
QUERIES_A_BALANCER = 12
ZONE = """
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
to-example CNAME example.com.
to-www CNAME www
to-geo CNAME to-geo2
to-geo2 CNAME geo
to-near CNAME near
to-wild CNAME eu.www.wild
into DNAME wild
"""
NEGATIVE_TTL_S = 60
ALIASES = {
    "example.com": (b"to-example",),
    "www.example.com": (b"to-www",),
    "geo.example.com": (b"to-geo",),
    "near.example.com": (b"to-near",),
}


def wire(labels: tuple[bytes, ...]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def owner_of(chance: Random, lb: LoadBalancer, asked: Asked) -> tuple[bytes, Asked]:
    """Return the name to ask for, sometimes an alias, and the query that the load balancer sees then."""
    zone = (b"example", b"com")
    if chance.randrange(3) or lb.type != "A" or asked.wants_cname:
        return wire(asked.labels or tuple(lb.name.encode().split(b"."))), asked
    if not lb.name.startswith("*."):
        return wire((*ALIASES[lb.name], *zone)), asked
    if chance.randrange(2):
        return wire((b"to-wild", *zone)), replace(asked, labels=(b"eu", b"www", b"wild", *zone))
    if b"wild" not in asked.labels:
        return wire(asked.labels), asked
    above = asked.labels[: asked.labels.index(b"wild")]
    return wire((*above, b"into", *zone)), asked


def expected(world: World, lb: LoadBalancer, asked: Asked, qtype: str) -> Any:
    """Return the records (type, TTL, data) or the TTL of a negative answer, and the scope, None without ECS."""
    found = naive.decide(world, lb, asked)
    scope = None if asked.ecs is None else found["scope"] if asked.ecs[1] else 0
    if found["outcome"] != naive.ANSWER:
        return min(found["ttl"], NEGATIVE_TTL_S), scope
    if found["addresses"] is not None:
        return [(qtype, found["ttl"], str(one)) for one in found["addresses"]], scope
    picked = [one for pool in (world.configuration.pools[found["pool"]],) for one in chosen(pool, found["endpoints"])]
    if lb.type == "A":
        return [("CNAME", found["ttl"], f"{picked[0].address}.")], scope
    if lb.type == "MX":
        return [("MX", found["ttl"], f"{one.priority} {one.address}.") for one in picked], scope
    return [
        ("SRV", found["ttl"], f"{one.priority} {round(one.weight * 100)} {one.port} {one.address}.") for one in picked
    ], scope


def chosen(pool: Any, endpoints: list[Any]) -> list[Any]:
    return [pool.origins[index] for index in endpoints]


def answered(reply: bytes) -> Any:
    """Return the same of a reply; what leads to the load balancer is left out."""
    message = dns.message.from_wire(reply)
    scope = next((one.scopelen for one in message.options if isinstance(one, dns.edns.ECSOption)), None)
    records = [(dns.rdatatype.to_text(one.rdtype), one.ttl, item.to_text()) for one in message.answer for item in one]
    last = [one for one in records if not (one[0] in ("CNAME", "DNAME") and one[2].endswith("example.com."))]
    return last or message.authority[0].ttl, scope


@pytest.mark.slow
def test_replies_are_what_the_oracle_says(lane: Lane, tmp_path: Path) -> None:
    (zone,) = parse({"zones": {"example.com": ZONE}}, tmp_path).configuration.zones
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        chance = Random(f"rules in bytes/{seed}")
        tree = draw_tree(chance)
        world = with_rules(chance, draw_world(chance, tree))
        world.configuration = replace(world.configuration, zones=(zone,))
        folder = tmp_path / str(seed)
        folder.mkdir()
        served = Served(world, write_geodata(tree, folder / "toy.mmdb"), folder)
        ask_all(chance, world, served, lane, seen)
        served.close()
    assert min(seen.values()) > 5 and seen["deferred"] < seen["records"], seen


def ask_all(chance: Random, world: World, served: Served, lane: Lane, seen: Counter[str]) -> None:
    """Ask a world's load balancers, by their names and by others, and compare each reply with the oracle's."""
    bare = ServingView(served.snapshot, served.table)
    view = ServingView(add_templates(served.snapshot, bare), served.table)
    fast = FastServed(lane, view)
    for lb in world.configuration.load_balancers:
        for _ in range(QUERIES_A_BALANCER):
            name, asked = owner_of(chance, lb, replace(draw_query(chance, world, lb), draw_fixed=False))
            qtype = lb.type if lb.type != "A" else "CNAME" if asked.wants_cname else asked.family
            ecs = None if asked.ecs is None else f"{asked.ecs[0]}/{asked.ecs[1]}"
            message = query(name, qtype, ecs=ecs).wire
            client, draw = asked.resolver.packed, asked.draw_base
            said = compare(fast, view, message, client, draw, asked.now_s)
            slow = respond(view, message, Client(client, 40_000), Transport.UDP, asked.now_s, draw)
            assert slow is not None
            wanted, found = expected(world, lb, asked, qtype), answered(slow)
            if asked.wants_cname and isinstance(wanted[0], int):
                # Where no endpoint is ever a CNAME, it is no matter of steering that there is none.
                assert found == wanted or found == (NEGATIVE_TTL_S, found[1] and 0), told(world, lb, asked)
            else:
                assert found == wanted, told(world, lb, asked)
            seen["deferred"] += said == DEFERRED
            seen["alias"] += name != wire(asked.labels or tuple(lb.name.encode().split(b".")))
            seen["records" if isinstance(wanted[0], list) else "none"] += 1
