"""`lbdns health set` against a running server: answers follow at once, health shows it, and a restart keeps it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lbdns.base.errors import LbdnsError
from lbdns.cli.commands.health_command import health

pytestmark = pytest.mark.process

TREE: dict[str, Any] = {
    "zones": {"example.com": "@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ IN NS ns\nns IN A 192.0.2.53"},
    "monitors": {"web": {"type": "http", "interval": 5, "timeout": 1}},
    "pools": {
        "a": {"monitor": "web", "origins": [{"name": "a1", "address": "127.0.0.11"}]},
        "b": {"origins": [{"name": "b1", "address": "192.0.2.12"}, {"name": "b2", "address": "192.0.2.13"}]},
    },
    "load_balancers": [{"name": "www.example.com", "default_pools": ["a", "b"], "fallback_pool": "a"}],
}


def set_state(server: Any, *arguments: str) -> Result:
    return CliRunner().invoke(health, ["--control", str(server.control), "set", *arguments])


def answers(server: Any, expected: list[str], within_s: float = 10.0) -> float:
    begun_s = time.monotonic()
    while (found := sorted(server.addresses("www.example.com"))) != expected:
        assert time.monotonic() - begun_s < within_s, (found, server.log)
        time.sleep(0.01)
    return time.monotonic() - begun_s


def test_set_down_up_and_auto(lbdns_server: Callable[..., Any]) -> None:
    server = lbdns_server(TREE)
    answers(server, ["127.0.0.11"])
    done = set_state(server, "a/*", "down", "--why", "drill")
    assert (done.exit_code, done.output) == (0, "a/a1: down\n")
    answers(server, ["192.0.2.12", "192.0.2.13"])
    (endpoint,) = server.health()["pools"][0]["origins"]
    assert (endpoint["state"], endpoint["measured"], endpoint["forced"]) == ("unhealthy", "healthy", True)
    assert (endpoint["order"]["state"], endpoint["order"]["until"], endpoint["order"]["why"]) == ("down", None, "drill")
    assert server.health()["pools"][0]["order"] is None
    assert "pool a endpoint a1 (127.0.0.11) is unhealthy: forced down: drill" in server.log
    # An endpoint whose pool nobody monitors obeys too.
    set_state(server, "b/b2", "down")
    answers(server, ["192.0.2.12"])
    server.stop()
    server.start()
    answers(server, ["192.0.2.12"])
    set_state(server, "b/b2", "auto")
    answers(server, ["192.0.2.12", "192.0.2.13"])
    set_state(server, "a/a1", "up", "--for", "1s")
    answers(server, ["127.0.0.11"])
    set_state(server, "a/a1", "down", "--for", "2h", "--why", "disk swap")
    answers(server, ["192.0.2.12", "192.0.2.13"])
    shown = CliRunner().invoke(health, ["--control", str(server.control)]).output
    assert "unhealthy (forced; measured healthy)" in shown
    assert "a/a1 is forced down for 1 h 59 min more: disk swap\n" in shown
    set_state(server, "a/a1", "auto")
    answers(server, ["127.0.0.11"])
    # What matches nothing, or is no order, is refused and changes nothing.
    refused = set_state(server, "c*", "down")
    assert str(refused.exception) == '"c*" matches no pool and no endpoint'
    assert "more than 0 seconds" in str(set_state(server, "a", "down", "--for", "0s").exception)
    assert set_state(server, "a", "sideways").exit_code == 2
    answers(server, ["127.0.0.11"])


def test_what_explain_supposes_of_an_endpoint_takes_no_order_back(lbdns_server: Callable[..., Any]) -> None:
    last = {"c": {"origins": [{"name": "c1", "address": "192.0.2.14"}]}}
    balancer = {"name": "www.example.com", "default_pools": ["a", "b"], "fallback_pool": "c"}
    server = lbdns_server({**TREE, "pools": TREE["pools"] | last, "load_balancers": [balancer]})
    answers(server, ["127.0.0.11"])

    def explained(**supposed: list[str]) -> tuple[list[str], str]:
        said = server.ask("explain", name="www.example.com", **supposed)
        return sorted(line.split()[-1] for line in said["answer"]), "\n".join(step["text"] for step in said["steps"])

    set_state(server, "a", "down")
    set_state(server, "b", "down", "--why", "drill")
    answers(server, ["192.0.2.14"])
    for supposed in ({"down": ["b/b1"]}, {"up": ["b/b1"]}, {"up": ["a", "b"]}):
        given, steps = explained(**supposed)
        assert given == ["192.0.2.14"], steps
        assert "b: passed over, critical, forced" in steps
    set_state(server, "b", "auto")
    set_state(server, "b/b1", "down")
    answers(server, ["192.0.2.13"])
    assert explained(down=["b/b2"])[0] == ["192.0.2.14"]
    assert explained(up=["b/b2"])[0] == ["192.0.2.13"]
    # What is supposed of an endpoint wins over what is ordered of it.
    assert explained(up=["b/b1"])[0] == ["192.0.2.12", "192.0.2.13"]
    # A pool that was forced up stays up when its last endpoint is supposed down: nothing is left to answer.
    set_state(server, "a", "up")
    answers(server, ["127.0.0.11"])
    given, steps = explained(down=["a/a1"])
    assert given == [] and "a: chosen, the first available (healthy, forced)" in steps
    # Orders that cannot be read stay in force, so nothing can be supposed beside them.
    (server.state_dir / "forced.json").write_text("?")
    assert explained()[0] == ["127.0.0.11"]
    with pytest.raises(LbdnsError, match="not a list of forced states"):
        explained(down=["a/a1"])
