"""What is known of an address, as plain values for programs: the one shape that command line and API show."""

from __future__ import annotations

from typing import Any

from lbdns.places import regions
from lbdns.places.centroids import centroid_code, stand_in
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address, Located


def describe(address: Address, located: Located, geodata: Geodata) -> dict[str, Any]:
    """Return what is known of an address as JSON values, None where a thing is unknown; the keys are stable.

    Coordinates are those that count for steering. Where no database knows any and a centroid stands in, `centroid_of`
    is the code of its country or subdivision; else that key is not there.
    """
    place = located.place
    country = regions.country_of(place.country)
    states = country.subdivisions if country is not None else ()
    region = regions.region_of(place.country, place.subdivision)
    located_at = stand_in(place)
    told = {
        "address": str(address),
        "network": str(located.network),
        "prefix_len": located.prefix_len,
        "country": place.country or None,
        "country_name": country.name if country is not None else None,
        "subdivision": place.subdivision or None,
        "subdivision_name": next((state.name for state in states if state.code == place.subdivision), None),
        "region": region or None,
        "region_name": regions.REGIONS.get(region),
        "latitude": located_at.latitude,
        "longitude": located_at.longitude,
        "asn": located.asn or None,
        "asn_org": located.asn_org or None,
        "databases": [
            {"path": str(source.path), "type": source.database_type, "built": source.built.isoformat()}
            for source in geodata.sources
        ],
    }
    centroid = centroid_code(place)
    return {**told, "centroid_of": centroid} if centroid else told
