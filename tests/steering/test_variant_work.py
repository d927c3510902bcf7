"""Rules cost what they change: counted in calls, load balancers with the same rules share what these do, and plans that
differ in what their lists hold share how places are cut up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.fields import shared
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.rule import Rule
from lbdns.model.settings import Settings
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.steering.conftest import Toy
from tests.steering.strategies import ZONE
from tests.steering.test_memo import columns_of
from tests.work import calls_of

Overriding = dict[str, Any]
POOLS = tuple(f"p{number}" for number in range(12))
COUNTRIES = ("DE", "FR", "NL", "US")
RULES = 5
NETWORKS = [f"198.51.100.{16 * number}/28" for number in range(RULES)]


def rules(*overrides: dict[str, Any]) -> tuple[Rule, ...]:
    """Return a rule for each of some overrides, of which no two match together."""
    return tuple(
        shared(Rule.model_validate({"name": network, "condition": f"ip.src in {{{network}}}", "overrides": one}))
        for network, one in zip(NETWORKS, overrides, strict=False)
    )


OTHER_POOLS: list[Overriding] = [{"default_pools": (POOLS[-1 - number],)} for number in range(RULES)]
ANYTHING: list[Overriding] = [
    {"ttl": 5},
    {"fallback_pool": "p3", "session_affinity": "ip_cookie"},
    {"default_pools": ("p2", "p1")},
    {"pool_default_weight": 0.5},
    {"steering_policy": "off", "session_affinity_ttl": 1800},
]


def balancers(count: int, policy: str, ruled: tuple[Rule, ...]) -> Configuration:
    """Return load balancers that all differ, in pools and in places, over pools that all stand elsewhere."""
    made = []
    for number in range(count):
        names = tuple(POOLS[(number + index) % 6] for index in range(2))
        fields: dict[str, Any] = {"ttl": 30 + number}
        if policy == "geo":
            fields["country_pools"] = {COUNTRIES[number % 4]: (names[0],), COUNTRIES[(number + 1) % 4]: (names[1],)}
            fields["location_strategy"] = {"mode": "resolver_ip", "prefer_ecs": "always"}
        made.append(
            LoadBalancer(
                name=f"lb{number}.example.com",
                default_pools=names,
                fallback_pool=names[0],
                steering_policy=policy,
                rules=ruled,
                **fields,
            )
        )
    pools = {
        name: Pool(
            name=name,
            latitude=4.0 * number,
            longitude=9.0 * number,
            origins=(Endpoint(name="one", address=f"192.0.2.{number}"),),
        )
        for number, name in enumerate(POOLS)
    }
    return Configuration(settings=Settings(), zones=(ZONE,), pools=pools, load_balancers=tuple(made))


def compiling(configuration: Configuration, geodata: Geodata, memo: CompileMemo | None = None) -> Counter[str]:
    """Return the calls that compiling makes."""
    slots = Slots().assign(configuration)
    return calls_of(lambda: compile_snapshot(configuration, geodata, slots, 1, 1, memo))


@pytest.mark.parametrize("policy", ["off", "random", "geo", "proximity", "dynamic_latency"])
@pytest.mark.parametrize("overrides", [OTHER_POOLS, ANYTHING], ids=["other pools", "anything"])
def test_what_rules_do_is_worked_out_once_for_all_that_have_them(
    policy: str, overrides: list[dict[str, Any]], toys: list[Toy]
) -> None:
    few, many = (compiling(balancers(count, policy, rules(*overrides)), toys[5][1]) for count in (3, 30))
    assert few["effect_of"] == many["effect_of"] == RULES + 1
    assert few["replacing"] == many["replacing"] == RULES + 1
    assert many["planned_row"] == 30 * (1 + RULES), "what no rule matches for is the load balancer's own row"
    without = compiling(balancers(30, policy, ()), toys[5][1])
    for name in ("encode_canonical", "balancer_row", "steered_of"):
        assert many[name] - without[name] in (0, 30), name
    weighted = sum("pool_default_weight" in one for one in overrides)
    assert many["BaseModel.model_copy"] == 30 * weighted, "nothing is copied but the weights that are replaced in part"


def test_lists_that_stand_alike_are_spread_over_places_once(toys: list[Toy]) -> None:
    without = compiling(balancers(30, "geo", ()), toys[5][1])
    found = compiling(balancers(30, "geo", rules(*OTHER_POOLS)), toys[5][1])
    assert 1 <= without["spread"] <= len(COUNTRIES) * 2
    assert found["spread"] == without["spread"] and found["_number_classes"] == without["_number_classes"]


def test_pools_that_stand_alike_are_put_in_order_once(toys: list[Toy]) -> None:
    without = compiling(balancers(30, "proximity", ()), toys[5][1])
    found = compiling(balancers(30, "proximity", rules({"ttl": 5}, {"fallback_pool": "p9"})), toys[5][1])
    assert 1 <= without["_nearest"] <= 6
    assert found["_nearest"] == without["_nearest"]


@pytest.mark.parametrize("policy", ["geo", "proximity"])
def test_what_plans_share_is_kept_from_one_compile_to_the_next(policy: str, toys: list[Toy]) -> None:
    memo = CompileMemo()
    configuration = balancers(30, policy, rules(*OTHER_POOLS, *ANYTHING))
    first = compiling(configuration, toys[5][1], memo)
    again = compiling(configuration, toys[5][1], memo)
    assert first["spread"] > 0
    assert again["spread"] == again["balancer_row"] == again["decision_table"] == 0
    slots = Slots().assign(configuration)
    assert columns_of(configuration, toys[5][1], slots, memo) == columns_of(configuration, toys[5][1], slots, None)
    # Another database: nothing of the one before is left.
    assert compiling(configuration, toys[6][1], memo)["spread"] > 0
