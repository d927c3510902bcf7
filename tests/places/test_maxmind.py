"""MaxMind's schema as geoip2 reads it: files that its readers refuse, and records that would make its models raise."""

from __future__ import annotations

import copy
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import geoip2.database
import geoip2.models
import pytest

from lbdns.base.errors import LbdnsError
from lbdns.places import place_tree
from lbdns.places.geodata import Geodata
from lbdns.places.place import Place
from lbdns.places.schema import autonomous_system_of, place_of
from tests.places.databases import write_database

BERLIN = {"country": {"iso_code": "DE"}, "location": {"latitude": 52.5, "longitude": 13.4}}
AS = {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Net"}


@pytest.mark.parametrize(
    ("database_type", "reads"),
    [
        ("GeoLite2-City", "city"),
        ("GeoIP2-City-Europe", "city"),
        ("DBIP-City-Lite", "city"),
        ("GeoLite2-Country", "country"),
        ("GeoIP2-Enterprise", "enterprise"),
        ("DBIP-Location-ISP (compat=Enterprise)", "enterprise"),
        ("Somebody's own", ""),
    ],
)
def test_the_type_that_a_file_calls_itself_does_not_matter(tmp_path: Path, database_type: str, reads: str) -> None:
    """geoip2's own reader takes each by another method, or none, and raises TypeError for the rest."""
    path = write_database(tmp_path / "places.mmdb", [("192.0.2.0/24", BERLIN)], database_type=database_type)
    with geoip2.database.Reader(path) as reader:
        for method in ("city", "country", "enterprise"):
            if method == reads:
                assert getattr(reader, method)("192.0.2.1").country.iso_code == "DE"
            else:
                with pytest.raises(TypeError, match="cannot be used with"):
                    getattr(reader, method)("192.0.2.1")
    for geodata in (Geodata.open(path), Geodata.open(path, lookups_only=True)):
        assert geodata.locate(ip_address("192.0.2.1")).place == Place("DE", "", 52.5, 13.4)
        assert geodata.sources[0].database_type == database_type


@pytest.mark.parametrize(
    ("database_type", "record", "known"),
    [
        ("GeoLite2-ASN", AS, (64496, "Example Net")),
        ("DBIP-ASN-Lite (compat=GeoLite2-ASN)", AS, (64496, "Example Net")),
        ("GeoIP2-ISP", {**AS, "isp": "Example", "organization": "Example Hosting"}, (64496, "Example Net")),
        ("GeoIP2-ISP", {"autonomous_system_number": 64496, "isp": "Example"}, (64496, "")),
        ("GeoIP2-Enterprise", {**BERLIN, "traits": {**AS, "user_type": "hosting"}}, (64496, "Example Net")),
    ],
)
def test_as_numbers_of_every_file_that_has_them(
    tmp_path: Path, database_type: str, record: dict[str, Any], known: tuple[int, str]
) -> None:
    path = write_database(tmp_path / "asn.mmdb", [("192.0.2.0/24", record)], database_type=database_type)
    for geodata in (Geodata.open(None, path), Geodata.open(None, path, lookups_only=True)):
        located = geodata.locate(ip_address("192.0.2.1"))
        assert (located.asn, located.asn_org) == known
        assert geodata.locate(ip_address("192.0.3.1")).asn == 0


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country": {"iso_code": "DE"}, "location": "Berlin"}, Place("DE")),
        ({"country": "DE", "location": {"latitude": 52.5, "longitude": 13.4}}, Place("", "", 52.5, 13.4)),
        ({"country": {"iso_code": "US"}, "subdivisions": {"iso_code": "CA"}}, Place("US")),
        ({"country": {"iso_code": "US"}, "subdivisions": ["California", {"iso_code": "CA"}]}, Place("US")),
        ({"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "CA"}, {"iso_code": "037"}]}, Place("US", "CA")),
        ({"country": {"iso_code": 7}}, Place()),
        ({"country": {"iso_code": "DE", "locales": 1, "self": 2, "confidence": 99}}, Place("DE")),
        ({"country": {"iso_code": "DE"}, "locales": 1, "ip_address": "x", "prefix_len": -1}, Place("DE")),
        ({"registered_country": {"iso_code": "DE"}, "country": {}}, Place()),
    ],
)
def test_records_of_odd_shapes(tmp_path: Path, record: dict[str, Any], place: Place) -> None:
    """What has the wrong shape counts as absent, one by one as in columns."""
    kept = copy.deepcopy(record)
    assert place_of(record) == place
    assert record == kept
    path = write_database(tmp_path / "odd.mmdb", [("192.0.2.0/24", record), ("198.51.100.0/24", BERLIN)])
    assert Geodata.open(path).locate(ip_address("192.0.2.1")).place == place


@pytest.mark.parametrize(
    "record",
    [{"country": "DE"}, {"locales": ["en"]}, {"subdivisions": [None]}, {"location": "x"}, {"country": {"locales": 1}}],
)
def test_geoip2_alone_would_raise(record: dict[str, Any]) -> None:
    """The reason why records are not handed over as they are."""
    with pytest.raises(TypeError):
        geoip2.models.City(["en"], **record)


def test_keys_of_flat_records_are_no_arguments() -> None:
    """Some flat files say the network in each record."""
    record = {"asn": "AS64496", "name": "Example", "network": "not one", "ip_address": 1, "prefix_len": "x"}
    assert autonomous_system_of(record) == (64496, "Example")


def test_a_place_that_is_read_in_two_ways_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of a file reads some records a second time, in another way than they are compiled."""
    path = write_database(tmp_path / "places.mmdb", [("192.0.2.0/24", BERLIN)])
    monkeypatch.setattr(place_tree, "place_of", lambda record: Place("FR"))
    with pytest.raises(LbdnsError, match=r"places\.mmdb: .* a record is read in two ways: as .*DE.* and as .*FR"):
        Geodata.open(path)
