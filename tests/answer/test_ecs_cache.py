"""Rules behind a resolver that caches by client subnet: unbound gives each client its own, whoever asked first."""

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

ZONES = (".", "example.com.")  # all that it would ask anybody: nothing leaves here
ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
POOLS = {
    name: {"origins": [{"name": "one", "address": f"198.51.100.{number}"}]}
    for number, name in enumerate(("own", "half", "wide"))
}
RULES = [
    {"condition": 'ip.src in {192.0.2.0/25} and not dns.qry.name contains "whole"', "overrides": {"pools": ["half"]}},
    {"condition": "ip.src in {203.0.113.0/24}", "fixed_response": {}},
    {"condition": 'starts_with(dns.rr.opt.client.addr, "192.0.")', "overrides": {"ttl": 30}},
    {"condition": "ip.src in {2001:db8::/33}", "overrides": {"pools": ["wide"]}},
]
CLIENTS = {
    "192.0.2.0/26": ["198.51.100.1"],
    "192.0.2.128/25": ["198.51.100.0"],
    "192.0.3.0/24": ["198.51.100.0"],
    "203.0.113.0/24": [],
    "2001:db8:8000::/48": ["198.51.100.0"],
    "2001:db8:1::/48": ["198.51.100.2"],
}
ORDERS = [order for index, order in enumerate(permutations(CLIENTS)) if index % 6 == 0]


@pytest.fixture(scope="module")
def ruled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LbdnsServer]:
    """A server with a load balancer at each of many names and at a wildcard, all with the same rules."""
    fields = {"default_pools": ["own"], "fallback_pool": "own", "ttl": 300, "rules": RULES}
    names = [f"n{index}.example.com" for index in range(len(ORDERS))] + ["*.wild.example.com"]
    tree = {
        "zones": {"example.com": ZONE},
        "pools": POOLS,
        "load_balancers": [{"name": name, **fields} for name in names],
    }
    with running_server(tree, tmp_path_factory.mktemp("ruled")) as server:
        yield server


@pytest.fixture(scope="module")
def cache(ruled: LbdnsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an unbound that caches by client subnet, as clients send it, and asks that server alone."""
    folder = tmp_path_factory.mktemp("subnet cache")

    def first(port: int) -> object:
        return ask(port, "ns1.example.com.", "192.0.2.0/24", timeout_s=1.0)

    with running_unbound(folder, ruled.port, ZONES, BY_SUBNET, first) as port:
        yield port


def ask(port: int, name: str, ecs: str, timeout_s: float = 10.0) -> list[str]:
    """Return the addresses that a client in a network is given."""
    network = ip_network(ecs)
    option = dns.edns.ECSOption(str(network.network_address), network.prefixlen)
    asked = dns.message.make_query(name, "A", use_edns=0, options=[option])
    reply = dns.query.udp(asked, "127.0.0.1", timeout_s, port)
    assert reply.rcode() == dns.rcode.NOERROR, reply.to_text()
    return sorted(rdata.address for rrset in reply.answer for rdata in rrset)


def test_each_client_gets_its_answer_whoever_asked_first(ruled: LbdnsServer, cache: int) -> None:
    for index, order in enumerate(ORDERS):
        for name in (f"n{index}.example.com.", f"n{index}.wild.example.com."):
            found = {ecs: ask(cache, name, ecs) for ecs in (*order, *order)}
            assert found == CLIENTS, order


def test_a_name_under_a_wildcard_that_no_network_matters_to(ruled: LbdnsServer, cache: int) -> None:
    assert ask(cache, "whole.wild.example.com.", "192.0.2.0/26") == ["198.51.100.0"]
    assert ask(cache, "part.wild.example.com.", "192.0.2.0/26") == ["198.51.100.1"]


def test_the_resolver_did_cache(ruled: LbdnsServer, cache: int) -> None:
    """Else these tests would say nothing. It stands last: the server is stopped."""
    assert ask(cache, "once.wild.example.com.", "192.0.2.0/26") == ["198.51.100.1"]
    ruled.stop()
    assert ask(cache, "once.wild.example.com.", "192.0.2.64/26") == ["198.51.100.1"]
