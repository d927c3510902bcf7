"""What an operator supposes of endpoints makes the same bytes as what the ledger makes of orders for them."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.explain.supposed import suppose
from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.health.forced import Forced, State
from lbdns.health.reasons import Reason
from lbdns.health.verdict import COUNTS, CRITICAL, HEALTHY, STATE_MASK, UNKNOWN
from lbdns.mapped.health_table import HealthTable
from lbdns.model.configuration import Configuration
from lbdns.model.targets_document import Vantage
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.probes.result import Result
from lbdns.monitor.targets import parse_targets
from lbdns.places.geodata import Geodata
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from tests.whole_targets import encode_targets

NOW_S = 100.0


def origins(count: int, first: int) -> list[dict[str, Any]]:
    return [{"name": f"e{at}", "address": f"192.0.2.{first + at}", "enabled": at != 3} for at in range(count)]


TREE = {
    "zones": {"example.com": "$TTL 60\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\n"},
    "monitors": {"web": {"type": "http"}},
    "monitor_groups": {"nobody": {"members": [{"monitor": "web", "enabled": False}]}},
    "pools": {
        "watched": {"monitor": "web", "origins": origins(4, 10)},
        "strict": {"monitor": "web", "minimum_origins": 2, "origins": origins(2, 20)},
        "unheard": {"monitor_group": "nobody", "origins": origins(1, 30)},
        "free": {"origins": origins(2, 40)},
        "free-strict": {"minimum_origins": 2, "origins": origins(2, 50)},
    },
    "load_balancers": [{"name": "www.example.com", "default_pools": ["watched", "free"], "fallback_pool": "free"}],
}


class Setup:
    """A configuration, its slots and snapshot, and a ledger that adopted it."""

    def __init__(self, path: Path) -> None:
        self.configuration: Configuration = parse(TREE, path).configuration
        self.slots = Slots().assign(self.configuration)
        self.snapshot = compile_snapshot(self.configuration, Geodata.open(None, None), self.slots, 1, 7)
        self.table = HealthTable.create(path / "t", 32, 8, 7)
        self.ledger = Ledger(self.table, lambda: NOW_S, lambda change: None)
        targets = parse_targets(encode_targets(self.configuration, self.slots, 1, self.table.path, TargetsMemo()))
        self.ledger.adopt(targets.pools, targets.balancers, self.table)
        self.series = [
            self.ledger.begin_series(endpoint, endpoint.pool.spec.members[0], endpoint.spec.address, Vantage())
            for endpoint in self.ledger.endpoints.values()
            if endpoint.probed
        ]

    def bytes(self, table: HealthTable) -> dict[str, int]:
        """Return the effective bytes of pools and endpoints by their names."""
        found = {name: table.columns["pool_state"][slot] for name, slot in self.slots.pool.items()}
        for (pool, name, _), slot in self.slots.endpoint.items():
            found[f"{pool}/{name}"] = table.columns["endpoint_state"][slot]
        return found


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return Setup(tmp_path)


def draw_orders(chance: Random, names: list[str]) -> tuple[Forced, ...]:
    """Orders for pools and endpoints; some have expired."""
    states: list[State] = ["up", "down", "auto"]
    return tuple(
        Forced(name, chance.choice(states), 1.0, chance.choice([None, None, NOW_S - 1, NOW_S + 1]))
        for name in chance.sample([*names, "*", "*/*", "free*/e0"], 3)
    )


@pytest.mark.slow
def test_supposing_endpoints_does_what_the_ledger_would(setup: Setup) -> None:
    pools = list(setup.slots.pool)
    endpoints = [f"{pool}/{name}" for pool, name, _ in setup.slots.endpoint]
    enabled = {
        f"{pool.name}/{one.name}" for pool in setup.configuration.pools.values() for one in pool.origins if one.enabled
    }
    kept_down = 0
    for number in range(300):
        chance = Random(f"supposed/{number}")
        for series in setup.series:
            if chance.random() < 0.7:
                healthy = chance.random() < 0.5
                series.take(Result(healthy, Reason.NO_FAILURES if healthy else Reason.TCP_FAILED))
        orders = draw_orders(chance, pools + endpoints)
        setup.ledger.force(orders)
        down, up = (chance.sample(endpoints, 2) for _ in range(2))
        view = suppose(
            setup.configuration, setup.snapshot, setup.slots, setup.table, down, up, orders=orders, now_s=NOW_S
        )
        found, supposed = setup.bytes(view.table), {name.split("/")[0] for name in {*down, *up} & enabled}
        setup.ledger.force((*orders, *(Forced(n, "down", 2.0) for n in down), *(Forced(n, "up", 2.0) for n in up)))
        wanted = setup.bytes(setup.table)
        for name in pools:
            assert found[name] & STATE_MASK == wanted[name] & STATE_MASK, (number, name, orders, down, up)
            # A pool whose endpoints are supposed shows that, as one that is forced does.
            assert bool(found[name] & COUNTS) == (name in supposed or bool(wanted[name] & COUNTS))
            kept_down += found[name] == CRITICAL | COUNTS and found[f"{name}/e0"] & STATE_MASK == HEALTHY
        assert {name: found[name] for name in endpoints} == {name: wanted[name] for name in endpoints}
    assert kept_down > 20


def test_a_pool_whose_group_has_nobody_to_ask_is_unknown_as_the_check_of_the_group_warns(setup: Setup) -> None:
    assert setup.bytes(setup.table)["unheard"] == UNKNOWN


def test_without_a_server_every_endpoint_is_up_but_those_supposed_down(setup: Setup) -> None:
    def states(*down: str) -> dict[str, int]:
        return setup.bytes(suppose(setup.configuration, setup.snapshot, setup.slots, None, down).table)

    every = states()
    assert {every[name] for name in every} == {HEALTHY}
    some = states("strict/e0", "free")
    assert (some["strict"], some["free"]) == (CRITICAL | COUNTS, CRITICAL | COUNTS)
    assert some["watched"] == some["free-strict"] == HEALTHY


def test_a_pattern_that_matches_nothing_is_refused(setup: Setup) -> None:
    with pytest.raises(LbdnsError, match='no endpoint matches "nowhere"; expected POOL/ORIGIN, such as "watched/e0"'):
        suppose(setup.configuration, setup.snapshot, setup.slots, None, ["nowhere"])
