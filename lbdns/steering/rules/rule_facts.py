"""The facts that conditions look at, by the names of the fields: of a place, of an address, and that as text.

A fact that is not known is None: a comparison with it is false, but `ne` is true.
"""

from __future__ import annotations

from ipaddress import IPv6Address

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


def address_text(address: Address) -> bytes:
    """Return an address as conditions see its text: RFC 5952, an IPv6 one without an IPv4 address in it."""
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is None:
        return str(address).encode()
    # Newer versions of Python write ::ffff:192.0.2.1.
    low = int(address) & 0xFFFFFFFF
    return f"::ffff:{low >> 16:x}:{low & 0xFFFF:x}".encode()
