"""MaxMind's schema (GeoIP2, GeoLite2, DB-IP's own files), read by geoip2: record by record, where speed does not count.

The models are geoip2's. Its `Reader` is not used, and records are not handed over as they are, for these reasons:

- `Reader.city` takes a file for what its type says ("City"): one of countries, an Enterprise one or one that somebody
  built raises TypeError. The model `City` holds what a record of any of them says.
- `Reader` is maxminddb's in C, which on some damaged files ends the process; `mmdb_reader.open_reader` gives the one in
  Python.
- A model takes a record as keyword arguments: a text where a map belongs raises TypeError, a key `locales` too, and one
  named `network` ValueError. What has another shape is left out here, and counts as absent.
- A model keeps whatever value it is given, a number for a country code: `schema` checks them.
- A model writes the address into the record's own `traits`: the record is copied.
- `subdivisions.most_specific` is the smallest one, a county of England; the first is the largest.
- AS numbers are a record's own (ASN, ISP) or in its `traits` (Enterprise).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from geoip2.models import ASN, City

ARGUMENTS = frozenset({"self", "locales", "ip_address", "network", "prefix_len"})
"""Parameters of the models that are no fields of a place or an AS; a stranger's record may have keys like them."""


def is_place(record: dict[str, Any]) -> bool:
    """Return whether a record has places in MaxMind's schema; the flat one has texts and numbers there."""
    return isinstance(record.get("country"), dict) or isinstance(record.get("location"), dict)


def city_of(record: dict[str, Any]) -> City:
    """Return what a record says of a place; what it does not say is None. The values are as they stand in it."""
    from geoip2.models import City  # loaded for records of this schema alone

    subdivisions = record.get("subdivisions")
    return City(
        None,
        country=_fields(record.get("country")),
        subdivisions=[_fields(one) for one in subdivisions] if isinstance(subdivisions, list) else [],
        location=_fields(record.get("location")),
    )


def asn_of(record: dict[str, Any]) -> ASN:
    """Return what a record says of an AS, whether it is a file of AS numbers, of providers, or an Enterprise one."""
    from geoip2.models import ASN

    fields = _fields(record)
    number = "autonomous_system_number"
    return ASN("::", **(fields if number in fields else _fields(record.get("traits"))))


def _fields(record: object) -> dict[str, Any]:
    """Return what may be handed to a model as keyword arguments, nothing of what is no map."""
    if not isinstance(record, dict):
        return {}
    return {key: value for key, value in record.items() if isinstance(key, str) and key not in ARGUMENTS}
