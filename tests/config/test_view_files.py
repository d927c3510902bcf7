"""Zones, overlays and load balancers of views in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.config.loading import examine, load, parse
from lbdns.dns.name import encode_canonical

ZONE = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nold A 192.0.2.1\n"
POOLS = {"eu": {"origins": [{"name": "a", "address": "192.0.2.10"}]}}
VIEWS = {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["192.0.2.0/24"]}}


def balancer(name: str, view: str = "") -> dict[str, Any]:
    return {"name": name, "default_pools": ["eu"], "fallback_pool": "eu", "view": view}


def tree(zones: dict[str, str], *balancers: dict[str, Any], views: dict[str, Any] = VIEWS) -> dict[str, Any]:
    return {"settings": {"views": views}, "zones": zones, "pools": POOLS, "load_balancers": list(balancers)}


def test_a_file_with_an_soa_is_a_zone_of_the_view_and_one_without_lies_over_the_zone(tmp_path: Path) -> None:
    zones = {"example.com": ZONE, "example.com@office": "$TTL 60\nwww A 10.0.0.1\n", "corp@lab": ZONE}
    loaded = parse(tree(zones, balancer("www.corp", "lab"), balancer("www.example.com")), tmp_path)
    configuration = loaded.configuration
    assert {(zone.apex, zone.view) for zone in configuration.zones} == {
        (encode_canonical("example.com"), ""),
        (encode_canonical("corp"), "lab"),
    }
    (overlay,) = configuration.overlays
    assert (overlay.apex, overlay.view, len(overlay.rrsets)) == (encode_canonical("example.com"), "office", 1)
    assert [one.label for one in configuration.load_balancers] == ["www.corp@lab", "www.example.com"]
    assert not [one for one in loaded.warnings if "view" in one.message]


def test_files_are_read_from_a_directory_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "lbdns.yaml").write_text("views: {office: {networks: [10.0.0.0/8]}}\n")
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "example.com@office.zone").write_text("$TTL 60\nwww A 10.0.0.1\n")
    (tmp_path / "example.com@public.zone").write_text("$TTL 60\nwww A 192.0.2.1\n")
    loaded = load(tmp_path)
    assert {one.view for one in loaded.configuration.overlays} == {"office", "public"}


def test_what_everybody_sees_is_hidden_by_a_view_without_a_word(tmp_path: Path) -> None:
    """An address of the view takes the load balancer's place, and its CNAME another's records."""
    zones = {"example.com": ZONE, "example.com@office": "$TTL 60\nwww A 10.0.0.1\nold CNAME www\n"}
    loaded = parse(tree(zones, balancer("www.example.com")), tmp_path)
    assert not loaded.warnings


def test_a_load_balancer_of_a_view_hides_its_own_zones_records_there_alone(tmp_path: Path) -> None:
    zones = {"example.com": ZONE}
    loaded = parse(tree(zones, balancer("old.example.com", "office")), tmp_path)
    (warning,) = loaded.warnings
    assert warning.message.startswith("hides the zone's own records of this name: A (")
    assert warning.message.endswith('(in the view "office")')


def test_a_wildcard_of_a_view_is_checked_in_it(tmp_path: Path) -> None:
    zones = {"example.com": ZONE + "a.apps TXT x\n", "example.com@office": "$TTL 60\n*.apps A 10.0.0.1\n"}
    (warning,) = parse(tree(zones), tmp_path).warnings
    assert 'makes "a.apps.example.com" exist' in warning.message
    assert warning.message.endswith('(in the view "office")')


def test_what_is_wrong_for_everybody_is_told_once(tmp_path: Path) -> None:
    zones = {
        "example.com": ZONE + "mx MX 10 nowhere\n",
        "example.com@office": "$TTL 60\nwww A 10.0.0.1\n",
        "example.com@lab": "$TTL 60\nwww A 192.0.2.7\n",
    }
    (warning,) = parse(tree(zones), tmp_path).warnings
    assert "nowhere" in warning.message and "view" not in warning.message


def test_views_that_are_refused_have_no_followers(tmp_path: Path) -> None:
    views = {**VIEWS, "lab": {"networks": ["nowhere"]}, "public": {}}
    with pytest.raises(ConfigError) as caught:
        parse(tree({"example.com": ZONE, "corp@guests": ZONE}, balancer("www.corp", "guests"), views=views), tmp_path)
    assert [one.path for one in caught.value.problems] == ["views.lab.networks[0]", "views.public"]


@pytest.mark.parametrize(
    ("broken", "unready", "zones", "overlays"),
    [
        ("example.com@office.zone", {("example.com", "office")}, {("example.com", "")}, set()),
        ("example.com.zone", {("example.com", "")}, set(), set()),
    ],
)
def test_a_zone_with_a_mistake_is_unready_in_its_view_alone(
    tmp_path: Path, broken: str, unready: set[Any], zones: set[Any], overlays: set[Any]
) -> None:
    (tmp_path / "lbdns.yaml").write_text("views: {office: {networks: [10.0.0.0/8]}}\n")
    (tmp_path / "example.com.zone").write_text(ZONE)
    (tmp_path / "example.com@office.zone").write_text("$TTL 60\nwww A 10.0.0.1\n")
    with (tmp_path / broken).open("a") as file:
        file.write("www A nothing\n")
    examined = examine(tmp_path, tolerates=lambda *_: True)
    configuration = examined.configuration
    assert configuration is not None
    apex = encode_canonical("example.com")
    assert {("example.com", one.zone.view) for one in configuration.unready} == unready
    assert {("example.com", one.view) for one in configuration.zones if one.apex == apex} == zones
    assert {("example.com", one.view) for one in configuration.overlays} == overlays


def test_a_view_that_nobody_is_in_is_told(tmp_path: Path) -> None:
    (tmp_path / "lbdns.yaml").write_text("views: {office: {networks: [10.0.0.0/8]}, empty: {private: true}}\n")
    (tmp_path / "example.com.zone").write_text(ZONE)
    (warning,) = load(tmp_path).warnings
    assert (warning.path, warning.line) == ("views.empty", 1)
    assert warning.message == "nobody is in this view; give it networks, keys or listeners"


def test_an_ipv4_network_in_ipv6_form_is_no_other_network() -> None:
    """Whoever is in it is known by his IPv4 address, so that it would overlap another view unseen."""
    views = {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["2001:db8::/32", "::ffff:10.0.0.0/104"]}}
    settings = {"views": views, "trusted_resolvers": ["::ffff:192.0.2.53", "::/0"]}
    with pytest.raises(ConfigError) as refused:
        parse({"settings": settings, "zones": {"example.com": ZONE}}, Path())
    assert {(one.path, one.message) for one in refused.value.problems} == {
        ("views.lab.networks[1]", "this is an IPv4 network in IPv6 form; write 10.0.0.0/8"),
        ("trusted_resolvers[0]", "this is an IPv4 network in IPv6 form; write 192.0.2.53/32"),
    }


def test_trust_in_everybody_is_told(tmp_path: Path) -> None:
    views = "views: {office: {networks: [10.0.0.0/8]}}\ntrusted_resolvers: [192.0.2.53, 0.0.0.0/0]\n"
    (tmp_path / "lbdns.yaml").write_text(views)
    (tmp_path / "example.com.zone").write_text(ZONE)
    (told,) = [(one.path, one.message) for one in load(tmp_path).warnings if "trust" in one.message]
    message = "0.0.0.0/0 trusts everybody, so that anybody chooses a view by ECS; name your resolvers alone"
    assert told == ("trusted_resolvers[1]", message)
