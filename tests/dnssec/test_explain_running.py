"""`explain` of a running server that signs: what is published, and what is steered, there once somebody asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lbdns.testing import LbdnsServer
from tests.dnssec.signed_server import SIGNED, signed_server, tree

pytestmark = pytest.mark.process


def signatures(server: LbdnsServer, name: str, qtype: str) -> list[tuple[Any, ...]]:
    """Return type and source of each signature that is told of."""
    told = server.ask("explain", name=f"{name}.{SIGNED}", type=qtype)
    return [(step["type"], step["source"]) for step in told["steps"] if step["stage"] == "signature"]


def test_a_running_server_says_which_signature_answers(lbdns_server: Callable[..., LbdnsServer]) -> None:
    """A static record's is published; below a wildcard, nobody's is made before somebody asks."""
    with signed_server(lbdns_server, tree()) as signed:
        assert signatures(signed.server, "mail", "A") == [("A", "published")]
        assert signatures(signed.server, "one.apps", "A") == [("A", "lacking")]
        signed.proved(f"one.apps.{SIGNED}", "A")
        assert signatures(signed.server, "one.apps", "A") == [("A", "table")]
