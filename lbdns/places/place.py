"""The nouns of geolocation: a place, and what is known of one address."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from lbdns.base.errors import LbdnsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def address_in(text: str) -> Address:
    """Return the address that a text stands for; raises LbdnsError where it stands for none."""
    try:
        return ip_address(text)
    except ValueError:
        raise LbdnsError(f"{text!r} is not an IPv4 or IPv6 address, such as 192.0.2.1 or 2001:db8::1") from None


def prefix_in(text: str) -> Network:
    """Return the network that a text stands for, bits behind its prefix left out as EDNS Client Subnet has it; raises
    LbdnsError where it stands for none."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise LbdnsError(f"{text!r} is not an IPv4 or IPv6 network, such as 192.0.2.0/24 or 2001:db8::/32") from None


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped one (::ffff:192.0.2.1, RFC 4291) stands for; any other as it is.

    Databases disagree about whether the mapped form leads to their IPv4 part (findings/mmdb-mapped-addresses.sh).
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network is, as far as its database says; `Place()` is an unknown place.

    country: ISO 3166-1 alpha-2 in capitals, or "". subdivision: the second part of an ISO 3166-2 code ("CA" of
    "US-CA"), or "". latitude and longitude: degrees, both or neither.
    """

    country: str = ""
    subdivision: str = ""
    latitude: float | None = None
    longitude: float | None = None


UNKNOWN = Place()


@dataclass(frozen=True, slots=True)
class Located:
    """What is known of one address.

    place: `Place()` where no database knows it. network: the largest block around the address that the place database
    does not divide further, and prefix_len its length in the address's own family (0..32 or 0..128); they are there
    for unknown places too. asn: 0 where unknown; asn_org: "" where unknown.
    """

    place: Place
    prefix_len: int
    asn: int
    asn_org: str
    network: Network
