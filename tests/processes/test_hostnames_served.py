"""Endpoints that are hostnames, end to end: the server's own zones, the next pool where names lead nowhere, what is
told of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import dns.rdatatype
import pytest

from lbdns.testing import LbdnsServer

pytestmark = [pytest.mark.process, pytest.mark.slow]

ZONE = """$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A 192.0.2.53
app A 192.0.2.7
"""
NOWHERE = {"resolvers": ["127.0.0.1:9"], "workers": 1}


def pool(*addresses: str, **more: Any) -> dict[str, Any]:
    return {"origins": [{"name": f"e{index}", "address": one} for index, one in enumerate(addresses)], **more}


def balancer(name: str, *pools: str, **more: Any) -> dict[str, Any]:
    return {"name": f"{name}.example.com", "default_pools": list(pools), "fallback_pool": pools[-1], "ttl": 5, **more}


def tree(pools: dict[str, Any], *balancers: dict[str, Any], zone: str = ZONE, **more: Any) -> dict[str, Any]:
    zones = {"example.com": zone}
    return {"settings": NOWHERE, "zones": zones, "pools": pools, "load_balancers": list(balancers), **more}


def until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to hold"
        time.sleep(0.05)


def health(server: LbdnsServer) -> dict[str, Any]:
    report: dict[str, Any] = server.ask("health")
    return report


def states(server: LbdnsServer) -> dict[str, str]:
    return {one["name"]: one["state"] for one in health(server)["pools"]}


def test_names_that_lead_nowhere_give_way_to_the_next_pool_and_are_told(lbdns_server: Any) -> None:
    pools = {"lost": pool("a.invalid.example.com", "b.invalid.example.com"), "good": pool("192.0.2.9")}
    server = lbdns_server(tree(pools, balancer("www", "lost", "good"), balancer("only", "lost")))
    assert server.addresses("www.example.com") == ["192.0.2.9"]
    until(lambda: states(server) == {"lost": "unresolved", "good": "no monitor"})
    report = health(server)
    assert [(one["state"], one["reason"]) for one in report["pools"][0]["origins"]] == [
        ("unresolved", "DNS unknown host"),
        ("unresolved", "DNS unknown host"),
    ]
    assert {one["name"]: one["state"] for one in report["load_balancers"]} == {
        "www.example.com": "degraded",
        "only.example.com": "critical",
    }
    explained = server.ask("explain", name="www.example.com", type="A")
    assert "lost: passed over, unresolved: none of its hostnames has an address now" in [
        step["text"] for step in explained["steps"]
    ]
    assert server.addresses("only.example.com") == []
    standing = server.status()["standing"]
    assert standing["state"] == "degraded"
    assert ["pool lost is unresolved"] in [row["problems"] for row in standing["rows"]]
    events = [json.loads(line) for line in (server.state_dir / "events.jsonl").read_text().splitlines()]
    seen = {(one["kind"], one["name"], one["after"]): one for one in events}
    assert seen["pool", "lost", "unresolved"]["detail"] == "none of its hostnames has an address"
    endpoint = seen["endpoint", "lost/e0", "unresolved"]
    assert (endpoint["before"], endpoint["reason"]) == ("unknown", "DNS unknown host")
    assert endpoint["detail"] == "the zones served here have no name a.invalid.example.com"


def test_names_of_zones_here_follow_their_records_and_load_balancers(lbdns_server: Any) -> None:
    pools = {"app": pool("app.example.com"), "inner": pool("192.0.2.31"), "outer": pool("inner.example.com")}
    wanted = tree(pools, balancer("www", "app", "inner"), balancer("inner", "inner"), balancer("outer", "outer"))
    server = lbdns_server(wanted)
    assert server.addresses("www.example.com") == ["192.0.2.7"]
    assert server.addresses("outer.example.com") == ["192.0.2.31"]
    zone = server.directory / "example.com.zone"
    zone.write_text(ZONE.replace("192.0.2.7", "192.0.2.8"))
    until(lambda: server.addresses("www.example.com") == ["192.0.2.8"])
    zone.write_text(ZONE.replace("app A 192.0.2.7\n", ""))
    # The records are gone: no hour of what they were.
    until(lambda: server.addresses("www.example.com") == ["192.0.2.31"])
    assert states(server)["app"] == "unresolved"
    zone.write_text(ZONE)
    until(lambda: server.addresses("www.example.com") == ["192.0.2.7"])
    until(lambda: states(server)["app"] == "no monitor")


def test_a_load_balancer_behind_a_hostname_is_followed_as_its_health_changes(lbdns_server: Any) -> None:
    pools = {"a": pool("192.0.2.31"), "b": pool("192.0.2.32"), "outer": pool("inner.example.com")}
    server = lbdns_server(tree(pools, balancer("inner", "a", "b"), balancer("outer", "outer")))
    assert server.addresses("outer.example.com") == ["192.0.2.31"]
    server.ask("force", pattern="a", state="down")
    until(lambda: server.addresses("outer.example.com") == ["192.0.2.32"], 5.0)
    server.ask("force", pattern="a", state="auto")
    until(lambda: server.addresses("outer.example.com") == ["192.0.2.31"], 5.0)


def test_a_loop_of_hostnames_is_told_and_the_next_pool_answers(lbdns_server: Any) -> None:
    pools = {"a": pool("two.example.com"), "b": pool("one.example.com"), "good": pool("192.0.2.9")}
    server = lbdns_server(tree(pools, balancer("one", "a", "good"), balancer("two", "b", "good")))
    assert server.addresses("one.example.com") == server.addresses("two.example.com") == ["192.0.2.9"]
    way = "one.example.com -> two.example.com -> one.example.com"
    until(lambda: "endpoint name one.example.com does not resolve (it leads back to itself by" in server.log)
    assert way in server.log


def test_localhost_is_what_the_hosts_file_says(lbdns_server: Any) -> None:
    server = lbdns_server(tree({"home": pool("localhost")}, balancer("www", "home")))
    assert server.addresses("www.example.com") == ["127.0.0.1"]


def test_nodata_by_steering_and_cname_on_the_wire(lbdns_server: Any) -> None:
    alias = {"origins": [{"name": "cdn", "address": "cdn.example.net", "flatten_cname": False}]}
    pools = {"four": pool("192.0.2.9"), "alias": alias}
    server = lbdns_server(tree(pools, balancer("www", "four"), balancer("cdn", "alias")))
    for tcp in (False, True):
        denied = server.query("www.example.com", "AAAA", tcp=tcp)
        assert (denied.answer, denied.authority[0].ttl) == ([], 5)
        (given,) = server.query("cdn.example.com", "CNAME", tcp=tcp).answer
        assert (given.rdtype, given.ttl, given[0].to_text()) == (dns.rdatatype.CNAME, 5, "cdn.example.net.")
    assert server.query("www.example.com", "CNAME").authority[0].ttl == 300
