"""Forms are made of the API's schemas: no field is missing, and what is read comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lbdns.base.kinds import BALANCING, Kind
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.openapi import followed
from lbdns.manage.dashboard.object_forms.form_field import FieldControl, FormField, kind_form
from lbdns.manage.dashboard.object_forms.form_nodes import FieldNode, NodeMaker, located
from lbdns.manage.dashboard.object_forms.object_names import ObjectNames
from lbdns.manage.dashboard.object_forms.sent_body import body_of, changed
from lbdns.manage.dashboard.object_forms.typed_values import Posted, is_choice, typed_in, typed_of, with_step

EU, US, WEB = "e" * 32, "a" * 32, "b" * 32
NAMES = ObjectNames({"pool": {"eu": EU, "us": US}, "monitor": {"web": WEB}})
FORMS = {kind: kind_form(kind, SHAPES[kind].written) for kind in BALANCING}

BALANCER: dict[str, Any] = {
    "name": "www.example.com",
    "default_pools": [EU, US],
    "fallback_pool": US,
    "ttl": 60,
    "steering_policy": "geo",
    "country_pools": {"DE": [EU], "US": [US, EU]},
    "random_steering": {"default_weight": 0.5, "pool_weights": {EU: 0.25}},
    "location_strategy": {"mode": "resolver_ip"},
    "rules": [
        {
            "name": "Germans",
            "condition": 'ip.src.country == "DE"\nor true',
            "overrides": {"pools": [US], "steering_policy": "", "country_pools": {}, "location_strategy": {}},
            "terminates": True,
        },
        {"condition": "false", "priority": -3, "fixed_response": {}},
    ],
    "pool_sets": [{"match": {"topology": {"countries": ["FR", "CH"]}}, "overrides": {"pool_weights": {US: 1}}}],
    "session_affinity_ttl": 1800,
    "on_ramps": [],
}
POOL: dict[str, Any] = {
    "name": "eu",
    "origins": [
        {"name": "eu-1", "address": "192.0.2.1", "weight": 0.07, "header": {"Host": ["a.example.com"]}},
        {"name": "eu-2", "address": "192.0.2.2", "enabled": False},
    ],
    "monitor": WEB,
    "check_regions": ["WEU", "ENAM"],
    "latitude": -0.5,
    "longitude": 12,
    "notification_filter": {"pool": {"healthy": False}, "origin": {"disable": True}},
}
MONITOR: dict[str, Any] = {
    "type": "https",
    "header": {"X-A": ["1, 2", "3"]},
    "path": "/health?a=b",
    "expected_codes": "2xx,301",
    "expected_body": "two\nlines",
}
BODIES = [(Kind.LOAD_BALANCER, BALANCER), (Kind.POOL, POOL), (Kind.MONITOR, MONITOR)]


def posted(node: FieldNode) -> Iterator[tuple[str, str]]:
    """Yield what a browser posts of a form."""
    field = node.form
    if field.is_optional:
        if not node.is_there:
            return
        yield node.there, "1"
    for group in node.groups:
        for one in (*group.nodes, *group.absent):
            yield from posted(one)
    for row in node.rows:
        yield f"{row.name}?", "1"
        if row.key_name:
            yield row.key_name, row.key
        yield from posted(row.node)
    if field.control in (FieldControl.FIELDS, FieldControl.ROWS, FieldControl.ENTRIES):
        return
    if field.control is FieldControl.FLAG and not is_choice(field):
        if node.value:
            yield node.name, "1"
        return
    yield node.name, str(node.value).replace("\n", "\r\n")


def properties(schema: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the way to every property that a schema takes and that can say something."""
    schema = followed(schema)
    for one in schema.get("anyOf", ()):
        yield from properties(one, path)
    for key, inner in schema.get("properties", {}).items():
        told = [inner, *inner.get("anyOf", ())]
        if inner.get("readOnly") or any("const" in one or one.get("enum") == [None, "", []] for one in told):
            continue
        yield f"{path}/{key}"
        yield from properties(inner, f"{path}/{key}")
    for held in ("items", "additionalProperties"):
        if isinstance(schema.get(held), Mapping):
            yield from properties(schema[held], f"{path}/*")


def fields(field: FormField, path: str = "") -> Iterator[str]:
    """Yield the way to every field of a form."""
    for one in field.inner:
        at = f"{path}/{one.key}" if field.control is FieldControl.FIELDS else f"{path}/*"
        if field.control is FieldControl.FIELDS:
            yield at
        yield from fields(one, at)


@pytest.mark.parametrize("kind", BALANCING, ids=str)
def test_no_field_of_the_api_is_missing(kind: Kind) -> None:
    assert set(fields(FORMS[kind])) == set(properties(SHAPES[kind].written))


@pytest.mark.parametrize("kind", BALANCING, ids=str)
def test_every_field_is_in_one_group(kind: Kind) -> None:
    def check(field: FormField) -> None:
        if field.control is FieldControl.FIELDS:
            assert sorted(key for group in field.groups for key in group.keys) == sorted(one.key for one in field.inner)
        for one in field.inner:
            check(one)

    check(FORMS[kind])


@pytest.mark.parametrize("kind", BALANCING, ids=str)
def test_every_field_says_what_it_means(kind: Kind) -> None:
    def silent(field: FormField) -> Iterator[str]:
        for one in field.inner:
            if field.control is FieldControl.FIELDS and not one.meaning:
                yield one.key
            yield from silent(one)

    # The name that an object is kept by is no field of its model.
    assert set(silent(FORMS[kind])) <= {"name", "is_default"}


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_a_body_comes_back_as_it_was(kind: Kind, body: dict[str, Any]) -> None:
    form = FORMS[kind]
    typed = typed_of(form, body, NAMES)
    assert body_of(form, typed, NAMES) == body
    node = NodeMaker(NAMES, {}).make(form, typed)
    assert typed_in(form, Posted(posted(node))) == typed


def test_what_a_body_does_not_name_is_not_sent() -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    body = {"name": "www.example.com", "default_pools": [EU], "fallback_pool": US}
    typed = typed_of(form, body, NAMES)
    assert typed["on_ramps"] is None  # private where it is there, empty or not
    assert body_of(form, typed, NAMES) == body


def test_names_are_shown_and_ids_are_sent() -> None:
    typed = typed_of(FORMS[Kind.LOAD_BALANCER], BALANCER, NAMES)
    assert typed["default_pools"] == ["eu", "us"]
    assert typed["random_steering"]["pool_weights"] == [["eu", "0.25"]]
    assert typed["rules"][0]["overrides"]["pools"] == ["us"]


def test_what_is_no_number_is_sent_as_it_was_typed() -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    typed = typed_of(form, BALANCER, NAMES) | {"ttl": "a minute", "fallback_pool": "nowhere"}
    sent = body_of(form, typed, NAMES)
    assert sent["ttl"] == "a minute"
    assert sent["fallback_pool"] == "nowhere"


def test_a_change_says_what_is_otherwise() -> None:
    form = FORMS[Kind.POOL]
    before = typed_of(form, POOL, NAMES)
    after = before | {"monitor": "", "longitude": "13", "enabled": False}
    assert changed(body_of(form, before, NAMES), body_of(form, after, NAMES)) == {
        "monitor": None,
        "longitude": 13,
        "enabled": False,
    }


def test_rows_are_added_moved_and_taken_away() -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    typed = typed_of(form, BALANCER, NAMES)
    made, focus = with_step(form, typed, "add /default_pools", NAMES)
    assert (made["default_pools"], focus) == (["eu", "us", ""], "/default_pools/2")
    assert body_of(form, made, NAMES) == BALANCER  # nothing was typed into it
    made, focus = with_step(form, typed, "down /default_pools/0", NAMES)
    assert made["default_pools"] == ["us", "eu"]
    made, focus = with_step(form, typed, "remove /rules/0", NAMES)
    assert [one["condition"] for one in made["rules"]] == ["false"]
    made, focus = with_step(form, typed, "add /rules/1/overrides", NAMES)
    made, focus = with_step(form, made, "add /rules/1/overrides/pool_weights", NAMES)
    assert body_of(form, made, NAMES)["rules"][1]["overrides"] == {"pool_weights": {}}
    made, focus = with_step(form, typed, "remove /rules/0/overrides/country_pools", NAMES)
    assert "country_pools" not in body_of(form, made, NAMES)["rules"][0]["overrides"]
    assert typed == typed_of(form, BALANCER, NAMES)


@pytest.mark.parametrize(
    "step",
    ["", "add", "add /", "add /nothing", "remove /rules/9", "up /rules/x", "burn /rules/0", f"up /rules/{'9' * 5000}"],
)
def test_what_is_no_step_changes_nothing(step: str) -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    typed = typed_of(form, BALANCER, NAMES)
    assert with_step(form, typed, step, NAMES) == (typed, "")


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("/ttl", "/ttl"),
        ("/default_pools/1", "/default_pools/1"),
        ("/country_pools/US/1", "/country_pools/1/1"),
        ("/country_pools/us", "/country_pools/1~key"),
        (f"/random_steering/pool_weights/{EU}", "/random_steering/pool_weights/0"),
        ("/rules/0/condition", "/rules/0/condition"),
        ("/rules/0/overrides/pools/0", "/rules/0/overrides/pools/0"),
        ("/pool_sets/0/match/topology/countries/1", "/pool_sets/0/match/topology/countries"),
        ("/rules/1/overrides/ttl", "/rules/1/overrides"),
        ("/unheard_of", ""),
        ("", ""),
    ],
)
def test_an_error_stands_beside_the_input_that_it_is_about(pointer: str, name: str) -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    error = {"code": 1002, "message": "it is wrong: validation failed", "source": {"pointer": pointer}}
    assert located(form, typed_of(form, BALANCER, NAMES), [error], NAMES) == {name: ["it is wrong"]}


def test_the_column_of_an_error_is_shown_in_the_text() -> None:
    form = FORMS[Kind.LOAD_BALANCER]
    typed = typed_of(form, BALANCER, NAMES)
    maker = NodeMaker(NAMES, {"/rules/0/condition": ["column 8: no such field"]})
    (rules,) = (one for group in maker.make(form, typed).groups for one in group.nodes if one.name == "/rules")
    (condition,) = (
        one for group in rules.rows[0].node.groups for one in group.nodes if one.name == "/rules/0/condition"
    )
    assert condition.caret == ("ip.src.", "c", 'ountry == "DE"\nor true')
    assert rules.has_errors
