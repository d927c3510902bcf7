"""Which checks are one: two monitors share their probes only where nothing tells them apart but what no probe knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from lbdns.model.monitor_terms import NOT_PROBED, MonitorTerms
from lbdns.model.monitors import Monitor
from lbdns.model.plain_fields import plain_term
from lbdns.model.probed import IN_TARGET
from lbdns.model.targets_document import NOT_ON_WIRE, EndpointSpec, Vantage
from lbdns.monitor.probe_check import CheckKey, check_key
from lbdns.monitor.probe_plan import on_wire

ENDPOINT = EndpointSpec("p", "e", 0, "192.0.2.1", False, True, 0, "", 1)
BASE: dict[str, Any] = {"type": "http", "interval": 60, "timeout": 5, "retries": 2, "client_certificate": "/pair.pem"}
OTHER: dict[str, Any] = {
    "type": "https",
    "description": "another",
    "interval": 30,
    "timeout": 4,
    "retries": 1,
    "consecutive_up": 2,
    "consecutive_down": 2,
    "port": 8080,
    "method": "OPTIONS",
    "path": "/health",
    "header": {"X-Probe": ["a", "b"]},
    "expected_codes": "2xx",
    "expected_body": "alive",
    "follow_redirects": True,
    "allow_insecure": True,
    "client_certificate": "/other.pem",
    "client_key": "/key.pem",
    "probe_zone": "example.com",
}


def key(settings: dict[str, Any], kind: type[MonitorTerms] = Monitor, endpoint: EndpointSpec = ENDPOINT) -> CheckKey:
    return check_key(kind(**settings), endpoint, "192.0.2.1", Vantage())


@pytest.mark.parametrize("field", Monitor.model_fields)
def test_every_setting_tells_checks_apart_unless_declared_otherwise(field: str) -> None:
    assert (key(BASE) == key({**BASE, field: OTHER[field]})) == (field in NOT_PROBED)
    assert hash(key(BASE)) == hash(key(dict(BASE)))


def test_what_is_declared_is_a_setting() -> None:
    assert Monitor.model_fields.keys() > NOT_PROBED | IN_TARGET


@pytest.mark.parametrize(
    ("kind", "monitors", "endpoints", "probed"),
    [
        ("http", 0, 0, 80),
        ("http", 0, 8080, 8080),
        ("http", 9000, 0, 9000),
        ("http", 9000, 8080, 9000),
        ("https", 0, 0, 443),
        ("tcp", 22, 8080, 22),
        ("udp_icmp", 53, 8080, 53),
        ("smtp", 25, 587, 25),
        ("ldap", 389, 636, 389),
        ("icmp_ping", 0, 8080, 8080),  # which no ping knows
    ],
)
def test_the_monitors_port_is_probed_and_the_endpoints_where_it_has_none(
    kind: str, monitors: int, endpoints: int, probed: int
) -> None:
    endpoint = dataclasses.replace(ENDPOINT, port=endpoints)
    assert key({"type": kind, "port": monitors}, endpoint=endpoint).target.port == probed


@plain_term
class Chain:
    names: dict[str, list[str]]


@plain_term
class Tomorrow(MonitorTerms):
    """A monitor with a setting that nobody has thought of, and with two in an unhashable shape."""

    label: str = ""
    chain: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    part: Chain | None = None


@pytest.mark.parametrize("kind", ["http", "tcp"])
@pytest.mark.parametrize(
    "settings", [{"label": "a.example"}, {"chain": {"ca": ["x"]}}, {"part": Chain(names={"ca": ["x"]})}]
)
def test_a_new_setting_tells_checks_apart(kind: str, settings: dict[str, Any]) -> None:
    base = {**BASE, "type": kind, "port": 25}
    assert key(base, Tomorrow) != key({**base, **settings}, Tomorrow)
    assert len({key({**base, **settings}, Tomorrow), key({**base, **settings}, Tomorrow)}) == 1


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EndpointSpec)])
def test_every_setting_of_an_endpoint_begins_its_probes_anew_unless_declared_otherwise(field: str) -> None:
    another: dict[str, Any] = {field: "another"}
    changed = dataclasses.replace(ENDPOINT, **another)
    assert (on_wire(changed) == on_wire(ENDPOINT)) == (field in NOT_ON_WIRE)
