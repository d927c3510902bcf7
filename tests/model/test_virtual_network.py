"""Virtual networks as models: the ways that reach them, and which network an endpoint stands in."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from pydantic import ValidationError

from lbdns.model.configuration import Configuration
from lbdns.model.mistakes import mistakes_of
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.proxy_place import parse_proxy
from lbdns.model.virtual_network import (
    PRIVATE,
    NetworkRoute,
    NetworkTable,
    Via,
    VirtualNetwork,
    network_of,
)

UUID_A = "a5624d4e-044a-4ff0-b3e1-e2465353d4b4"


def networks(*names: str, default: str = "") -> dict[str, VirtualNetwork]:
    return {name: VirtualNetwork(name=name, is_default_network=name == default) for name in names}


def routes(*pairs: tuple[str, str | None]) -> tuple[NetworkRoute, ...]:
    return tuple(NetworkRoute(network=network, virtual_network=name) for network, name in pairs)


def endpoint(address: str, network: str | None = None) -> Endpoint:
    return Endpoint(name="e", address=address, virtual_network=network)


@pytest.mark.parametrize(
    ("address", "named", "wanted"),
    [
        ("10.0.0.1", "b", "b"),  # what it names
        ("10.0.0.1", None, "a"),  # the longest prefix
        ("10.0.1.1", None, "b"),
        ("10.9.0.1", None, "d"),  # private, and no route holds it: the default network
        ("192.168.0.1", None, "d"),
        ("fd00::1", None, "d"),
        ("2001:db8::1", None, "a"),  # a route may hold public addresses
        ("192.0.2.1", None, ""),
        ("2001:db9::1", None, ""),
        ("www.example.com", None, ""),  # names are looked up, then reached as anything
        ("www.example.com", "a", "a"),
        ("0.0.0.0", None, ""),
        ("10.8.0.1", None, "d"),  # routes tie: the default network
        ("172.16.0.1", None, "d"),  # a route that names none leads to the default network
    ],
)
def test_network_of(address: str, named: str | None, wanted: str) -> None:
    configuration = Configuration(
        virtual_networks=networks("a", "b", "d", default="d"),
        routes=routes(
            ("10.0.0.0/24", "a"),
            ("10.0.0.0/16", "b"),
            ("2001:db8::/32", "a"),
            ("10.8.0.0/16", "a"),
            ("10.8.0.0/16", "d"),
            ("172.16.0.0/12", None),
        ),
    )
    assert network_of(configuration, endpoint(address, named)) == wanted


def test_without_networks_nothing_is_in_any() -> None:
    assert network_of(Configuration(), endpoint("10.0.0.1")) == ""
    assert network_of(Configuration(), endpoint("10.0.0.1", "a")) == ""


def test_longest_prefix_as_a_plain_search_has_it() -> None:
    """5,000 random addresses against a search of every route."""
    chance = random.Random(7)
    known = networks("a", "b", "c", default="c")
    made = []
    for _ in range(60):
        length = chance.randrange(0, 33)
        number = chance.getrandbits(6) << 26 | chance.getrandbits(3)
        made.append((str(ip_network((number >> (32 - length) << (32 - length), length))), chance.choice("abc")))
    table = NetworkTable.of(known, routes(*dict(made).items()))
    for _ in range(5000):
        ip = ip_address(chance.getrandbits(6) << 26 | chance.getrandbits(3))
        if ip.is_unspecified or ip.is_multicast:
            continue
        holding = [(ip_network(one).prefixlen, name) for one, name in dict(made).items() if ip in ip_network(one)]
        wanted = max(holding)[1] if holding else "c" if any(ip in one for one in PRIVATE if one.version == 4) else ""
        assert table.network_of(endpoint(str(ip))) == wanted


def test_ties_are_told_apart() -> None:
    table = NetworkTable.of(networks("a", "b"), routes(("10.0.0.0/8", "a"), ("10.0.0.0/8", "b")))
    assert table.candidates(ip_address("10.1.2.3")) == ("a", "b")


@pytest.mark.parametrize(
    ("via", "words"),
    [
        ({"source": "10.9.0.1"}, "source 10.9.0.1"),
        ({"device": "wg0"}, "device wg0"),
        ({"device": "wg0", "source": "2001:DB8::1"}, "device wg0 from 2001:db8::1"),
        ({"namespace": "site-a"}, "namespace site-a"),
        ({"namespace": "/run/netns/a"}, "namespace /run/netns/a"),
        ({"proxy": "socks5://127.0.0.1:1080"}, "proxy socks5://127.0.0.1:1080"),
        ({"proxy": "http://user:se%40cret@[2001:db8::1]:3128"}, "proxy http://[2001:db8::1]:3128"),
    ],
)
def test_ways(via: dict[str, str], words: str) -> None:
    assert str(Via(**via)) == words


@pytest.mark.parametrize(
    ("via", "message"),
    [
        ({}, "no way is given; expected one of source, device, namespace and proxy"),
        (
            {"device": "wg0", "namespace": "a"},
            'a network is reached one way, not by "device", "namespace"; keep one',
        ),
        (
            {"proxy": "http://10.0.0.1:80", "source": "10.0.0.2"},
            "a proxy has its own address; source goes with device or namespace, or stands alone",
        ),
        ({"source": "0.0.0.0"}, '"0.0.0.0" is not the address of one host; expected one of this machine\'s own'),
        ({"source": "wg0"}, '"wg0" is not an IP address: expected one such as 192.0.2.10, not a name'),
        (
            {"device": "a-device-too-long"},
            '"a-device-too-long" is no name of an interface; expected 1 to 15 octets without space, "/" or ":"',
        ),
        (
            {"namespace": "a/b"},
            '"a/b" is no network namespace; expected its name, as "ip netns" lists it, or a path that begins with /',
        ),
    ],
)
def test_ways_that_are_none(via: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Via.model_validate(via)
    assert [found.message for found in mistakes_of(refused.value, Via)] == [message]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ftp://user:secret@10.0.0.1:80", '"ftp" is no kind of proxy'),
        ("socks5://user:secret@10.0.0.1", "has no port"),
        ("socks5://user:secret@:1080", "has no host"),
        ("http://user:secret@10.0.0.1:99999", "is no URL"),
        ("http://user:secret@10.0.0.1:80/path", "something stands behind the proxy's port"),
        ("http://user:secret@10.0.0.1.5:80", "is not an IP address"),
    ],
)
def test_proxies_that_are_none_show_no_password(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Via(proxy=text)
    message = mistakes_of(refused.value, Via)[0].message
    assert said in message and "secret" not in message


def test_a_proxy_has_parts() -> None:
    assert parse_proxy("socks5://me:a%3Ab@Proxy.example.com:1080") == (
        "socks5",
        "proxy.example.com",
        1080,
        "me",
        "a:b",
    )


def test_ids() -> None:
    """An id is kept as it is given, in lower case; without one it follows from the name."""
    assert VirtualNetwork(name="a", id=UUID_A.upper()).uuid == UUID_A
    assert VirtualNetwork(name="a").uuid == VirtualNetwork(name="a", comment="b").uuid != VirtualNetwork(name="b").uuid


@pytest.mark.parametrize("field", [{"id": "a"}, {"name": UUID_A}, {"name": " a"}, {"name": ""}, {"colour": "red"}])
def test_networks_that_are_none(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VirtualNetwork.model_validate({"name": "a", **field})


@pytest.mark.parametrize(
    ("text", "said"),
    [("10.0.0.1/8", "the network that it is in is 10.0.0.0/8"), ("ten", '"ten" is no network')],
)
def test_routes_that_are_none(text: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NetworkRoute(network=text)
    assert said in mistakes_of(refused.value, NetworkRoute)[0].message


def test_an_address_is_unique_in_its_pool_and_network() -> None:
    def pool(*named: str | None) -> Pool:
        origins = [{"name": str(i), "address": "10.0.0.1", "virtual_network": one} for i, one in enumerate(named)]
        return Pool.model_validate({"name": "p", "origins": origins})

    assert len({pool("a", "b", None).endpoint_key(one) for one in pool("a", "b", None).origins}) == 3
    for twice in (("a", "a"), (None, None)):
        with pytest.raises(ValidationError):
            pool(*twice)


def test_an_origin_takes_the_name_of_the_api() -> None:
    origin = {"name": "e", "address": "10.0.0.1", "virtual_network_id": UUID_A}
    assert Endpoint.model_validate(origin).virtual_network == UUID_A
    assert Endpoint.model_validate({**origin, "virtual_network_id": ""}).virtual_network is None
