"""Views behind a resolver that caches by client subnet: unbound gives each client its own, whoever asked first."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from itertools import permutations

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from lbdns.testing import LbdnsServer, running_server
from tests.answer.unbound import BY_SUBNET, running_unbound

pytestmark = pytest.mark.process

ZONES = (".", "example.com.", "corp.")
VIEWS = {
    "office": {"networks": ["10.0.0.0/8", "2001:db8:1::/48"]},
    "lab": {"networks": ["10.1.0.0/16", "192.0.2.128/25"]},
}
CLIENTS = {
    "10.2.3.0/24": "office",
    "10.1.2.0/24": "lab",
    "10.0.0.0/9": "office",
    "192.0.2.0/25": "public",
    "192.0.2.192/26": "lab",
    "2001:db8:1:2::/64": "office",
    "2001:db8:2::/56": "public",
}
ORDERS = [order for index, order in enumerate(permutations(CLIENTS)) if index % 210 == 0]
HEAD = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
NOBODY: tuple[str, list[str]] = ("NXDOMAIN", [])
EMPTY: tuple[str, list[str]] = ("NOERROR", [])


def one(address: str) -> tuple[str, list[str]]:
    return "NOERROR", [address]


KINDS = {
    "all": {"public": one("192.0.2.1"), "office": one("192.0.2.1"), "lab": one("192.0.2.1")},
    "set": {"public": one("192.0.2.1"), "office": one("10.0.0.1"), "lab": one("192.0.2.1")},
    "own": {"public": NOBODY, "office": one("10.0.0.2"), "lab": NOBODY},
    "typed": {"public": EMPTY, "office": EMPTY, "lab": one("10.1.0.3")},
    "steered": {"public": one("198.51.100.1"), "office": one("198.51.100.1"), "lab": one("198.51.100.2")},
    "guests": {"public": one("198.51.100.1"), "office": NOBODY, "lab": NOBODY},
    "alias": {"public": one("192.0.2.1"), "office": one("10.0.0.9"), "lab": one("192.0.2.1")},
}
"""What stands at names of each kind, by view."""


def zones(count: int) -> dict[str, str]:
    """Return zones in which each kind has `count` names."""
    every, office, lab = [HEAD], ["$TTL 300\n"], ["$TTL 300\n"]
    for index in range(count):
        every += [f"all{index} A 192.0.2.1\n", f"set{index} A 192.0.2.1\n", f"typed{index} TXT x\n"]
        every += [f"alias{index} CNAME at{index}\n", f"at{index} A 192.0.2.1\n"]
        office += [f"set{index} A 10.0.0.1\n", f"own{index} A 10.0.0.2\n", f"at{index} A 10.0.0.9\n"]
        lab += [f"typed{index} A 10.1.0.3\n"]
    texts = {"example.com": every, "example.com@office": office, "example.com@lab": lab}
    corp = [HEAD, *(f"www{index} A 10.0.0.5\n" for index in range(count))]
    return {name: "".join(lines) for name, lines in {**texts, "corp@office": corp}.items()}


def balancers(count: int) -> list[dict[str, object]]:
    places = [(f"{kind}{index}", pool, view) for index in range(count) for kind, pool, view in (
        ("steered", "eu", ""), ("steered", "us", "lab"), ("guests", "eu", "public"))]  # fmt: skip
    return [
        {"name": f"{name}.example.com", "default_pools": [pool], "fallback_pool": pool, "view": view, "ttl": 300}
        for name, pool, view in places
    ]


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """A server with views that believes resolvers on loopback."""
    count = len(ORDERS)
    pools = {
        name: {"origins": [{"name": "one", "address": f"198.51.100.{number}"}]}
        for number, name in enumerate(("eu", "us"), 1)
    }
    tree = {
        "settings": {"views": VIEWS, "trusted_resolvers": ["127.0.0.0/8"]},
        "zones": zones(count),
        "pools": pools,
        "load_balancers": balancers(count),
    }
    with running_server(tree, tmp_path_factory.mktemp("viewed")) as server:
        yield server


@pytest.fixture(scope="module")
def cache(viewed: LbdnsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an unbound that caches by client subnet, and asks that server alone."""
    folder = tmp_path_factory.mktemp("subnet cache")

    def first(port: int) -> object:
        return ask(port, "ns1.example.com.", "192.0.2.0/24", timeout_s=1.0)

    with running_unbound(folder, viewed.port, ZONES, BY_SUBNET, first) as port:
        yield port


def ask(port: int, name: str, ecs: str, timeout_s: float = 10.0) -> tuple[str, list[str]]:
    """Return RCODE and addresses that a client in a network is given."""
    network = ip_network(ecs)
    option = dns.edns.ECSOption(str(network.network_address), network.prefixlen)
    asked = dns.message.make_query(name, "A", use_edns=0, options=[option])
    reply = dns.query.udp(asked, "127.0.0.1", timeout_s, port)
    addresses = [rdata.address for rrset in reply.answer if rrset.rdtype == 1 for rdata in rrset]
    return dns.rcode.to_text(reply.rcode()), addresses


@pytest.mark.parametrize("kind", KINDS)
def test_each_client_sees_its_view_whoever_asked_first(viewed: LbdnsServer, cache: int, kind: str) -> None:
    for index, order in enumerate(ORDERS):
        for ecs in (*order, *order):
            found = ask(cache, f"{kind}{index}.example.com.", ecs)
            assert found == KINDS[kind][CLIENTS[ecs]], (ecs, order)


def test_a_zone_of_a_view_is_given_to_nobody_else(viewed: LbdnsServer, cache: int) -> None:
    """unbound 1.17.1 keeps a refusal of one client for all (findings/): the view's own may be refused, never others
    answered."""
    answered = set()
    for index, order in enumerate(ORDERS):
        for ecs in (*order, *order):
            rcode, addresses = ask(cache, f"www{index}.corp.", ecs)
            assert CLIENTS[ecs] == "office" or (rcode in ("SERVFAIL", "REFUSED") and not addresses), (ecs, order)
            answered.update(addresses)
    assert answered == {"10.0.0.5"}
