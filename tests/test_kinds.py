"""The table of kinds: what follows from its rows, and the paths along which objects name others."""

from __future__ import annotations

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

import lbdns
from lbdns.base.kinds import (
    BALANCING,
    FILES,
    IN_SETTINGS,
    KEYED,
    LISTED,
    NETWORKING,
    REACHING,
    REFERRED,
    SECONDARY_DNS,
    SECTIONS,
    SHOWN,
    Kind,
)
from lbdns.base.reference_paths import ITEMS, KEYS, VALUES, collector, located, replacer
from lbdns.manage.api.frame.object_shapes import filler
from lbdns.manage.store.item import Item
from lbdns.manage.store.references_by_name import as_api_says, to_ids, to_names
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.fields import Frozen
from lbdns.model.kind_models import MODELS, NAMED_BESIDE
from lbdns.model.monitors import MonitorGroup
from lbdns.model.plain_fields import Reference

PACKAGE = Path(lbdns.__file__).parent


def test_rows() -> None:
    networks, balancing = ["virtual_network", "route"], ["monitor", "monitor_group", "pool"]
    alerting = ["webhook", "pagerduty_service", "notification_policy", "silence"]
    balancers = ["load_balancer", "override"]
    transfers = ["tsig_key", "peer", "acl", "incoming_transfer", "outgoing_transfer"]
    assert [kind.value for kind in Kind] == [*networks, *balancing, "zone", "record", *balancers, *alerting, *transfers]
    sections = ("virtual_networks", "routes", "monitors", "monitor_groups", "pools", "load_balancers", "overrides")
    exchanged = ("tsigs", "peers", "acls", "incoming", "outgoing")
    assert (*sections, "webhooks", "pagerduty", "policies", "silences", *exchanged) == SECTIONS
    keyed = (Kind.VIRTUAL_NETWORK, Kind.MONITOR, Kind.MONITOR_GROUP, Kind.POOL)
    told = (Kind.WEBHOOK, Kind.PAGERDUTY, Kind.POLICY)
    with_others = tuple(kind for kind in Kind if kind.area == SECONDARY_DNS)
    assert (*keyed, Kind.LOAD_BALANCER, *told, Kind.TSIG, Kind.PEER) == REFERRED
    assert (*keyed, Kind.OVERRIDE, *told, Kind.SILENCE, *with_others) == KEYED
    assert [kind for kind in Kind if kind.is_of_zone] == [Kind.INCOMING, Kind.OUTGOING]
    assert (*keyed, Kind.WEBHOOK, Kind.PAGERDUTY) == tuple(sorted(REACHING, key=[*Kind].index))
    assert LISTED == (Kind.ROUTE, Kind.LOAD_BALANCER)
    assert [kind for kind in BALANCING if kind.area == NETWORKING] == list(IN_SETTINGS) == networks
    assert (*BALANCING, Kind.ZONE, Kind.RECORD) == SHOWN
    assert (Kind.MONITOR.users, Kind.LOAD_BALANCER.users) == ((Kind.MONITOR_GROUP, Kind.POOL), (Kind.OVERRIDE,))
    assert NAMED_BESIDE == (Kind.MONITOR, Kind.MONITOR_GROUP, Kind.SILENCE)
    assert sorted(kind for kinds in FILES.values() for kind in kinds) == sorted(BALANCING)
    assert (Kind("load_balancer").words, Kind.LOAD_BALANCER.plural) == ("load balancer", "load balancers")


def test_rows_fit_the_models() -> None:
    """References lead to fields that there are and to kinds before, and what is served has each section."""
    assert {*SECTIONS} <= {field.name for field in fields(Configuration)}
    order = list(Kind)
    for kind in BALANCING:
        for field in kind.references:
            assert field.path[0] in MODELS[kind].model_fields
            assert order.index(Kind(field.kind)) < order.index(kind)


def test_kinds_are_not_listed_elsewhere() -> None:
    """A list of several kinds, written out beside the table, would miss the kind that is added next."""
    found = []
    for path in sorted({*PACKAGE.rglob("*.py")} - {PACKAGE / "base" / "kinds.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Tuple, ast.List, ast.Set)) and len(node.elts) > 2 and all(map(is_kind, node.elts)):
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []


def is_kind(node: ast.expr) -> bool:
    """Tell whether an expression is `Kind.POOL`, "pool" or "pools"."""
    if isinstance(node, ast.Attribute):
        return node.attr in Kind.__members__
    return isinstance(node, ast.Constant) and node.value in {*Kind, *(kind.section for kind in Kind)}


@pytest.mark.parametrize(
    ("path", "value", "names", "copy"),
    [
        (("a",), {"a": "x", "b": "y"}, {"x"}, {"a": "X", "b": "y"}),
        (("a", ITEMS), {"a": ["x", "y"]}, {"x", "y"}, {"a": ["X", "Y"]}),
        (("a", VALUES, ITEMS), {"a": {"k": ["x"], "l": ["y", "x"]}}, {"x", "y"}, {"a": {"k": ["X"], "l": ["Y", "X"]}}),
        (("a", "b", KEYS), {"a": {"b": {"x": 1, "y": 2}, "c": 3}}, {"x", "y"}, {"a": {"b": {"X": 1, "Y": 2}, "c": 3}}),
        (
            ("a", ITEMS, "b"),
            {"a": [{"b": "x", "c": 1}, {"b": "y"}]},
            {"x", "y"},
            {"a": [{"b": "X", "c": 1}, {"b": "Y"}]},
        ),
        (("a", ITEMS), {"b": 1}, set(), {"b": 1}),
    ],
)
def test_paths(path: tuple[str, ...], value: Any, names: set[str], copy: Any) -> None:
    found: set[str] = set()
    collector(path)(value, found)
    assert found == names
    before = repr(value)
    made = dict(value)
    replacer("pool", path, path[-1])(made, lambda kind, name: name.upper())
    assert made == copy
    assert repr(value) == before, "what is stored is not changed in place"


@pytest.mark.parametrize("value", [None, 1, "x", [], [1, "x"], {}, {"k": 1}, [{"b": {}}, 1], {"b": [1]}])
@pytest.mark.parametrize("path", [("a",), ("a", ITEMS), ("a", VALUES, ITEMS), ("a", "b", KEYS), ("a", ITEMS, "b")])
def test_what_is_not_of_the_shape_stays(path: tuple[str, ...], value: Any) -> None:
    """A request's body may hold anything: the model says what is wrong with it, from what was sent."""
    made = {"a": value}
    replacer("pool", path, path[-1])(made, lambda _, reference: reference)
    assert made == {"a": value}


def test_names_and_ids() -> None:
    """A field that the API calls otherwise is renamed both ways; so is a key that is a reference."""
    state = State.of([Item(Kind.MONITOR, "1" * 32, {"name": "web"}), Item(Kind.POOL, "2" * 32, {"name": "eu"})], 1)
    group = {"name": "all", "members": [{"enabled": False, "monitor": "web"}]}
    stored = to_ids(Kind.MONITOR_GROUP, group, state)
    assert stored == {"name": "all", "members": [{"enabled": False, "monitor_id": "1" * 32}]}
    assert list(stored["members"][0]) == ["enabled", "monitor_id"]
    assert to_names(Kind.MONITOR_GROUP, stored, state) == group
    assert Item(Kind.MONITOR_GROUP, "3" * 32, stored).references() == {"1" * 32}
    balancer = {"default_pools": ["eu"], "pop_pools": {"AMS": ["eu"]}, "random_steering": {"pool_weights": {"eu": 1.0}}}
    stored = to_ids(Kind.LOAD_BALANCER, balancer, state)
    assert Item(Kind.LOAD_BALANCER, "4" * 32, stored).references() == {"2" * 32}
    assert to_names(Kind.LOAD_BALANCER, stored, state) == balancer


def test_ways_as_the_api_says_them() -> None:
    assert as_api_says(Kind.MONITOR_GROUP, ("members", 1, "monitor")) == ("members", 1, "monitor_id")
    assert as_api_says(Kind.MONITOR_GROUP, ("members", 1, "enabled")) == ("members", 1, "enabled")
    assert as_api_says(Kind.POOL, ("monitor",)) == ("monitor",)
    weight = ("random_steering", "pool_weights", "eu")
    assert as_api_says(Kind.LOAD_BALANCER, weight) == weight
    assert as_api_says(Kind.LOAD_BALANCER, weight, lambda kind, name: f"{kind}-{name}")[-1] == "pool-eu"


def test_references_of_a_model_have_their_locations() -> None:
    group = MonitorGroup.model_validate({"members": [{"monitor": "a"}, {"monitor": "b"}]})
    found = list(located(group, Kind.MONITOR_GROUP.references[0].path))
    assert found == [(("members", 0, "monitor"), "a"), (("members", 1, "monitor"), "b")]


class Override(Frozen):
    """What the field of a kind to come may hold."""

    pool: Reference
    enabled: bool = True


class Overrides(Frozen):
    """A model of a kind to come: models in a mapping, in a list, and by themselves."""

    by_place: dict[str, Override] = Field(default_factory=dict)
    in_order: tuple[Override, ...] = ()
    last: Override | None = None


def test_what_is_shown_is_whole_at_every_depth() -> None:
    """Defaults that a stored body leaves out are filled in, and references called as the API calls them."""
    api_fields: dict[tuple[str, ...], str] = {(name, "pool"): "pool_id" for name in Overrides.model_fields}
    one = {"pool_id": "1"}
    shown = filler(Overrides, (), api_fields)({"by_place": {"WEU": one}, "in_order": [one], "last": one})
    whole = {"pool_id": "1", "enabled": True}
    assert shown == {"by_place": {"WEU": whole}, "in_order": [whole], "last": whole}
    assert filler(Overrides, (), api_fields)({}) == {"by_place": {}, "in_order": [], "last": None}
