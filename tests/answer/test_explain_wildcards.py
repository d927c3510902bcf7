"""`explain` of names that a wildcard would reach if nothing made them exist: it says what does (RFC 4592)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.model.configuration import Configuration
from lbdns.publish.explaining import explain_configuration

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1
ns1 A 192.0.2.53
_acme-challenge.foo.apps TXT "x"
bar.apps MX 10 ns1
baz.apps A 192.0.2.2
a.b.c.apps A 192.0.2.3
*.static A 192.0.2.4
*.static TXT "x"
h.static MX 10 ns1
*.alias CNAME ns1
n.alias TXT "x"
plain A 192.0.2.5
"""
POOL = {"one": {"origins": [{"name": "a", "address": "192.0.2.1"}]}}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    balancers = [
        {"name": f"{name}.example.com", "default_pools": ["one"], "fallback_pool": "one", "enabled": enabled}
        for name, enabled in (("*.apps", True), ("i.j.apps", True), ("k.apps", False))
    ]
    tree = {"zones": {"example.com": ZONE}, "pools": POOL, "load_balancers": balancers}
    return parse(tree, Path(tmp_path_factory.mktemp("parsed"))).configuration


def step_of(configuration: Configuration, name: str, qtype: str) -> dict[str, Any] | None:
    told = explain_configuration(configuration, {"name": f"{name}.example.com", "type": qtype})
    return next((step for step in told["steps"] if step["stage"] == "wildcard"), None)


@pytest.mark.parametrize(
    ("name", "qtype", "wildcard", "hidden", "by"),
    [
        ("foo.apps", "A", "*.apps", "foo.apps", "_acme-challenge.foo.apps.example.com TXT"),
        ("x.y.foo.apps", "AAAA", "*.apps", "foo.apps", "_acme-challenge.foo.apps.example.com TXT"),
        ("bar.apps", "A", "*.apps", "bar.apps", "bar.apps.example.com MX"),
        ("baz.apps", "AAAA", "*.apps", "baz.apps", "baz.apps.example.com A"),
        ("c.apps", "A", "*.apps", "c.apps", "a.b.c.apps.example.com A"),
        ("b.c.apps", "A", "*.apps", "b.c.apps", "a.b.c.apps.example.com A"),
        ("j.apps", "A", "*.apps", "j.apps", "i.j.apps.example.com load balancer"),
        ("h.static", "A", "*.static", "h.static", "h.static.example.com MX"),
        ("h.static", "TXT", "*.static", "h.static", "h.static.example.com MX"),
        ("n.alias", "A", "*.alias", "n.alias", "n.alias.example.com TXT"),
    ],
)
def test_what_hides_a_wildcard(
    configuration: Configuration, name: str, qtype: str, wildcard: str, hidden: str, by: str
) -> None:
    step = step_of(configuration, name, qtype)
    assert step is not None
    assert (step["wildcard"], step["hidden"], step["by"]) == (f"{wildcard}.example.com", f"{hidden}.example.com", by)
    assert f'"{hidden}.example.com" exists by {by}, so the ' in step["text"]


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("k.apps", "A"),  # the wildcard answers: what stands at the name is disabled
        ("foo.apps", "TXT"),  # the wildcard has none either
        ("zz.apps", "TXT"),
        ("bar.apps", "MX"),
        ("x.plain", "A"),  # no wildcard
        ("plain", "AAAA"),
        ("apps", "A"),
        ("h.static", "AAAA"),
    ],
)
def test_where_nothing_is_hidden_nothing_is_said(configuration: Configuration, name: str, qtype: str) -> None:
    assert step_of(configuration, name, qtype) is None
