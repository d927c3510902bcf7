"""Bodies that a store has taken over are let go before all is checked and compiled; problems keep their places."""

from __future__ import annotations

import json
from typing import Any

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.manage.reading.configuration_reading import ConfigurationReading, ReadConfiguration
from lbdns.manage.reading.readings import read_here

ZONE = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
NAMES = ("a.example.com", "b.example.com", "a.example.com")


def read() -> ReadConfiguration:
    listed = [
        {"name": name, "default_pools": ["p"], "fallback_pool": "p", "type": kind}
        for name, kind in zip(NAMES, ("A", "A", "MX"), strict=True)
    ]
    pools = {name: {"origins": [{"name": "e", "address": "192.0.2.1"}]} for name in ("p", "q")}
    pools["m"] = {"origins": [{"name": "e", "address": "mail.example.com"}]}
    listed[2] |= {"default_pools": ["m"], "fallback_pool": "m"}
    tree: dict[str, Any] = {"zones": {"example.com": ZONE}, "pools": pools, "load_balancers": listed}
    return read_here(ConfigurationReading(), json.dumps({"configuration": tree}).encode())


def places(found: ReadConfiguration) -> list[object]:
    at = [
        ("load_balancers", "b.example.com", "ttl"),
        ("load_balancers", "a.example.com"),
        ("load_balancers", "c.example.com"),
        ("pools", "q", "origins", 0),
        ("zones", "example.com", "x"),
        ("zones", "example.net"),
        ("monitors", "m"),
        (),
    ]
    return [found.place(Problem("f", 0, "", "m", at=one)) for one in at]


def test_problems_have_their_places_once_the_bodies_are_let_go() -> None:
    found, other = read(), read()
    assert not found.is_let_go
    found.let_go()
    assert found.is_let_go
    assert (found.wanted.named, found.wanted.balancers, found.wanted.zones) == ([], [], [])
    assert [kind for kind, _, _ in other.wanted.named] == [Kind.POOL] * 3
    assert (
        places(found)
        == places(other)
        == [
            ("configuration", "load_balancers", 1, "ttl"),
            ("configuration", "load_balancers", 0),
            None,
            ("configuration", "pools", "q", "origins", 0),
            ("configuration", "zones", "example.com"),
            None,
            None,
            None,
        ]
    )
