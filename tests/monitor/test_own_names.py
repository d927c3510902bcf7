"""Hostnames in zones served here: answered from them, by their aliases and load balancers, and never by a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.mapped.resolved import write_addresses
from lbdns.model.configuration import Configuration
from lbdns.model.targets_document import decode_document
from lbdns.monitor.hosts_file import SystemNames
from lbdns.monitor.own_names import OwnNames
from lbdns.monitor.resolving import NameSources, Outcome
from lbdns.monitor.targets import parse_targets
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.snapshot.slots import Slots
from tests.answer.lanes import compiled_view
from tests.monitor.test_monitor_names import NameServer
from tests.whole_targets import encode_targets

ZONE = """$TTL 60
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
app A 192.0.2.7
app 40 AAAA 2001:db8::7
four A 192.0.2.4
text TXT "no address"
alias 20 CNAME app
far CNAME four.example.org.
out 30 CNAME app.example.net.
round1 CNAME round2.example.org.
sub NS ns.example.net.
"""
OTHER = """$TTL 60
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
four 15 A 192.0.2.44
round2 CNAME round1.example.com.
"""


def made(tmp_path: Path, pools: dict[str, Any], balancers: list[dict[str, Any]]) -> tuple[Configuration, ServingView]:
    """Return a configuration with these pools (lists of addresses) and load balancers, and a view of it."""
    tree = {
        "settings": {"resolvers": ["127.0.0.1:9"]},
        "zones": {"example.com": ZONE, "example.org": OTHER},
        "pools": {
            name: {"origins": [{"name": f"e{index}", "address": one} for index, one in enumerate(addresses)]}
            for name, addresses in pools.items()
        },
        "load_balancers": [{"fallback_pool": one["default_pools"][-1], "ttl": 25, **one} for one in balancers],
    }
    configuration = parse(tree, tmp_path).configuration
    return configuration, compiled_view(configuration, tmp_path)


def balancer(name: str, *pools: str, **more: Any) -> dict[str, Any]:
    return {"name": f"{name}.example.com", "default_pools": list(pools), **more}


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Outcome]:
    """Return what a hostname resolves to at 1000 s, DNS having 198.51.100.1 for every name."""

    def ask(name: str, pools: dict[str, Any] | None = None, balancers: list[dict[str, Any]] | None = None) -> Outcome:
        configuration, view = made(tmp_path, pools or {"none": ["192.0.2.1"]}, balancers or [])
        own = OwnNames.of_configuration(view.snapshot, view.table, configuration)
        (tmp_path / "hosts").write_text("192.0.2.200 app.example.com\n192.0.2.201 hosted.example.net\n")

        async def main() -> Outcome:
            server = NameServer()
            server.v4, server.ttl_s = ["198.51.100.1"], 300
            async with server.running() as resolver:
                system = SystemNames(tmp_path / "hosts", tmp_path / "nsswitch.conf")
                return await NameSources([resolver], own, system).look_up(name, 1000.0)

        return asyncio.run(main())

    return ask


def found(outcome: Outcome) -> tuple[tuple[str, ...], float]:
    """Return the addresses and for how long they are good."""
    assert outcome.resolved is not None, outcome.problem
    return outcome.resolved.addresses, outcome.resolved.expiry_s - 1000


def test_a_name_here_is_answered_from_its_zone_before_the_hosts_file(ask: Callable[..., Outcome]) -> None:
    assert found(ask("app.example.com")) == (("192.0.2.7", "2001:db8::7"), 40)
    assert found(ask("four.example.com")) == (("192.0.2.4",), 60)


def test_aliases_are_followed_through_the_zones_here_and_out_of_them(ask: Callable[..., Outcome]) -> None:
    assert found(ask("alias.example.com")) == (("192.0.2.7", "2001:db8::7"), 20)
    assert found(ask("far.example.com")) == (("192.0.2.44",), 15)
    assert found(ask("out.example.com")) == (("198.51.100.1",), 30)


def test_names_elsewhere_and_below_a_delegation_are_for_others_to_say(ask: Callable[..., Outcome]) -> None:
    assert found(ask("host.sub.example.com")) == (("198.51.100.1",), 300)
    assert found(ask("app.example.net")) == (("198.51.100.1",), 300)
    assert found(ask("hosted.example.net")) == (("192.0.2.201",), 3600)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nothing", "the zones served here have no name nothing.example.com"),
        ("text", "the zones served here have no address of text.example.com"),
        ("round1", "its aliases lead on, through more than 16 zones here or round"),
    ],
)
def test_what_the_zones_deny_is_final(ask: Callable[..., Outcome], name: str, problem: str) -> None:
    assert ask(f"{name}.example.com") == Outcome(None, problem, is_final=True)


def test_a_load_balancer_here_is_decided(ask: Callable[..., Outcome]) -> None:
    pools = {"inner": ["192.0.2.31", "192.0.2.32", "2001:db8::31"], "outer": ["lb.example.com"]}
    outcome = ask("lb.example.com", pools, [balancer("lb", "inner"), balancer("www", "outer")])
    addresses, good_s = found(outcome)
    assert (sorted(addresses), good_s) == (["192.0.2.31", "192.0.2.32", "2001:db8::31"], 25)
    assert outcome.resolved is not None and outcome.resolved.again_s == 1001.0  # it may say another thing soon


def test_a_load_balancer_that_has_nothing_is_no_address(ask: Callable[..., Outcome]) -> None:
    pools = {"inner": ["lost.example.net"], "outer": ["lb.example.com"]}
    outcome = ask("lb.example.com", pools, [balancer("lb", "inner"), balancer("www", "outer")])
    assert outcome == Outcome(None, "the load balancer at lb.example.com here has no address for it", is_final=True)


def test_a_wildcard_load_balancer_answers_for_names_below_it(ask: Callable[..., Outcome]) -> None:
    assert found(ask("x.apps.example.com", {"a": ["192.0.2.9"]}, [balancer("*.apps", "a")])) == (("192.0.2.9",), 25)


LOOPS = [
    ({"a": ["www.example.com"]}, [balancer("www", "a")], {"www.example.com": ["www"]}),
    (
        {"a": ["two.example.com"], "b": ["one.example.com"]},
        [balancer("one", "a"), balancer("two", "b")],
        {"one.example.com": ["one", "two"], "two.example.com": ["two", "one"]},
    ),
    # By an alias, by the fallback pool, by a list of a place.
    (
        {"a": ["to.example.com"], "b": ["192.0.2.1"]},
        [balancer("to", "b", fallback_pool="a")],
        {"to.example.com": ["to"]},
    ),
    (
        {"a": ["geo.example.com"], "b": ["192.0.2.1"]},
        [balancer("geo", "b", country_pools={"NL": ["a"]})],
        {"geo.example.com": ["geo"]},
    ),
]


@pytest.mark.parametrize(("pools", "balancers", "ways"), LOOPS)
def test_a_way_back_to_the_hostname_itself_is_told_and_gives_no_address(
    ask: Callable[..., Outcome], pools: Any, balancers: Any, ways: dict[str, list[str]]
) -> None:
    for name, labels in ways.items():
        way = " -> ".join(f"{label}.example.com" for label in (*labels, labels[0]))
        outcome = ask(name, pools, balancers)
        assert outcome == Outcome(None, f"it leads back to itself by load balancers here: {way}", is_final=True)


@pytest.mark.parametrize(
    ("pools", "balancers"),
    [
        # The same hostname twice, below each other, is no loop; nor is what MX gives back; nor a disabled pool.
        ({"a": ["lb.example.com"], "b": ["192.0.2.1"]}, [balancer("lb", "b"), balancer("www", "a", "b")]),
        ({"m": ["lb.example.com"], "b": ["192.0.2.1"]}, [balancer("lb", "b"), balancer("lb", "m", type="MX")]),
        ({"a": ["192.0.2.1"], "b": ["lb.example.com"]}, [balancer("lb", "a"), balancer("off", "b", enabled=False)]),
    ],
)
def test_what_does_not_lead_back_resolves(ask: Callable[..., Outcome], pools: Any, balancers: Any) -> None:
    assert found(ask("lb.example.com", pools, balancers)) == (("192.0.2.1",), 25)


def test_a_worker_sees_the_same_loops_and_unresolved_pools_as_a_configuration(tmp_path: Path) -> None:
    pools = {"a": ["two.example.com"], "b": ["one.example.com"], "c": ["app.example.net"], "d": ["192.0.2.1"]}
    configuration, view = made(tmp_path, pools, [balancer("one", "a"), balancer("two", "b", "c", "d")])
    slots = Slots().assign(configuration)
    document = encode_targets(configuration, slots, 1, Path("t"), TargetsMemo())
    assert {one.type for one in decode_document(document).load_balancers} == {"A"}
    served = OwnNames.of_configuration(view.snapshot, view.table, configuration)
    both = served, OwnNames.of_targets(view, parse_targets(document))
    for own in both:
        assert own.loop_of("one.example.com") == ("one.example.com", "two.example.com", "one.example.com")
        assert own.loop_of("app.example.net") == ()
        assert [own.lacks_answers(name) for name in (*pools, "gone")] == [True, True, True, False, False]
    write_addresses(view.table.columns, slots.endpoint["c", "e0", "app.example.net"], [b"\xc0\0\2\1"], [], 2**31)
    assert [own.lacks_answers("c") for own in both] == [False, False]
