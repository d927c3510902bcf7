"""What a policy reads and what its plan rests on are one: a plan is kept while that reads the same, and no longer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.settings import Settings
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel.numbers import SELECT_FIRST
from lbdns.steering.policies.context import WatchedPools
from lbdns.steering.policies.plan import Plan, unweighted
from lbdns.steering.policies.policy_table import PLANNERS
from tests.steering.conftest import Toy
from tests.steering.strategies import ZONE
from tests.steering.test_memo import columns_of

POOLS = ("north", "south", "east")


def configuration_of(**changed: dict[str, Any]) -> Configuration:
    """Return three pools, and two load balancers under policy `off`; `changed`: pool -> fields."""
    latitudes = {"north": 60.0, "south": -35.0, "east": 35.0}
    pools = {}
    for number, name in enumerate(POOLS):
        fields: dict[str, Any] = {
            "latitude": latitudes[name],
            "longitude": 10.0 * number,
            "origins": (Endpoint(name="one", address=f"192.0.2.{number}"),),
        }
        pools[name] = Pool(name=name, **{**fields, **changed.get(name, {})})
    balancers = tuple(
        LoadBalancer(name=f"{owner}.example.com", default_pools=POOLS, fallback_pool="north", steering_policy="off")
        for owner in ("a", "b")
    )
    return Configuration(settings=Settings(), zones=(ZONE,), pools=pools, load_balancers=balancers)


def keep_balancers(fresh: Configuration, before: Configuration) -> Configuration:
    """Return `fresh` with the very load balancers of `before`, as a reload that changes pools alone gives them."""
    return replace(fresh, load_balancers=before.load_balancers)


def northernmost(load_balancer: LoadBalancer, context: Any) -> Plan:
    """Plan a policy that no table knows what it reads: pools from north to south."""
    names = sorted(load_balancer.default_pools, key=lambda name: -context.pools[name].latitude)
    return Plan(SELECT_FIRST, (unweighted(names),))


def most_endpoints(load_balancer: LoadBalancer, context: Any) -> Plan:
    """Plan by something else of a pool, which is no number."""
    names = sorted(load_balancer.default_pools, key=lambda name: -len(context.pools[name].origins))
    return Plan(SELECT_FIRST, (unweighted(names),))


TWO = (Endpoint(name="one", address="192.0.2.8"), Endpoint(name="two", address="192.0.2.9"))
CHANGES = [
    pytest.param(northernmost, {"south": {"latitude": 80.0}}, id="coordinates"),
    pytest.param(most_endpoints, {"east": {"origins": TWO}}, id="endpoints"),
]


@pytest.mark.parametrize(("policy", "changed"), CHANGES)
def test_a_policy_that_reads_pools_is_planned_anew_when_they_change(
    policy: Any, changed: dict[str, Any], toys: list[Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PLANNERS, "off", policy)
    before = configuration_of()
    after = keep_balancers(configuration_of(**changed), before)
    geodata, memo = toys[1][1], CompileMemo()
    slots_before = Slots().assign(before)
    slots_after = slots_before.assign(after)
    first = columns_of(before, geodata, slots_before, memo)
    then = columns_of(after, geodata, slots_after, memo)
    assert then == columns_of(after, geodata, slots_after, None)
    assert then["member_pool"] != first["member_pool"]
    assert columns_of(before, geodata, slots_before, memo) == first


class Planned:
    """A policy that counts how often it is asked."""

    def __init__(self, policy: Any) -> None:
        self.count = 0
        self._policy = policy

    def __call__(self, load_balancer: LoadBalancer, context: Any) -> Plan:
        self.count += 1
        plan: Plan = self._policy(load_balancer, context)
        return plan


OTHER_FIELDS = {name: {"minimum_origins": 1, "load_shedding": {"default_percent": 50}} for name in POOLS}


@pytest.mark.parametrize(
    ("policy", "changed", "planned"),
    [
        pytest.param(PLANNERS["off"], {"north": {"latitude": 1.0}}, 2, id="one that reads nothing"),
        pytest.param(PLANNERS["random"], OTHER_FIELDS, 2, id="one that reads the load balancer alone"),
        pytest.param(northernmost, {}, 2, id="pools that are other objects and say the same"),
        pytest.param(northernmost, OTHER_FIELDS, 2, id="other fields than it reads"),
        pytest.param(northernmost, {"north": {"latitude": 61.0}}, 4, id="a field that it reads"),
        pytest.param(PLANNERS["proximity"], OTHER_FIELDS, 2, id="proximity, other fields"),
        pytest.param(PLANNERS["proximity"], {"north": {"longitude": 61.0}}, 4, id="proximity, coordinates"),
    ],
)
def test_a_plan_is_kept_while_what_it_read_reads_the_same(
    policy: Any, changed: dict[str, Any], planned: int, toys: list[Toy], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Planned(policy)
    monkeypatch.setitem(PLANNERS, "off", counting)
    before = configuration_of()
    after = keep_balancers(configuration_of(**changed), before)
    slots, memo = Slots().assign(before), CompileMemo()
    for configuration in (before, after):
        columns_of(configuration, toys[5][1], slots, memo)
    assert counting.count == planned


def test_pools_are_looked_at_by_field_alone() -> None:
    """What cannot be noted is refused: comparing pools, listing them, reaching behind the context."""
    pools = configuration_of().pools
    watched = WatchedPools(pools)
    with pytest.raises(TypeError, match="compare fields"):
        _ = watched["north"] == pools["north"]
    with pytest.raises(TypeError):
        hash(watched["north"])
    with pytest.raises(AttributeError):
        _ = watched["north"].nothing  # type: ignore[attr-defined]
    assert not hasattr(watched, "items")
    assert [name for name, _ in watched.take_reads()] == ["north"]
    assert watched["south"].latitude == -35.0
    assert dict(watched.take_reads())["south"].values == (("latitude", -35.0),)
    assert watched.take_reads() == ()
