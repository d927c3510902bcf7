"""What a zone is made of when nothing but its name is given: SOA, one name server, and that server's addresses."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, Final

from lbdns.dns import record_bounds
from lbdns.manage.store.records.record_bodies import MADE
from lbdns.manage.store.zones.own_servers import marked_servers
from lbdns.manage.store.zones.zone_soa import default_soa
from lbdns.model.settings import Settings
from lbdns.places.place import Address

NAME_SERVER_LABEL: Final = "ns1"
NAME_SERVER_TTL_S: Final = 3600
_FAR_ADDRESSES: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of documentation: the routing table is asked for the way there, and nothing is sent."""
_DISCARD_PORT: Final = 9


def new_zone_records(name: str, settings: Settings) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the SOA, and the bodies of the NS record and of its host's addresses, marked as MADE."""
    host = f"{NAME_SERVER_LABEL}.{name}"
    records = [{"name": name, "type": "NS", "content": host, "ttl": NAME_SERVER_TTL_S}]
    for address in server_addresses(settings):
        rdtype = "AAAA" if address.version == 6 else "A"
        records.append({"name": host, "type": rdtype, "content": str(address), "ttl": NAME_SERVER_TTL_S})
    return default_soa(name), marked_servers(records, name, MADE)


def server_addresses(settings: Settings) -> list[Address]:
    """Return the addresses that others reach this server at, at least one.

    Those that it listens on; for a wildcard the host's own towards elsewhere; loopback where there is no other.
    """
    found: dict[Address, None] = {}
    for host, _ in settings.listen_addresses():
        address = ipaddress.ip_address(host)
        if not address.is_unspecified:
            found[address] = None
            continue
        families = [socket.AF_INET] if address.version == 4 else [socket.AF_INET6, socket.AF_INET]
        found.update(dict.fromkeys(filter(None, map(_own_address, families))))
    public = [address for address in found if not address.is_loopback]
    return _bounded(public or found or [ipaddress.ip_address("127.0.0.1")])


def _bounded(addresses: Iterable[Address]) -> list[Address]:
    return sorted(addresses, key=lambda address: address.version)[: record_bounds.MAX_RECORDS_PER_RRSET]


def _own_address(family: socket.AddressFamily) -> Address | None:
    """Return the address that this host has on the way elsewhere, None where there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_FAR_ADDRESSES[family], _DISCARD_PORT))
            address = ipaddress.ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError:
        return None
    return None if address.is_unspecified or address.is_link_local else address
