"""What a check takes from the one before it changes no problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from lbdns.base.errors import Problem
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.examined import Examined
from lbdns.config.loading import examine_objects
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, Source
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.reader import read_master
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.model.settings import PopSettings, Settings

STEPS = 40
OWNERS = (
    "example.com",
    "www.example.com",
    "a.cut.example.com",
    "a.dname.example.com",
    "_sip._udp.example.com",
    "alias.example.com",
    "nowhere.example",
)
POOLS = ("v4", "v6", "both", "host", "off", "missing")
RECORDS = (
    "cut NS ns1.example.net.",
    "dname DNAME example.net.",
    "alias CNAME www",
    "www A 192.0.2.1",
    "www AAAA 2001:db8::1",
    "x.cut A 192.0.2.1",
)
POPS = (PopSettings(), PopSettings(code="AMS"), PopSettings(country="DE"), PopSettings(region="OC"))


def draw_zone(chance: Random) -> dict[bytes, ZoneDraft]:
    lines = ["$TTL 60", "@ SOA ns1 hostmaster 1 2 3 4 5", "@ NS ns1", "ns1 A 192.0.2.53"]
    text = "\n".join([*lines, *chance.sample(RECORDS, chance.randrange(len(RECORDS) + 1))]) + "\n"
    apex = b"\x07example\x03com\0"
    return {apex: read_master(text, apex, "example.com.zone", None, lambda _: "")}


def draw_pool(chance: Random, name: str) -> Placed[Pool]:
    addresses = {"v6": ["2001:db8::1"], "both": ["192.0.2.1", "2001:db8::1"], "host": ["h.example.net"]}
    origins = [
        {
            "name": f"e{index}",
            "address": address,
            "port": chance.choice((0, 443)),
            "flatten_cname": chance.random() < 0.5,
        }
        for index, address in enumerate(addresses.get(name, ["192.0.2.9"]))
    ]
    body: dict[str, Any] = {"name": name, "origins": origins, "enabled": chance.randrange(4) > 0}
    if chance.randrange(2):
        body.update(latitude=1.0, longitude=2.0, monitor="web")
    return placed(Pool, body, "pools", name)


def draw_rule(chance: Random) -> dict[str, Any]:
    overrides: dict[str, Any] = {
        "pools": chance.sample(POOLS, 2),
        "steering_policy": chance.choice(("off", "proximity")),
    }
    conditions = ("", "ip.src in $a", "ip.src in $a and ip.src in $b", "ip.src.asnum eq 1", "ip.src.lat gt 1.5", "ip")
    return {
        "name": "r",
        "condition": chance.choice(conditions),
        "overrides": overrides,
        "disabled": chance.random() < 0.2,
    }


def draw_balancer(chance: Random) -> Placed[LoadBalancer]:
    owner = chance.choice(OWNERS)
    body: dict[str, Any] = {
        "name": owner,
        "default_pools": chance.sample(POOLS, chance.randrange(1, 4)),
        "fallback_pool": chance.choice(POOLS),
        "type": chance.choice(("A", "A", "MX", "SRV")),
        "enabled": chance.randrange(5) > 0,
        "steering_policy": chance.choice(("", "geo", "proximity", "dynamic_latency", "random", "off")),
        "region_pools": chance.choice(({}, {"WEU": ["v6"]})),
        "country_pools": chance.choice(({}, {"DE": ["host"], "ZZ": ["v4"]})),
        "pop_pools": chance.choice(({}, {"AMS": ["both"]}, {"QQQ": ["both"]})),
        "random_steering": {"pool_weights": chance.choice(({}, {"v4": 0.5}, {"gone": 1.0}))},
        "ttl": chance.choice((0, 30, -1)),
        "rules": [draw_rule(chance) for _ in range(chance.choice((0, 0, 1, 2)))],
        "pool_sets": chance.choice(([], [{"overrides": {"pools": chance.sample(POOLS, 2)}}])),
    }
    return placed(LoadBalancer, body, "load_balancers", owner)


def placed(model: Any, body: dict[str, Any], section: str, name: str) -> Placed[Any]:
    problems: list[Problem] = []
    found = build(model, body, Source("store", 0, section, name), problems)
    assert found is not None
    return found


class World:
    """What is checked; each change leaves all other objects the very ones they were."""

    def __init__(self, chance: Random) -> None:
        self.settings = Settings(pop=chance.choice(POPS))
        self.zones = draw_zone(chance)
        self.pools = {name: draw_pool(chance, name) for name in POOLS if name != "missing"}
        self.balancers = [draw_balancer(chance) for _ in range(12)]

    def change(self, chance: Random) -> None:
        """Change one thing, or nothing."""
        chance.choice(CHANGES)(self, chance)

    def change_pool(self, chance: Random) -> None:
        """Draw a pool anew, the one that was missing too."""
        name = chance.choice(POOLS)
        self.pools[name] = draw_pool(chance, name)

    def remove_pool(self, chance: Random) -> None:
        """Remove a pool, whoever refers to it."""
        self.pools.pop(chance.choice(POOLS), None)

    def change_balancer(self, chance: Random) -> None:
        """Draw a load balancer anew."""
        self.balancers[chance.randrange(len(self.balancers))] = draw_balancer(chance)

    def move_balancer(self, chance: Random) -> None:
        """Say that a load balancer was read elsewhere."""
        index = chance.randrange(len(self.balancers))
        before = self.balancers[index]
        self.balancers[index] = replace(before, source=before.source._replace(file=f"file-{chance.randrange(9)}"))

    def change_zone(self, chance: Random) -> None:
        """Draw the zone anew; sometimes none is hosted."""
        self.zones = draw_zone(chance) if chance.randrange(5) else {}

    def change_place(self, chance: Random) -> None:
        """Put the server elsewhere."""
        self.settings = self.settings.model_copy(update={"pop": chance.choice(POPS)})

    def change_lists(self, chance: Random) -> None:
        """Say anew which lists there are, and what is in them."""
        lists = {name: chance.choice((["192.0.2.0/24"], ["2001:db8::/32"])) for name in chance.sample(("a", "b"), 1)}
        self.settings = Settings(pop=self.settings.pop, lists=chance.choice((lists, lists, {})))  # type: ignore[arg-type]

    def change_nothing(self, _: Random) -> None:
        """Leave everything as it is."""

    def examine(self, memo: CheckMemo | None) -> Examined:
        objects = Objects(load_balancers=list(self.balancers))
        objects.pools.update(self.pools)
        for name, pool in self.pools.items():
            objects.declared["pools"][name] = pool.source
        objects.declared["monitors"]["web"] = Source("store", 0, "monitors", "web")
        zones = {(apex, ""): draft for apex, draft in self.zones.items()}
        return examine_objects(self.settings, objects, zones, {}, memo)


CHANGES: tuple[Callable[[World, Random], None], ...] = (
    World.change_pool,
    World.remove_pool,
    World.change_balancer,
    World.move_balancer,
    World.change_zone,
    World.change_place,
    World.change_lists,
    World.change_nothing,
)


def shown(examined: Examined) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(str(problem), problem.at) for problem in (*examined.errors, *examined.warnings)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_memo_changes_no_problem(seed: int) -> None:
    chance = Random(seed)
    world, memo = World(chance), CheckMemo()
    seen = 0
    for _ in range(STEPS):
        with_memo, without = shown(world.examine(memo)), shown(world.examine(None))
        assert with_memo == without
        assert len(memo) <= len(world.balancers), "what is gone is dropped"
        seen += len(without)
        world.change(chance)
    assert seen > 10 * STEPS, "the worlds have too few problems to tell anything"
