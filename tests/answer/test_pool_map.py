"""The map of pools by country: each network asked alone gives the same, and shares are those of all addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any, Final

import dns.name
import dns.rdatatype
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lbdns.answer.answer import Road
from lbdns.answer.explain import address_cells
from lbdns.answer.explain.explain import Asked, answer_asked, query_of
from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.health.verdict import HEALTHY
from lbdns.model.configuration import Configuration
from lbdns.places.geodata import Geodata
from lbdns.publish.explaining import explain_configuration
from lbdns.publish.pool_map import Clients, pool_map
from lbdns.publish.replay.lots import NO_RECORDS
from lbdns.steering.kernel.numbers import NO_POOL
from tests.answer.lanes import compiled_view

ZONE = "$TTL 60\n@ IN SOA ns hostmaster 1 7200 900 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
PLACES: Final = {
    "11.0.0.0/20": ("DE", "", 50.0, 8.0),
    "11.0.32.0/21": ("DE", "", 52.5, 13.4),
    "12.0.0.0/20": ("US", "CA", 37.0, -122.0),
    "12.0.64.0/22": ("US", "NY", 40.7, -74.0),
    "13.0.0.0/23": ("JP", "", 35.7, 139.7),
    "13.0.2.128/25": ("JP", "", 35.7, 139.7),
    "2a01:1::/44": ("DE", "", 50.0, 8.0),
    "2a01:2::/44": ("US", "CA", 37.0, -122.0),
}
POOLS: Final[dict[str, Any]] = {
    name: {"latitude": north, "longitude": east, "origins": [{"name": "a", "address": f"192.0.2.{last}"}]}
    for last, (name, north, east) in enumerate(
        [("eu", 50, 8), ("east", 40, -75), ("west", 37, -121), ("asia", 1, 104), ("shed", 0, 0)], 1
    )
}
POOLS["shed"]["load_shedding"] = {"default_percent": 25, "default_policy": "random"}
POOLS["hashed"] = {
    "load_shedding": {"default_percent": 50, "default_policy": "hash"},
    "origins": [{"name": "a", "address": "192.0.2.9"}],
}
ALWAYS: Final = {"prefer_ecs": "always"}
GEO: Final[dict[str, Any]] = {
    "steering_policy": "geo",
    "country_pools": {"DE": ["eu"]},
    "region_pools": {"ENAM": ["east"], "WNAM": ["west"]},
    "location_strategy": {**ALWAYS, "region_from": "location"},
}
BALANCERS: Final[dict[str, dict[str, Any]]] = {
    "first": {},
    "geo": GEO,
    "by-resolver": {**GEO, "location_strategy": {"mode": "resolver_ip", "region_from": "location"}},
    "nearest": {
        "steering_policy": "proximity",
        "default_pools": ["asia", "eu", "east", "west"],
        "location_strategy": ALWAYS,
    },
    "ruled": {
        **GEO,
        "rules": [
            {
                "name": "some",
                "condition": "ip.src in {11.0.4.0/22 13.0.0.0/24}",
                "overrides": {"country_pools": {"DE": ["asia"], "JP": ["west"]}},
            },
            {"name": "closed", "condition": "ip.src in {12.0.65.0/24}", "fixed_response": {"status_code": 503}},
        ],
    },
    "sets": {
        "pool_sets": [
            {"name": "here", "match": {"topology": {"countries": ["JP"]}}, "overrides": {"pools": ["east"]}},
            {"name": "there", "match": {"topology": {"regions": ["WNAM"]}}, "overrides": {"pools": ["west"]}},
        ],
        "location_strategy": {**ALWAYS, "region_from": "location"},
    },
}
DRAWN: Final[dict[str, dict[str, Any]]] = {
    "weighted": {
        "steering_policy": "random",
        "default_pools": ["eu", "east"],
        "random_steering": {"default_weight": 0.25, "pool_weights": {"eu": 0.75}},
    },
    "shedding": {"default_pools": ["shed", "eu"]},
    "by-hash": {**GEO, "country_pools": {"DE": ["hashed", "eu"]}},
}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    folder = tmp_path_factory.mktemp("map")
    writer = MMDBWriter(6, "Toy-City", ipv4_compatible=True, languages=["en"], description="a toy", float_type="f64")
    for network, (country, part, north, east) in PLACES.items():
        parts = {"subdivisions": [{"iso_code": part}]} if part else {}
        at = {"latitude": north, "longitude": east}
        writer.insert_network(IPSet([network]), {"country": {"iso_code": country}, "location": at, **parts})
    writer.to_db_file(str(folder / "toy.mmdb"))
    tree = {
        "settings": {"geodata": {"city": str(folder / "toy.mmdb")}, "pop": {"code": "FRA"}},
        "zones": {"example.com": ZONE},
        "monitors": {"web": {"type": "tcp", "port": 80}},
        "pools": {**POOLS, "eu": {**POOLS["eu"], "monitor": "web"}},
        "load_balancers": [
            {"name": f"{name}.example.com", "default_pools": ["asia"], "fallback_pool": "asia", **fields}
            for name, fields in {**BALANCERS, **DRAWN}.items()
        ],
    }
    return parse(tree, folder).configuration


@pytest.fixture(scope="module")
def view(configuration: Configuration, tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """Every endpoint is up."""
    found = compiled_view(configuration, tmp_path_factory.mktemp("view"))
    for column in ("endpoint_state", "pool_state"):
        found.table.columns[column][:] = bytes([HEALTHY]) * len(found.table.columns[column])
    return found


@pytest.fixture(scope="module")
def geodata(configuration: Configuration) -> Geodata:
    return Geodata.open(configuration.settings.geodata.city, None)


def networks_in(version: int) -> Iterator[tuple[str, str, Any]]:
    """Yield country, subdivision and each network of the longest kind that is told apart here."""
    for text, (country, part, *_) in PLACES.items():
        network = ip_network(text)
        if network.version == version:
            for one in network.subnets(new_prefix=max(network.prefixlen, 25 if version == 4 else 52)):
                yield country, part, one


def asked_of(name: str, clients: Clients, network: Any) -> Asked:
    if clients.by_ecs:
        return Asked(f"{name}.example.com", ecs=network)
    return Asked(f"{name}.example.com", resolver=ip_address(network.network_address))


def pool_of(view: ServingView, asked: Asked) -> str:
    """Return the pool that answers a query, NO_RECORDS where none does."""
    road = Road()
    name, qtype = dns.name.from_text(asked.name), dns.rdatatype.from_text(asked.qtype)
    answer_asked(view, asked, name, qtype, query_of(asked, 0, 7), road)
    assert road.decision is not None
    return NO_RECORDS if road.decision.pool == NO_POOL else view.text("pool_text", road.decision.pool)


def naive(view: ServingView, name: str, clients: Clients) -> dict[str, dict[str, float]]:
    """Return each country's shares, by asking for each network of it alone."""
    counts: dict[str, Counter[str]] = {}
    for country, _, network in networks_in(clients.version):
        counts.setdefault(country, Counter())[pool_of(view, asked_of(name, clients, network))] += 1
    return {
        country: {pool: count / found.total() for pool, count in found.items()} for country, found in counts.items()
    }


@pytest.mark.parametrize("clients", [Clients(by_ecs, version) for by_ecs in (True, False) for version in (4, 6)])
@pytest.mark.parametrize("name", BALANCERS)
def test_shares_are_those_of_all_networks(
    configuration: Configuration, view: ServingView, geodata: Geodata, name: str, clients: Clients
) -> None:
    found = pool_map(Asked(f"{name}.example.com"), clients, view, geodata, configuration)
    shares = {one["country"]: one["pools"] for one in found["countries"] if one["country"]}
    assert found["exact"]
    assert shares == {country: pytest.approx(one, abs=1e-6) for country, one in naive(view, name, clients).items()}
    for country in found["countries"]:
        for pool, network in country["networks"].items():
            assert pool_of(view, asked_of(name, clients, ip_network(network))) == pool, (country["country"], network)


def test_what_decides_beside_the_country_is_told(
    configuration: Configuration, view: ServingView, geodata: Geodata
) -> None:
    def told(name: str) -> dict[str, Any]:
        found = pool_map(Asked(f"{name}.example.com"), Clients(), view, geodata, configuration)
        return {one["country"]: one for one in found["countries"]}

    geo = told("geo")
    assert geo["DE"]["hangs_on"] == [] and geo["DE"]["located_by"] == ["ecs"] and "subdivisions" not in geo["DE"]
    assert geo["US"]["hangs_on"] == ["subdivision"]
    assert {one["subdivision"]: one["pools"] for one in geo["US"]["subdivisions"]} == {
        "CA": {"west": 1.0},
        "NY": {"east": 1.0},
    }
    ruled = told("ruled")
    assert ruled["DE"]["hangs_on"] == ["network"]
    assert ruled["US"]["pools"][NO_RECORDS] == pytest.approx(0.25 / 5)
    assert told("nearest")["DE"]["hangs_on"] == []
    assert told("by-resolver")["DE"]["located_by"] == ["pop"]


def test_draws_have_their_weights_or_are_counted(
    configuration: Configuration, view: ServingView, geodata: Geodata
) -> None:
    def told(name: str) -> tuple[bool, dict[str, Any]]:
        found = pool_map(Asked(f"{name}.example.com"), Clients(), view, geodata, configuration)
        return found["exact"], {one["country"]: one for one in found["countries"]}

    exact, weighted = told("weighted")
    assert exact
    assert weighted["JP"]["pools"] == {"eu": 0.75, "east": 0.25} and weighted["JP"]["hangs_on"] == ["draw"]
    exact, shed = told("shedding")
    assert not exact
    assert shed["DE"]["pools"]["shed"] == pytest.approx(0.75, abs=0.08) and shed["DE"]["hangs_on"] == ["draw"]
    exact, hashed = told("by-hash")
    assert not exact
    assert hashed["DE"]["pools"]["hashed"] == pytest.approx(0.5, abs=0.25) and hashed["DE"]["hangs_on"] == ["hash"]
    assert hashed["US"]["hangs_on"] == ["subdivision"]


def test_where_there_are_too_many_cells_addresses_are_drawn(
    configuration: Configuration, view: ServingView, geodata: Geodata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address_cells, "CELLS_MAX", 8)
    monkeypatch.setattr(address_cells, "DRAWN_PER_PLACE", 400)
    found = pool_map(Asked("ruled.example.com"), Clients(), view, geodata, configuration)
    assert not found["exact"]
    for country, shares in naive(view, "ruled", Clients()).items():
        told = next(one["pools"] for one in found["countries"] if one["country"] == country)
        assert told == {pool: pytest.approx(share, abs=0.1) for pool, share in shares.items()}


def test_endpoints_can_be_supposed_down(configuration: Configuration) -> None:
    asked = {"name": "geo.example.com", "clients": "ecs"}

    def of_germany(request: dict[str, Any]) -> dict[str, float]:
        countries = explain_configuration(configuration, request)["countries"]
        return next(one["pools"] for one in countries if one["country"] == "DE")

    assert of_germany(asked) == {"eu": 1.0}
    assert of_germany({**asked, "down": ["eu/a"]}) == {"asia": 1.0}


def test_rules_and_pool_sets_can_be_supposed_off_and_on(configuration: Configuration) -> None:
    def pools(name: str, country: str, **more: list[str]) -> dict[str, float]:
        asked = {"name": f"{name}.example.com", "clients": "ecs", **more}
        countries = explain_configuration(configuration, asked)["countries"]
        return next(one["pools"] for one in countries if one["country"] == country)

    assert pools("ruled", "JP").keys() == {"west", "asia"}
    assert pools("ruled", "JP", rules_off=["some"]) == {"asia": 1.0}
    assert pools("ruled", "US", rules_off=["closed"], rules_on=["some"]) == pools("geo", "US")
    assert pools("sets", "JP", rules_off=["here"]) == {"asia": 1.0}
    asked = {"name": "ruled.example.com", "ecs": "11.0.4.0/24"}
    assert "asia" in str(explain_configuration(configuration, asked))
    steps = explain_configuration(configuration, {**asked, "rules_off": ["some"]})["steps"]
    assert [one["text"] for one in steps if one.get("rule") == "some"] == ['"some" is disabled']
    with pytest.raises(LbdnsError, match='no rule or pool set is called "nobody"; it has "some", "closed"'):
        explain_configuration(configuration, {**asked, "rules_on": ["nobody"]})


def test_what_no_map_can_be_drawn_of_is_refused(configuration: Configuration) -> None:
    with pytest.raises(LbdnsError, match="no load balancer answers that"):
        explain_configuration(configuration, {"name": "ns.example.com", "clients": "ecs"})
    with pytest.raises(LbdnsError, match='none of "ecs", "resolver"'):
        explain_configuration(configuration, {"name": "geo.example.com", "clients": "ecs/ipv5"})
