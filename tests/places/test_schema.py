"""Records to places: both schemas, their variants, and nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from lbdns.places.place import Place
from lbdns.places.schema import autonomous_system_of, place_of, subdivision_code

FLAT = [
    (
        {"country_code": "US", "state1": "California", "latitude": 37.42, "longitude": -122.08},
        ("US", "CA", 37.42, -122.08),
    ),
    ({"country_code": "us", "state1": "CA"}, ("US", "CA", None, None)),
    ({"country_code": "CA", "state1": "QUÉBEC"}, ("CA", "QC", None, None)),
    ({"country_code": "US", "state1": "US-NY"}, ("US", "NY", None, None)),
    ({"country_code": "US", "state1": "Washington, D.C."}, ("US", "", None, None)),
    ({"country_code": "US", "state1": "Washington D.C."}, ("US", "DC", None, None)),
    ({"country_code": "AU", "state1": "New South Wales"}, ("AU", "", None, None)),
    ({"country_code": "AU", "state1": "NSW"}, ("AU", "NSW", None, None)),
    ({"country_code": "GE", "state1": "Georgia"}, ("GE", "", None, None)),
    ({"country_code": "", "state1": "CA"}, ("", "", None, None)),
    ({"country": "DE", "region": "BE", "lat": 52.5, "lng": 13.4}, ("DE", "BE", 52.5, 13.4)),
    ({"country_code": "DE", "latitude": 37.422000885009766, "longitude": -0.00001}, ("DE", "", 37.422, 0.0)),
    ({"country_code": "DE", "latitude": 0.0, "longitude": 0.0}, ("DE", "", None, None)),
    ({"country_code": "DE", "latitude": 52.5}, ("DE", "", None, None)),
    ({"country_code": "DE", "latitude": 90.1, "longitude": 1.0}, ("DE", "", None, None)),
    ({"country_code": "DE", "latitude": 1.0, "longitude": float("nan")}, ("DE", "", None, None)),
    ({"country_code": "DE", "latitude": float("inf"), "longitude": 1.0}, ("DE", "", None, None)),
    ({"country_code": "DE", "latitude": True, "longitude": "1"}, ("DE", "", None, None)),
    ({"latitude": 1, "longitude": -180}, ("", "", 1.0, -180.0)),
]
NESTED = [
    (
        {
            "country": {"iso_code": "US"},
            "subdivisions": [{"iso_code": "TX"}],
            "location": {"latitude": 30.0, "longitude": -97.0},
        },
        ("US", "TX", 30.0, -97.0),
    ),
    (
        {"country": {"iso_code": "GB"}, "subdivisions": [{"iso_code": "ENG"}, {"iso_code": "WBK"}]},
        ("GB", "ENG", None, None),
    ),
    ({"registered_country": {"iso_code": "US"}, "location": {"latitude": 1.0, "longitude": 2.0}}, ("", "", 1.0, 2.0)),
    ({"country": {"iso_code": "DE"}, "subdivisions": []}, ("DE", "", None, None)),
    ({"country": {"iso_code": "DE"}, "subdivisions": ["BE"], "location": "Berlin"}, ("DE", "", None, None)),
    ({"country": {}, "country_code": "DE"}, ("", "", None, None)),
]
NONSENSE: list[Any] = [
    None, 7, "DE", [], {}, {"country_code": 49}, {"country_code": "DEU"}, {"country_code": "D1"},
    {"country_code": "ÄÖ"}, {"country_code": "EU"}, {"country_code": "ZZ"}, {"country_code": ["DE"]},
    {"state1": "California"},
]  # fmt: skip


@pytest.mark.parametrize(("record", "place"), FLAT + NESTED)
def test_places(record: dict[str, Any], place: tuple[str, str, float | None, float | None]) -> None:
    assert place_of(record) == Place(*place)


@pytest.mark.parametrize("record", NONSENSE)
def test_nonsense_is_unknown(record: Any) -> None:
    assert place_of(record) == Place()


@pytest.mark.parametrize(
    ("record", "known"),
    [
        ({"asn": 64496, "name": "Example"}, (64496, "Example")),
        ({"asn": "as64496", "organization": 7, "name": "Example"}, (64496, "Example")),
        ({"autonomous_system_number": 2**32 - 1}, (2**32 - 1, "")),
        ({"autonomous_system_number": 2**32}, (0, "")),
        ({"autonomous_system_number": 0, "name": "Nobody"}, (0, "")),
        ({"asn": "AS"}, (0, "")),
        ({"asn": -5}, (0, "")),
        ({"asn": None}, (0, "")),
        ({"name": "Example"}, (0, "")),
        ([64496], (0, "")),
    ],
)
def test_as_numbers(record: Any, known: tuple[int, str]) -> None:
    assert autonomous_system_of(record) == known


def test_subdivision_codes_of_other_types() -> None:
    assert subdivision_code("US", None) == subdivision_code("US", ["California"]) == subdivision_code("", "CA") == ""
