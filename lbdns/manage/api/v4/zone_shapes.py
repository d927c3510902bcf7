"""A zone as the v4 API says it, and the schemas of what is said."""

from __future__ import annotations

from typing import Any, Final

from lbdns.base.lasting_ids import ID_DIGITS
from lbdns.dns import record_bounds
from lbdns.manage.api.frame.openapi import ID, TIME, VIEW_SHOWN, VIEW_WRITTEN, component, nullable
from lbdns.manage.api.frame.site import ACCOUNT_NAME, ApiSite
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import FULL, ZONE_TYPES, is_secondary
from lbdns.manage.store.zones.zone_soa import FIELDS, UINT32_MAX
from lbdns.model import bounds
from lbdns.model.view_names import VIEW

ACTIVE: Final = "active"
PERMISSIONS: Final = ("#zone:read", "#zone:edit", "#dns_records:read", "#dns_records:edit")
PLAN: Final[dict[str, Any]] = {
    "id": "0" * ID_DIGITS,
    "name": "lbdns",
    "price": 0,
    "currency": "USD",
    "frequency": "",
    "is_subscribed": False,
    "can_subscribe": False,
    "legacy_id": "",
    "legacy_discount": False,
    "externally_managed": False,
}
_META: Final[dict[str, Any]] = {
    "step": 0,
    "custom_certificate_quota": 0,
    "page_rule_quota": 0,
    "phishing_detected": False,
    "cdn_only": False,
    "dns_only": True,
    "foundation_dns": False,
}


def shown_zone(zone: Item, state: State, site: ApiSite) -> dict[str, Any]:
    """Return a zone as the API says it; `soa`, `serial` and `view` are ours, the last shown where it is of one.

    Of a zone that comes from its primaries soa and serial are null: its transfers say what is served.
    """
    return {
        "id": zone.id,
        "name": zone.name,
        **({VIEW: zone.view} if zone.view else {}),
        "status": ACTIVE,
        "paused": bool(zone.body.get("paused", False)),
        "type": zone.body.get("type", FULL),
        "development_mode": 0,
        "name_servers": name_servers(zone, state),
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "created_on": zone.created_on,
        "modified_on": zone.modified_on,
        "activated_on": zone.created_on,
        "meta": _META,
        "owner": {"id": site.account_id, "type": "user", "name": ACCOUNT_NAME},
        "account": {"id": site.account_id, "name": ACCOUNT_NAME},
        "permissions": list(PERMISSIONS),
        "plan": PLAN,
        **{key: None if is_secondary(zone) else zone.body[key] for key in ("soa", "serial")},
    }


def name_servers(zone: Item, state: State) -> list[str]:
    """Return the hosts that the zone's own NS records name, those that views see in their place left out."""
    return [
        record.body["content"]
        for record in state.records(zone.id).values()
        if record.body["type"] == "NS" and record.name == zone.name and not record.view
    ]


_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": bounds.MAX_NAME_CHARS + 1}
_SECONDS: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "maximum": UINT32_MAX}
_SOA_FIELDS: Final[dict[str, Any]] = {
    key: _NAME
    if key in ("mname", "rname")
    else _SECONDS
    if key != "ttl"
    else {**_SECONDS, "maximum": record_bounds.MAX_TTL_S}
    for key in FIELDS
}
SOA: Final = component(
    "Soa",
    {
        "type": "object",
        "properties": _SOA_FIELDS,
        "required": list(FIELDS),
        "additionalProperties": False,
    },
)
SOA_WRITTEN: Final = component(
    "SoaWritten",
    {
        "description": "what is not named stands at its default, or where a zone is changed as it is",
        "type": "object",
        "properties": {key: nullable(schema) for key, schema in _SOA_FIELDS.items()},
        "additionalProperties": False,
    },
)
_NAMES: Final[dict[str, Any]] = {"type": "array", "items": {"type": "string"}}
_ACCOUNT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"id": ID, "name": {"type": "string"}},
    "required": ["id", "name"],
}
_SHOWN: Final[dict[str, Any]] = {
    "id": ID,
    "name": {"type": "string"},
    "status": {"const": ACTIVE},
    "paused": {"type": "boolean"},
    "type": {"enum": list(ZONE_TYPES)},
    "development_mode": {"const": 0},
    "name_servers": _NAMES,
    "original_name_servers": {"type": "null"},
    "original_registrar": {"type": "null"},
    "original_dnshost": {"type": "null"},
    "created_on": TIME,
    "modified_on": TIME,
    "activated_on": TIME,
    "meta": {"type": "object"},
    "owner": {"type": "object"},
    "account": _ACCOUNT,
    "permissions": _NAMES,
    "plan": {"type": "object"},
    "soa": nullable(SOA),
    "serial": nullable(_SECONDS),
}
ZONE: Final = component(
    "Zone",
    {
        "type": "object",
        "properties": {**_SHOWN, VIEW: VIEW_SHOWN},
        "required": list(_SHOWN),
        "additionalProperties": False,
    },
)
_WRITTEN: Final[dict[str, Any]] = {
    "name": _NAME,
    VIEW: VIEW_WRITTEN,
    "account": nullable({"type": "object", "description": "of no effect: there is one account"}),
    "type": nullable({"enum": list(ZONE_TYPES), "description": "secondary: it comes from its primaries"}),
    "paused": nullable({"type": "boolean", "description": "kept, of no effect: lbdns answers queries alone"}),
    "jump_start": nullable({"type": "boolean", "description": "of no effect: records come by import"}),
    "soa": nullable(SOA_WRITTEN),
    "serial": nullable({**_SECONDS, "description": "raised by itself with each change of the zone"}),
}
ZONE_WRITTEN: Final = component(
    "ZoneWritten",
    {"type": "object", "properties": _WRITTEN, "required": ["name"]},
)
ZONE_CHANGED: Final = component(
    "ZoneChanged",
    {"type": "object", "properties": _WRITTEN},
)
