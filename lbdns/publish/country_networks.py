"""A network of each country, to ask about: the largest that the geolocation database puts there."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

from lbdns.answer.explain.address_cells import place_spans, units_of
from lbdns.model.configuration import Configuration
from lbdns.places import regions
from lbdns.places.geodata import Geodata
from lbdns.snapshot.compile.place_classes import PlaceIndex, place_index

_PREFIX: Final = {4: 24, 6: 56}
"""Of the networks that are named: as long as those that resolvers tell (RFC 7871 section 11.1)."""


def country_networks(configuration: Configuration) -> list[dict[str, Any]]:
    """Return every country that the databases know addresses of, in order of their codes, as JSON values: `country`,
    `name`, `region`, `ipv4` and `ipv6` (a network, None where it has none)."""
    settings = configuration.settings.geodata
    index = place_index(Geodata.open(settings.city, settings.asn).tree)
    by_family = {version: _networks(index, version) for version in _PREFIX}
    found = []
    for code in sorted({code for networks in by_family.values() for code in networks}):
        known = regions.country_of(code)
        told = {"country": code, "name": known.name if known else code, "region": regions.region_of(code) or None}
        found.append(told | {f"ipv{version}": networks.get(code) for version, networks in by_family.items()})
    return found


@lru_cache(maxsize=4)
def _networks(index: PlaceIndex, version: int) -> dict[str, str]:
    """Return by country the text of a network at the beginning of its largest span that is as long."""
    units, spans = units_of(index), place_spans(index, version)
    largest: dict[str, tuple[float, int]] = {}
    bits = _PREFIX[version]
    for start, size, number in zip(spans.starts.tolist(), spans.sizes.tolist(), spans.place.tolist(), strict=True):
        country = units[number].country
        if country and start % (1 << (64 - bits)) == 0 and size > largest.get(country, (0.0, 0))[0]:
            largest[country] = size, start
    if version == 4:
        return {code: str(IPv4Network((start >> 32, bits))) for code, (_, start) in largest.items()}
    return {code: str(IPv6Network((start << 64, bits))) for code, (_, start) in largest.items()}
