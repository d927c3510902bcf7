"""What the models accept and put into canonical form; what they refuse is in tests/config/bad, with its message."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lbdns.base.probe_types import PROBE_TYPES
from lbdns.base.wording import nearest
from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.bounds import REGION_CODES
from lbdns.model.hostnames import parse_hostname, parse_owner_name
from lbdns.model.mistakes import mistakes_of
from lbdns.model.monitor_terms import MonitorType, parse_expected_codes
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Endpoint, Pool
from lbdns.model.settings import ApiSettings, Settings
from lbdns.model.socket_address import format_socket_address, parse_socket_address

QUICK = settings(max_examples=100)
BALANCER: dict[str, Any] = {"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}
POOL: dict[str, Any] = {"name": "eu", "origins": [{"name": "a", "address": "192.0.2.1"}]}


def test_defaults() -> None:
    """The defaults that the API promises, key by key."""
    assert LoadBalancer.model_validate(BALANCER).model_dump() == {
        **BALANCER,
        "default_pools": ("eu",),
        "description": "",
        "enabled": True,
        "proxied": False,
        "ttl": 30,
        "steering_policy": "",
        "region_pools": {},
        "country_pools": {},
        "pop_pools": {},
        "random_steering": {"default_weight": 1.0, "pool_weights": {}},
        "location_strategy": {"mode": "pop", "prefer_ecs": "proximity", "region_from": "pop"},
        "session_affinity": "none",
        "session_affinity_ttl": None,
        "session_affinity_attributes": {
            "samesite": "Auto",
            "secure": "Auto",
            "drain_duration": None,
            "zero_downtime_failover": "none",
            "headers": (),
            "require_all_headers": False,
        },
        "adaptive_routing": {"failover_across_pools": False},
        "rules": (),
        "pool_sets": (),
        "networks": (),
        "type": "A",
        "view": "",
        "on_ramps": None,
    }
    assert Pool.model_validate(POOL).model_dump() == {
        "name": "eu",
        "origins": (
            {
                "name": "a",
                "address": "192.0.2.1",
                "enabled": True,
                "weight": 1.0,
                "port": 0,
                "header": {},
                "virtual_network": None,
                "flatten_cname": True,
                "priority": 0,
            },
        ),
        "enabled": True,
        "description": "",
        "minimum_origins": 1,
        "max_answers": 0,
        "monitor": None,
        "monitor_group": None,
        "check_regions": None,
        "latitude": None,
        "longitude": None,
        "load_shedding": {
            "default_percent": 0.0,
            "default_policy": "random",
            "session_percent": 0.0,
            "session_policy": "hash",
        },
        "origin_steering": {"policy": "random"},
        "notification_filter": None,
        "networks": (),
        "health_sources": (),
    }
    assert Monitor().model_dump() == {
        "type": "http",
        "description": "",
        "interval": 60,
        "timeout": 5,
        "retries": 2,
        "consecutive_up": 0,
        "consecutive_down": 0,
        "port": 0,
        "method": "GET",
        "path": "/",
        "header": {},
        "expected_codes": "200",
        "expected_body": "",
        "follow_redirects": False,
        "allow_insecure": False,
        "probe_zone": "",
        "client_certificate": None,
        "client_key": None,
    }
    assert ApiSettings().listen == "127.0.0.1:8053"
    assert Settings().listen == ("127.0.0.1:5353", "[::1]:5353")


@pytest.mark.parametrize("model", [LoadBalancer, Pool, Endpoint, Monitor, MonitorGroup, Settings])
def test_nothing_can_be_changed(model: Any) -> None:
    data = {LoadBalancer: BALANCER, Pool: POOL, Endpoint: POOL["origins"][0], Monitor: {}, Settings: {}}
    one = model.model_validate(data.get(model, {"members": [{"monitor": "web"}]}))
    with pytest.raises(ValidationError):
        setattr(one, next(iter(type(one).model_fields)), None)


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("interval", bounds.MIN_INTERVAL_S, bounds.MAX_INTERVAL_S),
        ("timeout", bounds.MIN_TIMEOUT_S, bounds.MAX_TIMEOUT_S),
        ("retries", 0, bounds.MAX_RETRIES),
        ("consecutive_up", 0, bounds.MAX_CONSECUTIVE),
        ("consecutive_down", 0, bounds.MAX_CONSECUTIVE),
        ("port", 0, bounds.MAX_PORT),
    ],
)
def test_bounds_of_monitors(field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert getattr(Monitor.model_validate({field: value}), field) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(ValidationError):
            Monitor.model_validate({field: value})


@pytest.mark.parametrize("kind", get_args(MonitorType))
def test_monitor_types_and_ports(kind: str) -> None:
    assert Monitor.model_validate({"type": kind, "port": 1}).type == kind
    if PROBE_TYPES[kind].needs_port:
        with pytest.raises(ValidationError, match="needs a port"):
            Monitor.model_validate({"type": kind})
    else:
        assert Monitor.model_validate({"type": kind}).port == 0


def test_list_lengths() -> None:
    many = [f"pool-{number}" for number in range(bounds.MAX_POOLS_PER_LIST + 1)]
    assert len(LoadBalancer.model_validate({**BALANCER, "default_pools": many[1:]}).default_pools) == 256
    with pytest.raises(ValidationError):
        LoadBalancer.model_validate({**BALANCER, "default_pools": many})
    with pytest.raises(ValidationError):
        LoadBalancer.model_validate({**BALANCER, "region_pools": {"WEU": many}})


@pytest.mark.parametrize("hundredths", range(101))
def test_weights_are_steps_of_a_hundredth(hundredths: int) -> None:
    endpoint = Endpoint(name="a", address="192.0.2.1", weight=hundredths / 100)
    assert endpoint.weight_hundredths == hundredths
    assert endpoint.weight == float(f"{endpoint.weight:.2f}")


def test_sums_of_hundredths_are_steps_too() -> None:
    assert Endpoint(name="a", address="192.0.2.1", weight=0.1 + 0.2).weight == 0.3


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("WWW.Example.COM.", "www.example.com"),
        ("localhost", "localhost"),
        ("3com.example", "3com.example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
    ],
)
def test_endpoint_addresses(given: str, canonical: str) -> None:
    endpoint = Endpoint(name="a", address=given)
    assert endpoint.address == canonical
    try:
        assert endpoint.ip == ipaddress.ip_address(canonical)
    except ValueError:
        assert endpoint.ip is None


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("www.example.com", "www.example.com"),
        ("WWW.Example.com.", "www.example.com"),
        ("*.example.com", "*.example.com"),
        ("*.Bücher.example", "*.xn--bcher-kva.example"),
        ("_sip._udp.example.com", "_sip._udp.example.com"),
        ("a_b.-c-.example", "a_b.-c-.example"),
        ("com", "com"),
        ("x" * 63 + ".example", "x" * 63 + ".example"),
        (".".join(["x" * 49] * 5) + ".xyz", ".".join(["x" * 49] * 5) + ".xyz"),
        ("192.0.2.1", "192.0.2.1"),
        (" 2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_owner_names(given: str, canonical: str) -> None:
    assert parse_owner_name(given) == canonical
    assert parse_owner_name(canonical) == canonical


@pytest.mark.parametrize("text", ["www.example.com:80", "fe80::1%eth0", "2001:db8::x", ":"])
def test_a_colon_belongs_to_an_ipv6_address(text: str) -> None:
    with pytest.raises(Exception, match='neither a name nor an IPv6 address: no label may hold ":"'):
        parse_owner_name(text)


@QUICK
@given(st.text(alphabet="aB0-_.*é/: ", max_size=20) | st.text(max_size=20))
def test_a_name_that_is_accepted_stays_as_it_is(text: str) -> None:
    for parse in (parse_owner_name, parse_hostname):
        try:
            name = parse(text)
        except Exception as error:
            assert type(error).__name__ == "PydanticCustomError"
        else:
            assert parse(name) == name
            assert name.isascii()
            assert len(name) <= bounds.MAX_NAME_CHARS


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", ((200, 200),)),
        ("2xx", ((200, 299),)),
        ("5XX", ((500, 599),)),
        ("200-204", ((200, 204),)),
        ("200, 2xx,301,400-499", ((200, 200), (200, 299), (301, 301), (400, 499))),
    ],
)
def test_expected_codes(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_expected_codes(text) == ranges
    assert Monitor(expected_codes=text).expected_codes == text


def test_expected_codes_as_a_number() -> None:
    assert Monitor.model_validate({"expected_codes": 204}).expected_codes == "204"


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("[::1]:5353", ("::1", 5353)),
        ("[2001:DB8:0::1]:0", ("2001:db8::1", 0)),
        ("0.0.0.0", ("0.0.0.0", 53)),
        ("[::]", ("::", 53)),
    ],
)
def test_socket_addresses(given: str, address: tuple[str, int]) -> None:
    assert parse_socket_address(given, 53) == address
    assert parse_socket_address(format_socket_address(*address)) == address


def test_free_ports_may_be_listed_twice() -> None:
    assert Settings(listen=("127.0.0.1:0", "127.0.0.1:0")).listen == ("127.0.0.1:0", "127.0.0.1:0")


@pytest.mark.parametrize(
    ("fields", "policy"),
    [
        ({}, "off"),
        ({"region_pools": {"WEU": ["eu"]}}, "geo"),
        ({"country_pools": {"DE": ["eu"]}}, "geo"),
        ({"pop_pools": {"AMS": ["eu"]}}, "geo"),
        ({"steering_policy": "random", "pop_pools": {"AMS": ["eu"]}}, "random"),
    ],
)
def test_policy_in_force(fields: dict[str, Any], policy: str) -> None:
    assert LoadBalancer.model_validate({**BALANCER, **fields}).effective_policy == policy


def test_pools_of_a_load_balancer() -> None:
    places = {"region_pools": {"WEU": ["a", "b"]}, "country_pools": {"de": ["c"]}, "pop_pools": {"ams": ["d"]}}
    balancer = LoadBalancer.model_validate({**BALANCER, "fallback_pool": "last", **places})
    assert balancer.pool_names() == {"eu", "a", "b", "c", "d", "last"}
    assert dict(balancer.pool_lists()) == {
        ("default_pools",): ("eu",),
        ("region_pools", "WEU"): ("a", "b"),
        ("country_pools", "DE"): ("c",),
        ("pop_pools", "AMS"): ("d",),
    }


def test_regions_are_those_of_the_places() -> None:
    from lbdns.places.regions import REGIONS

    assert tuple(sorted(REGIONS)) == REGION_CODES


def test_every_mistake_of_several_fields_is_told_at_once() -> None:
    """A model's own checks run only where each field is sound, and then all of them do."""
    data = {**POOL, "monitor": "a", "monitor_group": "b", "latitude": 1.0}
    data["origins"] = [{"name": name, "address": "192.0.2.1"} for name in "abc"]
    with pytest.raises(ValidationError) as caught:
        Pool.model_validate(data)
    found = mistakes_of(caught.value, Pool)
    assert [mistake.location for mistake in found] == [
        ("monitor_group",),
        ("latitude",),
        ("origins", 1, "address"),
        ("origins", 2, "address"),
    ]
    assert found[2].about == (("origins", 0, "address"), ("origins", 1, "address"))


def test_mistakes_inside_other_models_keep_their_place() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"pop": {"latitude": 1.0}, "api": {"key": "k"}})
    found = mistakes_of(caught.value, Settings)
    assert [mistake.location for mistake in found] == [("pop", "latitude"), ("api", "key")]
    assert found[0].about == (("pop", "latitude"), ("pop", "longitude"))


def test_an_unknown_type_of_error_keeps_its_own_words() -> None:
    class Other(Settings):
        extra: Literal[1] | bytes = 1

    with pytest.raises(ValidationError) as caught:
        Other.model_validate({"extra": 5})
    assert all(mistake.message for mistake in mistakes_of(caught.value, Other))


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("wieght", ["weight", "port"], "weight"),
        ("POOLS", ["pools", "monitors"], "pools"),
        ("zzz", ["weight", "port"], None),
        ("x", [], None),
    ],
)
def test_nearest(word: str, known: list[str], expected: str | None) -> None:
    assert nearest(word, known) == expected
