"""Records: the body that a client gives -> the canonical one that is stored -> wire format.

Canonical means: the name complete, lower case, without the final dot; the type's mnemonic; the content as the API shows
it (dns/rdata/content.py), whether it came as `content` or as `data`; the TTL; of the other fields those that are not at
their default. Two bodies that mean the same record are equal then but for spellings that content keeps as they were
sent: `record_key` and `content_meant` look through these. record_reading.py makes canonical bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from lbdns.base import words
from lbdns.base.json_values import whole_number
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.rdata.content import content_of, data_of, encode_content
from lbdns.dns.rdata.master_form import canonical_rdata
from lbdns.dns.rdata.record_types import ADDRESS_TYPES, Priority, parse_type, record_type, type_text, types_where
from lbdns.manage.store.item import Item, Rrset
from lbdns.model.view_names import VIEW

NOT_FOR_DNS: Final = ("proxied", "private_routing")
"""What a record may say only that it is not."""
WRITABLE: Final = (
    "name",
    "type",
    "content",
    "data",
    "ttl",
    "priority",
    "comment",
    "tags",
    "settings",
    VIEW,
    *NOT_FOR_DNS,
)
READ_ONLY: Final = frozenset(
    {
        "id",
        "zone_id",
        "zone_name",
        "created_on",
        "modified_on",
        "proxiable",
        "meta",
        "comment_modified_on",
        "tags_modified_on",
    }
)
"""What a client sends back that read a record before it writes it."""
ECHO: Final = "echo"
"""Where a stored body keeps what has no effect, and is shown again all the same: fields, and parts of `data`."""
NAME_SERVER: Final = "name_server"
"""How a record of the zone's own name servers came to be, where no client of the API wrote it: MADE or GIVEN."""
MADE: Final = "made"
"""With the zone, from its name alone: the addresses are those that this server found of itself."""
GIVEN: Final = "given"
"""In a file that the operator gave."""
STORED_FIELDS: Final = (*WRITABLE, ECHO, NAME_SERVER)
SETTINGS: Final = ("ipv4_only", "ipv6_only", "flatten_cname")
RecordKey = tuple[bytes, int, bytes]
CACHED_RECORDS: Final = 1 << 18
_PRIORITY_FIRST: Final = frozenset(map(type_text, types_where(lambda row: row.has_priority_first)))
"""Types whose priority is the first word of their content."""


def merged_record(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored body with some fields changed: `data` and `priority` then outweigh the content stored before."""
    merged = {**before, **fields}
    if fields.get("content") is not None:
        return merged
    first, _, rest = str(before.get("content", "")).partition(" ")
    has_priority_first = before.get("type") in _PRIORITY_FIRST and first.isdigit()
    if fields.get("data") is not None:
        merged.pop("content", None)
        if has_priority_first and fields.get("priority") is None:
            merged["priority"] = int(first)
        return merged
    priority = whole_number(fields.get("priority"))
    if has_priority_first and priority is not None:
        merged["content"] = f"{priority} {rest}"
    return merged


def record_rrset(item: Item) -> Rrset:
    """Return a stored record in wire format; it is kept with the record.

    Raises BadName, BadRdata, KeyError or ValueError for a body that `canonical_record` found mistakes in.
    """
    if item.wire is not None:
        return item.wire
    body = item.body
    made = _rrset(body["name"], body["type"], body["content"], body["ttl"], body.get("priority"))
    object.__setattr__(item, "wire", made)
    return made


def keep_wire(item: Item, rdtype: int, owner: bytes, rdata: bytes) -> None:
    """Note what a new record is in wire format, where its content is the one text of that: of an address. It need not
    be read again."""
    ttl: int = item.body["ttl"]
    if rdtype in ADDRESS_TYPES and ttl != words.AUTOMATIC_TTL:
        object.__setattr__(item, "wire", (owner, rdtype, ttl, rdata))


def record_key(body: Mapping[str, Any]) -> RecordKey:
    """Return what two canonical bodies have in common that are the same record: all but TTL and comments."""
    owner, rdtype, _, rdata = _rrset(body["name"], body["type"], body["content"], body["ttl"], body.get("priority"))
    return owner, rdtype, canonical_rdata(rdtype, rdata)


def stored_key(item: Item) -> RecordKey:
    """Return the same of a stored record."""
    owner, rdtype, _, rdata = record_rrset(item)
    return owner, rdtype, canonical_rdata(rdtype, rdata)


def content_meant(body: Mapping[str, Any]) -> str:
    """Return the content of a canonical body in the one spelling that all have in common that mean the same."""
    content: str = body["content"]
    return _content_meant(body["name"], body["type"], content) if has_spellings(body["type"]) else content


@lru_cache(maxsize=1024)
def has_spellings(type: str) -> bool:
    """Tell whether content of a type that means the same may be spelled in several ways."""
    row = record_type(known_type(type))
    return row.has_texts_alone or row.data is not None or row.layout is None


@lru_cache(maxsize=CACHED_RECORDS)
def _content_meant(name: str, type: str, content: str) -> str:
    rdtype = known_type(type)
    return content_of(rdtype, encode_content(rdtype, content, None, name))[0]


def _rrset(name: str, type: str, content: str, ttl: int, priority: int | None) -> Rrset:
    rdtype = known_type(type)
    owner = encode_canonical(name)
    ttl_s = words.AUTOMATIC_TTL_S if ttl == words.AUTOMATIC_TTL else ttl
    return owner, rdtype, ttl_s, encode_content(rdtype, content, priority, name)


@lru_cache(maxsize=1024)
def known_type(text: str) -> int:
    """Return a type's number; raises ValueError, with the nearest known type."""
    return parse_type(text)


def record_body(owner: bytes, rdtype: int, ttl_s: int, rdata: bytes) -> dict[str, Any]:
    """Return the canonical body of a record in wire format. A TTL of 1 s, which means automatic here, becomes 2 s."""
    content, priority = content_of(rdtype, rdata)
    body: dict[str, Any] = {"name": show_name(owner), "type": type_text(rdtype), "content": content}
    if priority is not None:
        body["priority"] = priority
    return {**body, "ttl": 2 if ttl_s == words.AUTOMATIC_TTL else ttl_s}


def record_data(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the `data` of a stored record, None where its type has none."""
    rdtype = known_type(body["type"])
    row = record_type(rdtype)
    if row.data is None:
        return None
    data = data_of(rdtype, encode_content(rdtype, body["content"], None, body["name"]), body["content"])
    if data is not None and row.priority is Priority.BESIDE_DATA:
        del data["priority"]
    return data


def record_priority(body: Mapping[str, Any]) -> int | None:
    """Return the `priority` of a stored record: MX, SRV and URI have one."""
    if "priority" in body:
        return int(body["priority"])
    first = str(body["content"]).partition(" ")[0]
    return int(first) if body["type"] in _PRIORITY_FIRST and first.isdigit() else None
