"""Models as they are kept: the same in all that can be asked of them, in less memory."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from typing import Any

import pytest

from lbdns.model.balancer import LoadBalancer
from lbdns.model.fields import Frozen, compact
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool

COUNT = 500
BALANCER: dict[str, Any] = {
    "name": "lb.example.com",
    "default_pools": ["p1", "p2", "p3", "p4"],
    "fallback_pool": "p1",
    "steering_policy": "geo",
    "country_pools": {"DE": ["p1"], "FR": ["p2"], "us": ["p3"]},
    "region_pools": {"WEU": ["p1"], "EEU": ["p2"]},
    "location_strategy": {"mode": "resolver_ip", "prefer_ecs": "always"},
    "rules": [{"name": "r", "condition": 'ip.src.country == "DE"', "overrides": {"default_pools": ["p2"]}}],
    "random_steering": {"pool_weights": {"p1": 0.5}},
}
POOL: dict[str, Any] = {
    "name": "p",
    "origins": [{"name": f"e{number}", "address": f"192.0.2.{number}", "weight": 0.5} for number in range(3)],
    "latitude": 1.5,
    "longitude": 2.5,
    "load_shedding": {"default_percent": 20},
}
MODELS: list[tuple[type[Frozen], dict[str, Any]]] = [
    (LoadBalancer, BALANCER),
    (Pool, POOL),
    (Monitor, {"type": "https", "path": "/x"}),
]


@pytest.mark.parametrize(("model", "data"), MODELS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_compact_model_says_the_same(model: type[Frozen], data: dict[str, Any]) -> None:
    plain = model.model_validate(data)
    made = compact(plain)
    assert made == plain and plain == made
    assert type(made) is model
    assert (repr(made), made.model_fields_set) == (repr(plain), plain.model_fields_set)
    for how in ({}, {"exclude_defaults": True}, {"exclude_unset": True}, {"mode": "json"}):
        assert made.model_dump(**how) == plain.model_dump(**how)
    first = next(iter(data))
    assert getattr(made.model_copy(update={first: "x"}), first) == "x"
    assert made.model_copy() == plain
    with pytest.raises(ValueError, match="frozen"):
        setattr(made, first, "x")


def test_what_is_known_by_identity_stays_what_it_is() -> None:
    plain = LoadBalancer.model_validate(BALANCER)
    made, other = compact(plain), compact(LoadBalancer.model_validate(BALANCER))
    assert made.rules[0] is plain.rules[0] is other.rules[0]
    assert made.location_strategy is plain.location_strategy is other.location_strategy
    assert made.model_fields_set is other.model_fields_set
    assert [*map(id, made.country_pools)] == [*map(id, other.country_pools)]
    assert [*map(id, made.country_pools.values())] == [*map(id, other.country_pools.values())]
    plain = LoadBalancer(name="a.example.com", default_pools=("p",), fallback_pool="p")
    assert made.pop_pools is plain.pop_pools is plain.region_pools is plain.country_pools


@pytest.mark.parametrize(
    ("model", "data", "most"),
    [
        (
            LoadBalancer,
            {key: BALANCER[key] for key in BALANCER if key not in ("rules", "random_steering")},
            (850, 950),
        ),
        (Pool, POOL, (1500, 2300)),
    ],
    ids=["LB", "pool"],
)
def test_a_compact_model_takes_little(model: type[Frozen], data: dict[str, Any], most: tuple[int, int]) -> None:
    """Octets, before Python 3.13 and since: fields in dictionaries took twice as many as before."""
    kept = [compact(model.model_validate(data))]
    gc.collect()
    tracemalloc.start()
    kept += [compact(model.model_validate(data)) for _ in range(COUNT)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / COUNT < most[sys.version_info >= (3, 13)]
