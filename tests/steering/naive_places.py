"""Places for the naive oracle: networks in a dictionary, looked up by trying them all."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path
from typing import Any

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Place = dict[str, Any]  # country, subdivision, latitude, longitude, asn; a PoP's has code and region too

UNKNOWN_PLACE: Place = {
    "country": "",
    "subdivision": "",
    "latitude": None,
    "longitude": None,
    "code": "",
    "region": "",
    "asn": 0,
}
EARTH_RADIUS_M = 6_371_008.8

# Some countries of every region, and some that have none.
COUNTRY_REGIONS = {
    "PL": "EEU",
    "FI": "EEU",
    "US": "ENAM",
    "CA": "ENAM",
    "SA": "ME",
    "EG": "NAF",
    "JP": "NEAS",
    "CO": "NSAM",
    "AU": "OC",
    "ZA": "SAF",
    "IN": "SAS",
    "SG": "SEAS",
    "BR": "SSAM",
    "AR": "SSAM",
    "NL": "WEU",
    "DE": "WEU",
    "FR": "WEU",
    "MX": "WNAM",
    "XK": "",
}
SUBDIVISION_REGIONS = {
    ("US", "NY"): "ENAM",
    ("US", "CA"): "WNAM",
    ("US", "WA"): "WNAM",
    ("CA", "QC"): "ENAM",
    ("CA", "BC"): "WNAM",
}
PRIVATE_BLOCKS = [
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
]


def region_of(country: str, subdivision: str) -> str:
    return SUBDIVISION_REGIONS.get((country, subdivision)) or COUNTRY_REGIONS.get(country, "")


def centroids() -> dict[tuple[str, str], tuple[float, float]]:
    with (Path(__file__).parents[2] / "geodata" / "centroids.csv").open(encoding="utf-8") as lines:
        return {
            (row["country"], row["subdivision"]): (float(row["latitude"]), float(row["longitude"]))
            for row in csv.DictReader(lines)
        }


CENTROIDS = centroids()


def with_coordinates(place: Place) -> Place:
    """Return the place where a centroid stands in for coordinates that are not known, if there is one."""
    if place["latitude"] is not None:
        return place
    country, subdivision = place["country"], place["subdivision"]
    known = CENTROIDS.get((country, subdivision)) or CENTROIDS.get((country, ""))
    return {**place, "latitude": known[0], "longitude": known[1]} if known else place


def holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def private_blocks(version: int) -> list[Network]:
    return [block for block in PRIVATE_BLOCKS if block.version == version]


def is_private(address: Address) -> bool:
    return any(holds(block, address) for block in PRIVATE_BLOCKS)


def look_up(tree: dict[Network, Place], address: Address) -> Place:
    """Return the place of the longest network that holds an address."""
    found = [network for network in tree if holds(network, address)]
    if not found:
        return UNKNOWN_PLACE
    return tree[max(found, key=lambda network: network.prefixlen)]


def turning_points(networks: Iterable[Network], version: int) -> list[int]:
    """Return where something may change on the way through the address space: at a network's start, and behind it."""
    points = set()
    for network in networks:
        if network.version == version:
            points.add(int(network.network_address))
            points.add(int(network.broadcast_address) + 1)
    points.discard(2**32 if version == 4 else 2**128)
    return sorted(points)


def distance_m(here: Place, there: Place) -> int:
    """Return the great-circle distance by the haversine formula, in whole metres."""
    latitude_1, longitude_1, latitude_2, longitude_2 = (
        math.radians(value) for value in (here["latitude"], here["longitude"], there["latitude"], there["longitude"])
    )
    half_chord = (
        math.sin((latitude_2 - latitude_1) / 2) ** 2
        + math.cos(latitude_1) * math.cos(latitude_2) * math.sin((longitude_2 - longitude_1) / 2) ** 2
    )
    return round(2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half_chord))))
