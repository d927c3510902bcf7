"""The targets document: what is written of a configuration is what the monitor worker reads."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lbdns.config.loading import parse
from lbdns.model.subscribing import subscription_of
from lbdns.model.targets_document import (
    BalancerSpec,
    EndpointSpec,
    PoolTarget,
    TargetsDocument,
    TargetsHead,
    Vantage,
    decode_document,
    encode_balancer,
    encode_head,
    encode_pool,
    with_lists,
)
from lbdns.monitor.targets import parse_targets
from lbdns.publish.edited_text import EditedText
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.slots import Slots, SlotsMemo
from tests.whole_targets import encode_targets

ZONE = "@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.1\n"
TREE: dict[str, Any] = {
    "settings": {
        "resolvers": ["192.0.2.53", "[2001:db8::53]:5353"],
        "vantage_points": [{"name": "a", "source": "127.0.0.2"}, {"name": "b", "region": "ENAM"}],
        "notifications": [
            {"name": "mail", "email": ["a@example.com"], "from": "b@example.com"},
            {"name": "hook", "webhook": "https://hooks.example.com/in", "secret": "s", "new_health": "healthy"},
        ],
    },
    "zones": {"example.com": ZONE},
    "monitors": {"web": {"path": "/up", "header": {"X-A": ["1", "2"]}}, "tcp": {"type": "tcp", "port": 25}},
    "monitor_groups": {"both": {"members": [{"monitor": "web", "must_be_healthy": True}, {"monitor": "tcp"}]}},
    "pools": {
        "eu": {
            "monitor_group": "both",
            "check_regions": ["WEU"],
            "notification_filter": {"pool": {"disable": True}, "origin": {"healthy": False}},
            "origins": [
                {"name": 'é "quoted"\\', "address": "2001:db8::1", "port": 8080, "header": {"Host": ["eu.example"]}},
                {"name": "e2", "address": "app.example.net", "enabled": False},
            ],
        },
        "us": {"monitor": "web", "origins": [{"name": "u", "address": "192.0.2.1"}], "enabled": False},
        "none": {"origins": [{"name": "n", "address": "192.0.2.2"}]},
    },
    "load_balancers": [
        {"name": "www.example.com", "default_pools": ["us", "eu"], "fallback_pool": "none"},
        {"name": "off.example.com", "default_pools": ["us"], "fallback_pool": "none", "enabled": False},
    ],
}


def written(tree: dict[str, Any]) -> bytes:
    configuration = parse(tree, Path("/")).configuration
    return encode_targets(configuration, Slots().assign(configuration), 7, Path("/run/t"), TargetsMemo())


def test_what_stays_of_the_document_is_not_put_together_again() -> None:
    """Another TTL is in no part of it; another address is in the pool's alone."""
    kept, slots_memo, slots = TargetsMemo(), SlotsMemo(), Slots()
    configuration = parse(TREE, Path("/")).configuration

    def texts(**changed: Any) -> tuple[EditedText | None, EditedText]:
        nonlocal configuration, slots
        configuration = dataclasses.replace(configuration, **changed)
        slots = slots.assign(configuration, slots_memo)
        text = encode_targets(configuration, slots, 7, Path("/run/t"), kept)
        assert text == encode_targets(configuration, slots, 7, Path("/run/t"), TargetsMemo())
        return kept._pools_text, kept.balancers.text

    first = texts()
    www, off = configuration.load_balancers
    other = texts(load_balancers=(www.model_copy(update={"ttl": 7}), off))
    assert other[0] is first[0] and other[1] is first[1]
    moved = parse(
        {**TREE, "pools": {**TREE["pools"], "none": {"origins": [{"name": "n", "address": "192.0.2.9"}]}}}, Path("/")
    )
    address = texts(pools={**configuration.pools, "none": moved.configuration.pools["none"]})
    assert address[0] is not other[0] and address[1] is other[1]
    less = texts(load_balancers=(www.model_copy(update={"default_pools": ("eu",)}), off))
    assert less[1] is not address[1]


def test_what_is_written_is_what_is_read() -> None:
    found = parse_targets(written(TREE))
    configuration = parse(TREE, Path("/")).configuration
    assert (found.generation, found.table, found.resolvers) == (7, Path("/run/t"), configuration.settings.resolvers)
    assert found.subscriptions == tuple(map(subscription_of, configuration.settings.notifications))
    assert found.balancers == (BalancerSpec("www.example.com", ("eu", "us"), "none"),)
    assert {pool.name for pool in found.pools} == configuration.pools.keys()
    for spec in found.pools:
        pool = configuration.pools[spec.name]
        assert (spec.enabled, spec.minimum_origins, spec.check_regions) == (
            pool.enabled,
            pool.minimum_origins,
            pool.check_regions or (),
        )
        told, said = spec.notification_filter, pool.notification_filter
        assert (told and asdict(told)) == (said and said.model_dump())
        assert [(one.pool, one.name, one.address, one.enabled, one.port) for one in spec.endpoints] == [
            (pool.name, one.name, one.address, one.enabled, one.port) for one in pool.origins
        ]
    eu, us, none = sorted(found.pools, key=lambda pool: ["eu", "us", "none"].index(pool.name))
    assert [one.host for one in eu.endpoints] == ["eu.example", ""]
    assert [one.is_name for one in eu.endpoints] == [False, True]
    web, tcp = (configuration.monitors[name].model_dump() for name in ("web", "tcp"))
    assert [(one.name, asdict(one.monitor), one.must_be_healthy) for one in eu.members] == [
        ("web", web, True),
        ("tcp", tcp, False),
    ]
    assert [asdict(one.monitor) for one in us.members] == [web] and us.monitored
    assert none.members == () and not none.monitored


def test_pools_of_rules_and_pool_sets_are_the_load_balancers_too() -> None:
    """Their states are its state, and who is told of a pool is told whose it is."""
    one = {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
    rules = [
        {"overrides": {"pools": ["us"], "fallback_pool": "none"}},
        {"overrides": {"pools": ["none"]}, "disabled": True},
    ]
    found = parse_targets(written(TREE | {"load_balancers": [one | {"rules": rules}]}))
    assert found.balancers == (BalancerSpec("www.example.com", ("eu", "us"), "eu", rule_fallbacks=("none",)),)
    sets = [{"overrides": {"pools": ["us"]}}]
    found = parse_targets(written(TREE | {"load_balancers": [one | {"pool_sets": sets}]}))
    assert found.balancers == (BalancerSpec("www.example.com", ("eu", "us"), "eu"),)


def test_the_parts_make_the_whole_with_every_field() -> None:
    """A field that the parts' writer or the whole's reader did not know would be lost here."""
    document = decode_document(written(TREE))
    head = TargetsHead(**{field.name: getattr(document, field.name) for field in dataclasses.fields(TargetsHead)})
    pools, balancers = map(encode_pool, document.pools), map(encode_balancer, document.load_balancers)
    again = with_lists(encode_head(head), b",".join(pools), b",".join(balancers))
    assert decode_document(again) == document
    for part, shape in (
        (json.loads(again), TargetsDocument),
        (json.loads(again)["pools"][0], PoolTarget),
        (json.loads(again)["pools"][0]["endpoints"][0], EndpointSpec),
        (json.loads(again)["load_balancers"][0], BalancerSpec),
        (json.loads(again)["vantage_points"][0], Vantage),
    ):
        assert list(part) == [field.name for field in dataclasses.fields(shape)]


def test_keys_of_a_later_release_are_passed_over() -> None:
    later = json.loads(written(TREE))
    for part in (later, later["pools"][0], later["pools"][0]["endpoints"][0], later["load_balancers"][0]):
        part["tomorrow"] = {"a": 1}
    assert decode_document(json.dumps(later).encode()) == decode_document(written(TREE))
