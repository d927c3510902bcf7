"""The 13 regions of a geo policy: which country, and which state of the US and Canada, belongs to which.

The facts are data, read once from regions.csv, countries.csv, other_countries.csv and subdivisions.csv in geodata/. A
country is in one region; the US and Canada straddle two, by subdivision, and their own region is where an unknown
subdivision goes. What databases call a country and ISO 3166-1 does not, or no longer, is in none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lbdns.places.shipped import shipped_rows


@dataclass(frozen=True, slots=True)
class Subdivision:
    """A state, province or territory: the second part of its ISO 3166-2 code, its name and other names, its region."""

    code: str
    name: str
    region: str
    also_called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Country:
    """A country: ISO 3166-1 alpha-2 code, English name, default region, the subdivisions that decide a region, and the
    continent (AF, AN, AS, EU, NA, OC, SA)."""

    code: str
    name: str
    region: str
    subdivisions: tuple[Subdivision, ...] = ()
    continent: str = ""


def _rows(file_name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a shipped CSV file by column name."""
    columns, *rows = shipped_rows(file_name)
    for row in rows:
        yield dict(zip(columns, row, strict=True))


def _load_countries() -> dict[str, Country]:
    """Return every country by code, with its subdivisions in order of code."""
    subdivisions: dict[str, list[Subdivision]] = {}
    for row in _rows("subdivisions.csv"):
        names = tuple(filter(None, row["also_called"].split(";")))
        one = Subdivision(row["subdivision"], row["name"], row["region"], names)
        subdivisions.setdefault(row["country"], []).append(one)
    return {
        row["country"]: Country(
            row["country"], row["name"], row["region"], tuple(subdivisions.get(row["country"], ())), row["continent"]
        )
        for row in _rows("countries.csv")
    }


REGIONS: dict[str, str] = {row["region"]: row["name"] for row in _rows("regions.csv")}
"""Region code -> English name."""

REGION_CODES: tuple[str, ...] = tuple(sorted(REGIONS))
"""The codes in order; a region's index here is its column in round-trip tables."""

COUNTRIES: dict[str, Country] = _load_countries()
"""ISO 3166-1 alpha-2 code -> country."""

OTHER_COUNTRIES: dict[str, Country] = {
    row["country"]: Country(row["country"], row["name"], "", continent=row["continent"])
    for row in _rows("other_countries.csv")
}
"""Two letters that databases may give and ISO 3166-1 does not have, as XK, or no longer -> country, in no region."""

STRADDLING: frozenset[str] = frozenset(country.code for country in COUNTRIES.values() if country.subdivisions)
"""The countries whose subdivisions decide the region."""

_SUBDIVISION_REGION = {
    (country.code, one.code): one.region for country in COUNTRIES.values() for one in country.subdivisions
}


def region_of(country: str, subdivision: str = "") -> str:
    """Return the code of the region that a place is in, "" where the country is unknown or in none.

    A subdivision that decides nothing (unknown, or of a country that lies in one region) leaves the country's region.
    """
    country = country.upper()
    by_subdivision = _SUBDIVISION_REGION.get((country, subdivision.upper()))
    if by_subdivision is not None:
        return by_subdivision
    known = COUNTRIES.get(country)
    return known.region if known is not None else ""


def continent_of(country: str) -> str:
    """Return the code of the continent that a country is on, "" where the country is unknown."""
    known = country_of(country)
    return known.continent if known is not None else ""


def country_of(code: str) -> Country | None:
    """Return the country that databases call so, None where there is none."""
    return COUNTRIES.get(code) or OTHER_COUNTRIES.get(code)


def countries_of(region: str) -> tuple[Country, ...]:
    """Return the countries that lie in a region, in order of code, each with its subdivisions in that region alone.

    A country that straddles regions is listed under each of them.
    """
    found = []
    for country in COUNTRIES.values():
        inside = tuple(one for one in country.subdivisions if one.region == region)
        if inside or (country.region == region and not country.subdivisions):
            found.append(replace(country, subdivisions=inside))
    return tuple(found)
