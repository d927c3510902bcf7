"""A record as the v4 API says it, and the schemas of what is said."""

from __future__ import annotations

from typing import Any, Final

from lbdns.base import words
from lbdns.dns import record_bounds
from lbdns.manage.api.frame.openapi import ID, TIME, VIEW_SHOWN, VIEW_WRITTEN, component, nullable
from lbdns.manage.api.v4.record_taking import WITHOUT_EFFECT
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_bodies import (
    ECHO,
    MADE,
    NAME_SERVER,
    NOT_FOR_DNS,
    SETTINGS,
    record_data,
    record_priority,
)
from lbdns.model.view_names import VIEW


def shown_record(item: Item, zone: Item) -> dict[str, Any]:
    """Return a record as the API says it: `priority` and `data` where its type has them, `view` where it or its zone is
    of one.

    Clients of old need its zone's id and name in it.
    """
    body = item.body
    settings = body.get("settings", {})
    shown: dict[str, Any] = {
        "id": item.id,
        "zone_id": item.zone_id,
        "zone_name": zone.name,
        "name": item.name,
        "type": body["type"],
        "content": body["content"],
        "proxiable": False,
        "proxied": False,
        "ttl": body["ttl"],
        "settings": dict(settings),
        "meta": {"auto_added": True} if body.get(NAME_SERVER) == MADE else {},
        "comment": body.get("comment"),
        "tags": list(body.get("tags", ())),
        "created_on": item.created_on,
        "modified_on": item.modified_on,
    }
    if view := zone.view or item.view:
        shown[VIEW] = view
    priority = record_priority(body)
    if priority is not None:
        shown["priority"] = priority
    data = record_data(body)
    if data is not None:
        shown["data"] = data
    if ECHO in body:
        echo = body[ECHO]
        shown |= {key: echo[key] for key in WITHOUT_EFFECT if key in echo}
        if data is not None:
            shown["data"] = {**echo.get("data", {}), **data}
    return shown


_TTL: Final[dict[str, Any]] = {
    "type": "integer",
    "minimum": 0,
    "maximum": record_bounds.MAX_TTL_S,
    "description": f"seconds; 1 is automatic: {words.AUTOMATIC_TTL_S}",
}
_PRIORITY: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "maximum": record_bounds.MAX_PRIORITY}
_TAGS: Final[dict[str, Any]] = {
    "type": "array",
    "maxItems": record_bounds.MAX_TAGS,
    "items": {"type": "string", "minLength": 1, "maxLength": record_bounds.MAX_TAG_CHARS},
}
_COMMENT: Final[dict[str, Any]] = {"type": "string", "maxLength": record_bounds.MAX_COMMENT_CHARS}
_SETTINGS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {key: {"type": "boolean"} for key in SETTINGS},
    "additionalProperties": False,
}
_DATA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "the parts of content: of CAA, CERT, DNSKEY, DS, HTTPS, LOC, NAPTR, SMIMEA, SRV, SSHFP, SVCB, TLSA, "
    "URI",
}
_SHOWN: Final[dict[str, Any]] = {
    "id": ID,
    "zone_id": ID,
    "zone_name": {"type": "string"},
    "name": {"type": "string"},
    "type": {"type": "string"},
    "content": {"type": "string"},
    "proxiable": {"const": False},
    "proxied": {"const": False},
    "ttl": _TTL,
    "settings": _SETTINGS,
    "meta": {"type": "object"},
    "comment": nullable(_COMMENT),
    "tags": _TAGS,
    "created_on": TIME,
    "modified_on": TIME,
}
RECORD: Final = component(
    "Record",
    {
        "type": "object",
        "properties": {
            **_SHOWN,
            "priority": _PRIORITY,
            "data": _DATA,
            VIEW: VIEW_SHOWN,
            **{key: {} for key in WITHOUT_EFFECT},
        },
        "required": list(_SHOWN),
        "additionalProperties": False,
    },
)
_WRITTEN: Final[dict[str, Any]] = {
    "name": {"type": "string", "description": "complete, or relative to the zone; @ or nothing is the zone"},
    "type": {"type": "string", "description": "a mnemonic, or TYPE with a number (RFC 3597)"},
    "content": nullable(
        {"type": "string", "maxLength": record_bounds.MAX_CONTENT_CHARS, "description": "needed where there is no data"}
    ),
    "data": nullable(_DATA),
    "priority": nullable({**_PRIORITY, "description": "needed for MX, where content does not begin with it"}),
    "ttl": nullable(_TTL),
    "comment": nullable(_COMMENT),
    "tags": nullable(_TAGS),
    "settings": nullable(_SETTINGS),
    VIEW: VIEW_WRITTEN,
    **{key: nullable({"const": False}) for key in NOT_FOR_DNS},
}
RECORD_WRITTEN: Final = component(
    "RecordWritten", {"type": "object", "properties": _WRITTEN, "required": ["name", "type"]}
)
RECORD_CHANGED: Final = component("RecordChanged", {"type": "object", "properties": _WRITTEN})
_WITH_ID: Final[dict[str, Any]] = {"type": "object", "properties": {"id": ID}, "required": ["id"]}
_SOME: Final[dict[str, Any]] = {"type": "array", "items": RECORD}
BATCH: Final = component(
    "RecordBatch",
    {
        "type": "object",
        "description": "all of it or nothing, in the order of deletes, patches, puts, posts",
        "properties": {
            "deletes": nullable({"type": "array", "items": _WITH_ID}),
            "patches": nullable({"type": "array", "items": {"allOf": [_WITH_ID, RECORD_CHANGED]}}),
            "puts": nullable({"type": "array", "items": {"allOf": [_WITH_ID, RECORD_WRITTEN]}}),
            "posts": nullable({"type": "array", "items": RECORD_WRITTEN}),
        },
        "additionalProperties": False,
    },
)
BATCH_DONE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {key: _SOME for key in ("deletes", "patches", "puts", "posts")},
    "required": ["deletes", "patches", "puts", "posts"],
    "additionalProperties": False,
}
IMPORT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "a master file (RFC 1035)"},
        "proxied": {"enum": ["true", "false"]},
    },
    "required": ["file"],
}
IMPORTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "recs_added": {"type": "integer", "minimum": 0},
        "total_records_parsed": {"type": "integer", "minimum": 0},
    },
    "required": ["recs_added", "total_records_parsed"],
    "additionalProperties": False,
}
