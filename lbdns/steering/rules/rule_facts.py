"""The facts that conditions look at, by the names of the fields: of a place, of an address, and that as text.

A fact that is not known is None: a comparison with it is false, but `ne` is true.
"""

from __future__ import annotations

from lbdns.expressions.function_table import Fact
from lbdns.places import regions
from lbdns.places.geodata import Geodata
from lbdns.places.place import Address, Place

Facts = dict[str, Fact | None]


def place_facts(place: Place) -> Facts:
    """Return what conditions see of a place."""
    full = f"{place.country}-{place.subdivision}" if place.country and place.subdivision else ""
    continent = regions.continent_of(place.country)
    return {
        "ip.src.continent": continent.encode() or None,
        "ip.src.country": place.country.encode() or None,
        "ip.src.subdivision": full.encode() or None,
        "ip.src.lat": place.latitude,
        "ip.src.lon": place.longitude,
    }


def address_facts(address: Address, geodata: Geodata) -> Facts:
    """Return what conditions see of the address that a query comes from."""
    located = geodata.locate(address)
    return {"ip.src": address, "ip.src.asnum": located.asn or None, **place_facts(located.place)}
