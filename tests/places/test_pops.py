"""PoPs by IATA code."""

from __future__ import annotations

import math
import subprocess
import sys

import airportsdata
import pytest

from lbdns.places import pops
from lbdns.places.airports import airport, is_airport
from lbdns.places.pops import pop_place


@pytest.mark.parametrize(
    ("code", "country", "subdivision", "region", "latitude", "longitude"),
    [
        ("AMS", "NL", "", "WEU", 52.3, 4.8),
        ("ams", "NL", "", "WEU", 52.3, 4.8),
        ("SFO", "US", "CA", "WNAM", 37.6, -122.4),
        ("JFK", "US", "NY", "ENAM", 40.6, -73.8),
        ("YVR", "CA", "BC", "WNAM", 49.2, -123.2),
        ("YUL", "CA", "QC", "ENAM", 45.5, -73.7),
        ("GRU", "BR", "", "SSAM", -23.4, -46.5),
        ("PRN", "XK", "", "", 42.6, 21.0),
    ],
)
def test_airports(code: str, country: str, subdivision: str, region: str, latitude: float, longitude: float) -> None:
    pop = pop_place(code)
    assert pop is not None
    assert (pop.code, pop.country, pop.subdivision, pop.region) == (code.upper(), country, subdivision, region)
    assert pop.latitude == pytest.approx(latitude, abs=0.1)
    assert pop.longitude == pytest.approx(longitude, abs=0.1)
    assert pop.name


@pytest.mark.parametrize("code", ["", "QQQ", "LON", "EHAM", "A"])
def test_unknown_codes(code: str) -> None:
    """Not an airport's IATA code: cities' codes and ICAO codes are none."""
    assert pop_place(code) is None


@pytest.mark.process
def test_airports_are_read_when_asked() -> None:
    """An import must not cost the reading of 7,900 airports."""
    program = "from lbdns.places import airports, pops; a = airports._table.cache_info().currsize; print(a)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "0\n"


def test_every_airport_is_as_its_package_says() -> None:
    """The table is searched, not read whole: every row must come out as the package itself reads it."""
    known = airportsdata.load("IATA")
    assert len(known) > 7_000
    assert {code: airport(code) for code in known} == known
    assert all(is_airport(code) and is_airport(code.lower()) for code in known)
    assert not any(map(is_airport, ("", "QQQ", "iata", "EHAM", "A", "ÄMS")))


IN_MINUTES = {
    "ANR": (51.189, 4.460),
    "BRU": (50.9014, 4.4844),
    "CRL": (50.459, 4.454),
    "KJK": (50.817, 3.205),
    "LGG": (50.637, 5.443),
    "LUX": (49.627, 6.212),
    "OST": (51.199, 2.862),
}
"""Airports of Belgium and Luxembourg, latitude and longitude in degrees, by airportsdata 20240119."""


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    (here, east), (there, other_east) = (map(math.radians, place) for place in (one, other))
    half = math.sin((there - here) / 2) ** 2
    half += math.cos(here) * math.cos(there) * math.sin((other_east - east) / 2) ** 2
    return 12742 * math.asin(math.sqrt(half))


@pytest.mark.parametrize("code", IN_MINUTES)
def test_airports_are_where_they_are(code: str) -> None:
    """A release of the table has minutes and seconds as if they were decimal."""
    pop = pop_place(code)
    assert pop is not None
    assert distance_km((pop.latitude, pop.longitude), IN_MINUTES[code]) < 2


def test_only_the_wrong_value_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that has another place is right: it was mended, or the airport moved."""
    row = {"iata": "BRU", "country": "BE", "subd": "", "name": "Brussels", "lat": 50.5405, "lon": 4.2904}
    monkeypatch.setattr(pops, "airport", lambda code: row)
    assert (pop := pop_place("BRU")) and (pop.latitude, pop.longitude) == (50.9014, 4.4844)
    for latitude, longitude in ((50.9, 4.48), (50.5405, 4.48), (50.5406, 4.2904)):
        row |= {"lat": latitude, "lon": longitude}
        assert (pop := pop_place("BRU")) and (pop.latitude, pop.longitude) == (latitude, longitude)
