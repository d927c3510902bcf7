"""`lbdns check` of geolocation databases: refused ones, halves of two, and how clients are located."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lbdns.cli.commands.check_command import check
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.loading import examine, load, parse
from lbdns.config.yaml.source import Placed, Source
from lbdns.model.balancer import LoadBalancer
from lbdns.model.settings import GeodataSettings, Settings
from tests.places.databases import write_database

ZONE = "$TTL 300\n@ SOA ns.example.net. admin 1 2 3 4 5\n@ NS ns.example.net.\n"
OBJECTS = """
pools: {eu: {origins: [{name: a, address: 192.0.2.1}], latitude: 52, longitude: 5}}
load_balancers:
  - {name: www.example.com, default_pools: [eu], fallback_pool: eu, steering_policy: POLICY}
"""
CITY = {"country_code": "DE", "latitude": 50.1, "longitude": 8.7}
CENTROIDS = (
    "the geolocation database knows no coordinates, so every client is taken to be at the centroid of its subdivision "
    "or country; set geodata: {city: ...} in lbdns.yaml to a city-level one to tell more apart"
)


def checked(folder: Path, geodata: str = "", policy: str = "proximity", pop: str = "code: AMS") -> Result:
    (folder / "example.com.zone").write_text(ZONE)
    (folder / "objects.yaml").write_text(OBJECTS.replace("POLICY", policy))
    (folder / "lbdns.yaml").write_text(f"pop: {{{pop}}}\ngeodata: {{{geodata}}}\n")
    return CliRunner().invoke(check, [str(folder)])


def halves(folder: Path) -> None:
    write_database(folder / "x-ipv4.mmdb", [("192.0.2.0/24", CITY)], ip_version=4)
    write_database(folder / "x-ipv6.mmdb", [("2001:db8::/32", CITY)])


@pytest.mark.parametrize(
    ("geodata", "lacking"),
    [
        ("city: x-ipv6.mmdb", "x-ipv6.mmdb: this file knows no IPv4 addresses, so every IPv4 client is"),
        ("city: [x-ipv4.mmdb]", "x-ipv4.mmdb: this file knows no IPv6 addresses, so every IPv6 client is"),
        ("city: none.mmdb", "none.mmdb: this file knows no addresses, so every client is"),
        ("city: [x-ipv4.mmdb, x-ipv6.mmdb]", ""),
        ("city: [x-ipv6.mmdb, x-ipv4.mmdb]", ""),
        ("city: halves", ""),
    ],
)
def test_a_half_given_for_the_whole_is_warned_of(tmp_path: Path, geodata: str, lacking: str) -> None:
    halves(tmp_path)
    (tmp_path / "halves").mkdir()
    halves(tmp_path / "halves")
    write_database(tmp_path / "none.mmdb", [])
    result = checked(tmp_path, geodata, policy="geo")
    assert result.exit_code == 0
    if not lacking:
        assert result.stderr == ""
        return
    (told,) = result.stderr.splitlines()
    assert told.startswith(f"{tmp_path}/lbdns.yaml:2: warning: geodata.city: {lacking} at an unknown place")
    assert result.stdout.endswith("no problems, 1 warning\n")


def test_what_a_server_would_refuse_is_a_problem(tmp_path: Path) -> None:
    """All at once, beside the mistakes of other files."""
    write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", {"asn": 64496})])
    write_database(tmp_path / "city.mmdb", [("192.0.2.0/24", CITY)])
    result = checked(tmp_path, "city: asn.mmdb, asn: city.mmdb", policy="nearest")
    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert told[:2] == [
        f"{tmp_path}/lbdns.yaml:2: geodata.asn: {tmp_path}/city.mmdb: geolocation database: its records name no AS "
        "number, so it is of another kind",
        f"{tmp_path}/lbdns.yaml:2: geodata.city: {tmp_path}/asn.mmdb: geolocation database: its records name no "
        "country and no coordinates, so it is of another kind",
    ]
    assert "steering_policy" in told[2]
    assert told[-1] == "3 problems; nothing of this would be served"
    (tmp_path / "cut.mmdb").write_bytes((tmp_path / "city.mmdb").read_bytes()[:-100])
    assert "lbdns.yaml:2: geodata.city: " in checked(tmp_path, "city: cut.mmdb").stderr


@pytest.mark.parametrize(
    ("geodata", "said"),
    [
        ("city: [a.mmdb, b.mmdb, c.mmdb]", "geodata.city: 3 files; expected one, or the one for IPv4 and the one for"),
        ("city: []", "geodata.city: 0 files; expected one, or the one for IPv4 and the one for IPv6"),
        ("city: 5", "geodata.city: 5 is not a path"),
        ("city: [5, b.mmdb]", "geodata.city: 5 is not a path"),
        ("city: [x-ipv4.mmdb, gone.mmdb]", 'geodata.city: there is no file "gone.mmdb"; a relative path starts where'),
    ],
)
def test_what_is_no_file_or_two(tmp_path: Path, geodata: str, said: str) -> None:
    halves(tmp_path)
    result = checked(tmp_path, geodata)
    assert result.exit_code == 1
    assert f"lbdns.yaml:2: {said}" in result.stderr


def test_how_clients_are_located_is_in_the_summary(tmp_path: Path) -> None:
    """Where anything goes by it: by country and centroids, or by coordinates, and of which files."""
    halves(tmp_path)
    shipped = "0 monitors, clients located by country and its centroid (geo-whois-asn-country.mmdb): no problems, "
    assert shipped + "1 warning\n" in checked(tmp_path).stdout
    assert shipped + "no warnings\n" in checked(tmp_path, policy="geo").stdout
    city = "0 monitors, clients located by coordinates (x-ipv4.mmdb and x-ipv6.mmdb): no problems, no warnings\n"
    assert checked(tmp_path, "city: [x-ipv4.mmdb, x-ipv6.mmdb]").stdout.endswith(city)
    assert "located" not in checked(tmp_path, policy="random").stdout


@pytest.mark.parametrize(
    ("strategy", "is_told"),
    [
        ({}, True),
        ({"mode": "resolver_ip", "prefer_ecs": "never"}, True),
        ({"mode": "pop", "prefer_ecs": "never"}, False),  # nobody looks anything up
        ({"mode": "pop", "prefer_ecs": "geo"}, False),
    ],
)
def test_proximity_says_that_it_goes_by_centroids(tmp_path: Path, strategy: dict[str, str], is_told: bool) -> None:
    write_database(tmp_path / "city.mmdb", [("192.0.2.0/24", CITY)])
    for city in (None, "city.mmdb"):
        tree: dict[str, Any] = {
            "settings": {"pop": {"code": "AMS"}, "geodata": {"city": city}},
            "zones": {"example.com": ZONE},
            "pools": {"eu": {"origins": [{"name": "a", "address": "192.0.2.1"}], "latitude": 52, "longitude": 5}},
            "load_balancers": [
                {
                    "name": "www.example.com",
                    "default_pools": ["eu"],
                    "fallback_pool": "eu",
                    "steering_policy": "proximity",
                    "location_strategy": strategy,
                }
            ],
        }
        told = [one.message for one in parse(tree, tmp_path).warnings if one.path.endswith(".steering_policy")]
        assert told == ([CENTROIDS] if is_told and city is None else [])


@pytest.mark.parametrize(
    ("pop", "told"),
    [
        ("country: DE", "this PoP is taken to be at the centroid of Germany; set pop: {code: ...} in lbdns.yaml"),
        ("country: AQ", "this PoP has no place, so clients whose place is unknown get the first pool; set pop: "),
        ("code: AMS", ""),
        ("country: DE, latitude: 52, longitude: 13", ""),
    ],
)
def test_where_this_pop_is_taken_to_be(tmp_path: Path, pop: str, told: str) -> None:
    lines = checked(tmp_path, pop=pop).stderr.splitlines()
    assert [line for line in lines if "PoP" in line] == [line for line in lines if told and told in line]
    assert len(lines) == 1 + bool(told)


def test_other_databases_are_others_to_a_check_that_remembers(tmp_path: Path) -> None:
    checked(tmp_path)
    configuration = load(tmp_path).configuration
    memo = CheckMemo()
    pools: dict[str, Any] = {}
    item = LoadBalancer(name="a.example.com", default_pools=("p",), fallback_pool="p")
    placed = [Placed(item, Source("store", 0, "load_balancers", item.name))]

    def settled(settings: Settings) -> bool:
        with memo.checking(settings, pools, placed, ()):
            is_settled = not memo.balancers.unsettled
            for one in memo.balancers.unsettled:
                one.about_zone = one.about_fields = ()
            memo.balancers.settle()
        return is_settled

    assert not settled(configuration.settings)
    assert settled(configuration.settings)
    geodata = GeodataSettings(city=tmp_path / "city.mmdb")
    other = Settings(geodata=geodata, pop=configuration.settings.pop)
    assert not settled(other)
    assert settled(other)
    assert examine(tmp_path).errors == ()
