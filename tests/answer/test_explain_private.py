"""`explain` of private load balancers: which one answers for another name, and that a zone was made for it."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from lbdns.answer.explain.explain import Asked, explain
from lbdns.config.loading import parse
from lbdns.places.geodata import Geodata
from tests.answer.test_private_answers import OFFICE, PLANT, TREE, served


@pytest.mark.parametrize(
    ("name", "client", "text"),
    [
        (
            "app.corp",
            OFFICE,
            "load balancer 100.112.0.0 (by the override app.corp) in zone app.corp "
            '(made for it: the view has no zone of this name), policy "off"',
        ),
        (
            "db.internal",
            PLANT,
            "load balancer db.internal in zone db.internal (made for it: the view has no zone of this name), "
            'policy "off"',
        ),
        ("own.example.com", OFFICE, 'load balancer own.example.com in zone example.com, policy "off"'),
        (
            "www.example.com",
            OFFICE,
            'load balancer 100.112.0.0 (by the override www.example.com) in zone example.com, policy "off"',
        ),
        (
            "x.app.corp",
            OFFICE,
            "zone app.corp (made for it: the view has no zone of this name): nothing there; the closest name that "
            "exists is app.corp",
        ),
        ("db.internal", OFFICE, "in none of the zones served here"),
    ],
)
def test_what_answers_and_where_it_stands(tmp_path: Path, name: str, client: str, text: str) -> None:
    with served(TREE, tmp_path) as view:
        asked = Asked(name, resolver=ip_address(client))
        told = explain(view, Geodata.open(), parse(TREE, tmp_path).configuration, asked, 100, 7)
    assert text in [one["text"] for one in told.steps]
