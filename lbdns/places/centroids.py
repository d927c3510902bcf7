"""Coordinates for places whose database knows none: the centroid of the subdivision, else of the country.

A centroid is where people are on average, not the middle of a map: Russia's is at the Volga and not in Siberia,
Canada's is near its southern border (geodata/SOURCES.md says how they are made). It is all that a country-level
database leaves of a distance, and good for telling continents apart. Read when first asked for.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from lbdns.places import regions
from lbdns.places.place import Place
from lbdns.places.shipped import shipped_rows

_Point = tuple[float, float]


def stand_in(place: Place) -> Place:
    """Return a place with coordinates: its own where a database gave them, else a centroid's; as it is where there is
    none, since its country is unknown or nobody lives there."""
    if place.latitude is not None:
        return place
    found = _table().get(_key(place))
    return place if found is None else replace(place, latitude=found[0], longitude=found[1])


def centroid_code(place: Place) -> str:
    """Return the ISO 3166 code of the country or subdivision whose centroid stands in: "DE", "US-CA"; "" for none."""
    key = _key(place)
    return "-".join(filter(None, key)) if place.latitude is None and key in _table() else ""


def centroid_name(place: Place) -> str:
    """Return the name of the country or subdivision whose centroid stands in, its code where none is known; "" for
    none."""
    code = centroid_code(place)
    country = regions.country_of(place.country)
    if country is None or not code:
        return code
    if code == country.code:
        return country.name
    return next((part.name for part in country.subdivisions if part.code == place.subdivision), code)


def _key(place: Place) -> tuple[str, str]:
    """Return the row of a place: its subdivision's where there is one, else its country's."""
    key = (place.country, place.subdivision)
    return key if key in _table() else (place.country, "")


@cache
def _table() -> dict[tuple[str, str], _Point]:
    """Return latitude and longitude in degrees by country and subdivision, "" for the country as a whole."""
    rows = shipped_rows("centroids.csv")
    next(rows)
    return {(country, part): (float(north), float(east)) for country, part, north, east in rows}
