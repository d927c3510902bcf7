"""What draws may come to: the shares that are found by opening them are those that answers have, drawn many times."""

from __future__ import annotations

import math
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

import dns.name
import dns.rdatatype
import pytest

from lbdns.answer.answer import Road, answer_client
from lbdns.answer.reply import Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import make_query
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.publish.replay.lots import NO_RECORDS
from lbdns.publish.replay.replayed import Replay, Replayed
from lbdns.steering.kernel.numbers import FAMILY_NAMED, MODE_ALL
from tests.steering.rule_strategies import draw_asked_by_name, with_rules
from tests.steering.served import Served, write_geodata
from tests.steering.strategies import draw_tree, draw_world

DRAWS = 400
FAR = 5.0
"""Standard deviations."""


def drawn(view: ServingView, asked: Replayed, now_s: int, chance: Random) -> tuple[Counter[str], Counter[Any]]:
    """Return how often each pool answered, and what each endpoint got, of DRAWS answers of the slow path."""
    pools: Counter[str] = Counter()
    endpoints: Counter[Any] = Counter()
    subnet = None
    if asked.ecs is not None:
        octets = asked.ecs.network_address.packed[: (asked.ecs.prefixlen + 7) // 8]
        subnet = ClientSubnet(1 if asked.ecs.version == 4 else 2, asked.ecs.prefixlen, octets)
    for _ in range(DRAWS):
        query = make_query(Client(asked.resolver.packed, 53), subnet, now_s, chance.getrandbits(64))
        road = Road()
        answer_client(view, 0, asked.name, asked.name, asked.qtype, query, Transport.UDP, road)
        decision = road.decision
        assert decision is not None
        owners = decision.picked()
        if owners and decision.mode == MODE_ALL and query.family != FAMILY_NAMED and not decision.is_alias:
            owners = [decision.owners[place] for place in range(decision.address_count)]
        pool = view.text("pool_text", decision.pool) if owners else NO_RECORDS
        pools[pool] += 1
        for owner in owners:
            endpoints[pool, view.text("endpoint_text", owner)] += 1 / len(owners)  # type: ignore[assignment]
    return pools, endpoints


def check_near(found: dict[Any, float], counted: Counter[Any]) -> None:
    for name in {*found, *counted}:
        share = found.get(name, 0.0)
        spread = FAR * math.sqrt(max(share * (1 - share), 1e-9) / DRAWS)
        assert abs(share - counted[name] / DRAWS) <= spread + 1e-6, (name, share, counted[name] / DRAWS)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(4))
def test_shares_are_those_of_answers_drawn_many_times(share: int, tmp_path: Path) -> None:
    asked_count = random_count = 0
    for seed in range(share, 24, 4):
        chance = Random(f"shares/{seed}")
        tree = draw_tree(chance, 20)
        geodata = write_geodata(tree, tmp_path / f"{seed}.mmdb")
        world = draw_world(chance, tree)
        if seed % 3 == 0:
            world = with_rules(chance, world)
        served = Served(world, geodata, tmp_path)
        view = ServingView(served.snapshot, served.table)
        for lb in world.configuration.load_balancers:
            if not lb.enabled:
                continue
            for _ in range(3):
                query = draw_asked_by_name(chance, world, lb)
                name = dns.name.from_text(lb.name.replace("*", "eu.www")).canonicalize().to_wire()
                qtype = lb.type if lb.type != "A" else "CNAME" if query.wants_cname else query.family
                ecs = None if query.ecs is None else ip_network((query.ecs[0], query.ecs[1]))
                asked = Replayed(name or b"", dns.rdatatype.from_text(qtype), query.resolver, ecs)
                came = Replay(view, 0, query.now_s).come_to(asked)
                if came.balancer is None:
                    continue
                assert sum(came.shares.pools.values()) == pytest.approx(1.0)
                pools, endpoints = drawn(view, asked, query.now_s, chance)
                check_near(came.shares.pools, pools)
                check_near(came.shares.endpoints, endpoints)
                asked_count += 1
                random_count += len(came.shares.endpoints) > 1
        del view  # it holds the health table open
        served.close()
    assert asked_count > 50 and random_count > 10, (asked_count, random_count)
