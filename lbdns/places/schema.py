"""From a record of a geolocation database to a place or an AS number, in the two schemas in use.

| fact | MaxMind's nested schema (GeoIP2, GeoLite2, DB-IP's own files) | flat schema (ip-location-db) |
|---|---|---|
| country | `country.iso_code` | `country_code`, else `country` |
| subdivision | `subdivisions[0].iso_code`, the largest one | `state1`, else `region_code`, `region`: a name or a code |
| coordinates | `location.latitude`, `location.longitude` | `latitude` and `longitude`, else `lat` and `lng` |
| AS number | `autonomous_system_number`, there or in `traits` | the same, `asn` or `as_number`; a number or "AS64496" |
| its holder | `autonomous_system_organization` | the same, `as_organization`, `as_name`, `organization` or `name` |

The nested schema is geoip2's to read (`maxmind`); `place_columns` reads both for all records of a file at once.
A record is a stranger's: whatever has the wrong type or makes no sense counts as absent.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from math import isfinite
from typing import Any, TypeGuard

from lbdns.places import maxmind, regions
from lbdns.places.place import UNKNOWN, Place

COORDINATE_STEPS = 10_000
"""Steps kept of a degree (11 m each): what MaxMind publishes, and it hides the noise of floats stored in 32 bits."""

NOT_COUNTRIES = frozenset({"AP", "EU", "XX", "ZZ"})
"""Codes that databases give for "somewhere in Asia/Pacific", "somewhere in Europe" and "unknown"."""

_CODE = re.compile(r"[A-Z0-9]{1,3}", re.ASCII)
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})", re.ASCII | re.IGNORECASE)
COUNTRY_KEYS = ("country_code", "country")
SUBDIVISION_KEYS = ("state1", "region_code", "region")
LATITUDE_KEYS = ("latitude", "lat")
LONGITUDE_KEYS = ("longitude", "lng")
ASN_KEYS = ("autonomous_system_number", "traits")
FLAT_ASN_KEYS = ("asn", "as_number")
_FLAT_ASN_ORG_KEYS = ("as_organization", "as_name", "organization", "name")


def place_of(record: object) -> Place:
    """Return the place that a record of either schema names, `Place()` where it names none."""
    if not isinstance(record, dict):
        return UNKNOWN
    if not maxmind.is_place(record):
        country = country_code(_first(record, COUNTRY_KEYS))
        subdivision = subdivision_code(country, _first(record, SUBDIVISION_KEYS))
        return Place(country, subdivision, *coordinates(_first(record, LATITUDE_KEYS), _first(record, LONGITUDE_KEYS)))
    city = maxmind.city_of(record)
    country = country_code(city.country.iso_code)
    largest = next((one.iso_code for one in city.subdivisions), None)
    return Place(
        country, subdivision_code(country, largest), *coordinates(city.location.latitude, city.location.longitude)
    )


def autonomous_system_of(record: object) -> tuple[int, str]:
    """Return the AS number and its holder's name that a record names, (0, "") where it names none."""
    if not isinstance(record, dict):
        return 0, ""
    known = maxmind.asn_of(record)
    number, holder = known.autonomous_system_number, known.autonomous_system_organization
    if number is None:
        number = _first(record, FLAT_ASN_KEYS)
    if not isinstance(holder, str):
        holder = next((record[key] for key in _FLAT_ASN_ORG_KEYS if isinstance(record.get(key), str)), "")
    match = _ASN.fullmatch(str(number))
    asn = int(match[1]) if match else 0
    return (asn, holder) if 0 < asn < 2**32 else (0, "")


def country_code(code: object) -> str:
    """Return a country code in capitals, "" for anything that is none."""
    if not isinstance(code, str) or len(code) != 2 or not (code.isascii() and code.isalpha()):
        return ""
    code = code.upper()
    return "" if code in NOT_COUNTRIES else code


def subdivision_code(country: str, text: object) -> str:
    """Return the second part of the ISO 3166-2 code that a text stands for: a code, a full one ("US-CA"), or a name.

    "" where it stands for none. Names of other countries' subdivisions have no code here: only the US and Canada are
    split between regions.
    """
    return _subdivision_code(country, text) if country and isinstance(text, str) else ""


@lru_cache(maxsize=8192)
def _subdivision_code(country: str, text: str) -> str:
    """Do the work of `subdivision_code`, once for the many records that name one state."""
    named = _SUBDIVISIONS_BY_NAME.get((country, _plain(text)))
    if named is not None:
        return named
    code = text.removeprefix(f"{country}-")
    return code if _CODE.fullmatch(code) else ""


def _plain(name: str) -> str:
    """Return a name without case, accents and full stops, so that "Québec" and "QUEBEC" are one."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter) and letter != ".").strip()


_SUBDIVISIONS_BY_NAME = {
    (country.code, _plain(name)): one.code
    for country in regions.COUNTRIES.values()
    for one in country.subdivisions
    for name in (one.name, *one.also_called)
}


def coordinates(latitude: object, longitude: object) -> tuple[float, float] | tuple[None, None]:
    """Return both coordinates in degrees, or neither where one is missing or off the globe.

    0, 0 is where databases without a better idea put things: nobody lives there, so it counts as unknown.
    """
    if not _is_number(latitude) or not _is_number(longitude):
        return None, None
    north, east = latitude * COORDINATE_STEPS, longitude * COORDINATE_STEPS
    if not (isfinite(north) and isfinite(east)):
        return None, None
    north, east = round(north) / COORDINATE_STEPS, round(east) / COORDINATE_STEPS
    return (north, east) if abs(north) <= 90 and abs(east) <= 180 and (north or east) else (None, None)


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number, which True is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _first(record: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Return what stands under the first of these keys that the record has, None where it has none."""
    for key in keys:
        if key in record:
            return record[key]
    return None
