"""The records of a zone's own name servers: NS at the apex, and the addresses of the hosts these name in the zone.

Services that host zones keep such records to themselves, so clients that make a zone equal to what they hold would
delete them. Those that come with a zone, or in a file that its operator gave, are therefore not listed to clients of
the API until one of them writes them, or asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lbdns.dns.name import text_suffixes
from lbdns.dns.rdata.record_types import ADDRESS_TYPES, type_text
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import MADE, NAME_SERVER, record_key, stored_key
from lbdns.model.view_names import VIEW

ADDRESSES: Final = frozenset(map(type_text, ADDRESS_TYPES))
_TEXTS: Final = frozenset({"TXT", "SPF"})

Body = dict[str, Any]


def marked_servers(records: Iterable[Mapping[str, Any]], zone_name: str, how: str) -> list[Body]:
    """Return the canonical bodies of a zone's records, those of its name servers marked: MADE or GIVEN.

    A host that is more than a name server (it is the apex, has other records, or other records name it) is not; nor is
    what a view sees in their place.
    """
    bodies = [dict(record) for record in records]
    hosts = {body["content"].lower() for body in bodies if _is_apex_ns(body, zone_name)}
    hosts = {host for host in hosts if host != zone_name and zone_name in text_suffixes(host)}
    if hosts:
        hosts -= {body["name"] for body in bodies if body["type"] not in ADDRESSES}
        for body in bodies:
            if body["type"] not in _TEXTS and not _is_ns(body):
                hosts.difference_update(word.removesuffix(".") for word in body["content"].lower().split())
    for body in bodies:
        if _is_apex_ns(body, zone_name) or (_is_address(body) and body["name"] in hosts):
            body.setdefault(NAME_SERVER, how)
    return bodies


def is_of_server(record: Item) -> bool:
    """Tell whether a record is one of the zone's own name servers that no client of the API wrote."""
    return NAME_SERVER in record.body


def yielding(new: Iterable[Mapping[str, Any]], stored: Iterable[Item]) -> list[Item]:
    """Return the addresses that came with a zone whose host has others in new records (canonical bodies).

    What this server found of itself holds as long as nobody says better.
    """
    addresses = [body for body in new if _is_address(body)]
    hosts = {body["name"] for body in addresses}
    made = [
        record
        for record in stored
        if record.name in hosts and record.body.get(NAME_SERVER) == MADE and record.body["type"] in ADDRESSES
    ]
    kept = {record_key(body) for body in addresses} if made else set()
    return [record for record in made if stored_key(record) not in kept]


def shown_server(record: Item) -> str:
    """Return a record in words."""
    return f"{record.name} {record.body['type']} {record.body['content']}"


def _is_ns(body: Mapping[str, Any]) -> bool:
    return bool(body["type"] == "NS")


def _is_apex_ns(body: Mapping[str, Any], zone_name: str) -> bool:
    return _is_ns(body) and body["name"] == zone_name and VIEW not in body


def _is_address(body: Mapping[str, Any]) -> bool:
    return body["type"] in ADDRESSES and VIEW not in body
