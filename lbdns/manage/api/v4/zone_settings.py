"""What the v4 API sets of a zone beside its records: what acts here, and what stands still because nothing is proxied.

    dns_settings        its SOA and the TTL of its name servers, which are the zone's own and can be changed
    settings            of a proxy that is none: everything is off
    hold                off

What stands still may be written as it is, so that clients go on; anything else is refused, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.words import AUTOMATIC_TTL, AUTOMATIC_TTL_S
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import NOT_FOUND, ApiError, invalid, point_by
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_unused
from lbdns.manage.api.frame.openapi import DELETED, describe, nullable
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import CurrentSite, own_zone
from lbdns.manage.api.v4.zone_shapes import PLAN
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import ZONES

OFF: Final = "off"
VALUES: Final[Mapping[str, Any]] = {
    **dict.fromkeys(
        (
            "0rtt",
            "always_online",
            "always_use_https",
            "automatic_https_rewrites",
            "brotli",
            "browser_check",
            "development_mode",
            "early_hints",
            "email_obfuscation",
            "hotlink_protection",
            "http2",
            "http3",
            "ip_geolocation",
            "ipv6",
            "mirage",
            "opportunistic_encryption",
            "opportunistic_onion",
            "orange_to_orange",
            "origin_error_page_pass_thru",
            "polish",
            "prefetch_preload",
            "privacy_pass",
            "pseudo_ipv4",
            "response_buffering",
            "rocket_loader",
            "security_level",
            "server_side_exclude",
            "sort_query_string_for_cache",
            "ssl",
            "tls_1_3",
            "tls_client_auth",
            "true_client_ip_header",
            "waf",
            "webp",
            "websockets",
        ),
        OFF,
    ),
    "browser_cache_ttl": 0,
    "challenge_ttl": 0,
    "ciphers": [],
    "max_upload": 0,
    "minify": {"css": OFF, "html": OFF, "js": OFF},
}
"""The settings of a proxy, as they are where there is none."""
NO_PROXY: Final = "lbdns answers queries and carries no traffic, so this stays as it is"
SOA_NAMES: Final = {"minimum": "min_ttl"}
"""Fields of an SOA that the v4 API calls otherwise here."""
STANDING: Final[Mapping[str, Any]] = {
    "flatten_all_cnames": False,
    "foundation_dns": False,
    "multi_provider": False,
    "nameservers": {"type": "custom.zone"},
    "secondary_overrides": False,
    "zone_mode": "standard",
}
"""The DNS settings that stand still: the name servers are those of the zone's own records."""
_HOLD: Final[Mapping[str, Any]] = {"hold": False, "include_subdomains": False, "hold_after": None}
NS_TTL_MIN_S: Final = 30
NS_TTL_MAX_S: Final = 86_400

_OBJECT: Final[dict[str, Any]] = {"type": "object"}
_SETTING: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "value": {},
        "editable": {"const": False},
        "modified_on": {"type": "null"},
    },
    "required": ["id", "value", "editable"],
    "additionalProperties": False,
}
_SETTING_WRITTEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"id": {}, "value": {}, "editable": {}, "modified_on": {}},
    "additionalProperties": False,
}
_SETTINGS_WRITTEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": _SETTING_WRITTEN}},
    "required": ["items"],
    "additionalProperties": False,
}
_SOA_WRITTEN: Final[dict[str, Any]] = {
    **nullable({"type": "object", "description": "min_ttl stands for minimum; what is not named stays"})
}
_DNS_SETTINGS_WRITTEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **{key: {"enum": [None, value]} for key, value in STANDING.items()},
        "ns_ttl": nullable({"type": "integer", "minimum": NS_TTL_MIN_S, "maximum": NS_TTL_MAX_S}),
        "soa": _SOA_WRITTEN,
    },
    "additionalProperties": False,
}

router = APIRouter(tags=["zones"], dependencies=[belongs_to(ZONES)])
ZoneId = Annotated[str, Depends(own_zone)]
Setting = Annotated[str, Path(max_length=100)]


def _standing(body: Mapping[str, Any], shown: Mapping[str, Any], why: str) -> list[tuple[str, Steps]]:
    """Return what is wrong with a body that may repeat what is shown, or set it to null, and no more."""
    found: list[tuple[str, Steps]] = []
    for key, value in body.items():
        if key not in shown:
            found.append((f'unknown field "{key}"; the fields are {", ".join(shown)}', (key,)))
        elif value is not None and (value != shown[key] or isinstance(value, bool) is not isinstance(shown[key], bool)):
            found.append((f"{key}: {why}", (key,)))
    return found


# --- what a proxy would do ---


@router.get("/zones/{zone_id}/settings", summary="List settings", **describe({"type": "array", "items": _SETTING}))
async def list_settings(zone_id: ZoneId) -> Response:
    return ok([_setting(name) for name in VALUES])


@router.get("/zones/{zone_id}/settings/{setting}", summary="Show a setting", **describe(_SETTING))
async def show_setting(zone_id: ZoneId, setting: Setting) -> Response:
    return ok(_setting(setting))


@router.patch(
    "/zones/{zone_id}/settings/{setting}",
    summary="Write a setting as it is",
    **describe(_SETTING, _SETTING_WRITTEN),
)
async def keep_setting(zone_id: ZoneId, setting: Setting, body: JsonObject) -> Response:
    shown = _setting(setting)
    wrong = _standing(body, shown, NO_PROXY)
    if wrong:
        raise invalid(*wrong)
    return ok(shown)


@router.patch(
    "/zones/{zone_id}/settings",
    summary="Write settings as they are",
    **describe({"type": "array", "items": _SETTING}, _SETTINGS_WRITTEN),
)
async def keep_settings(zone_id: ZoneId, body: JsonObject) -> Response:
    items = body.get("items")
    wrong: list[tuple[str, Steps | None]] = [
        (f'unknown field "{key}"; the field is items', (key,)) for key in body if key != "items"
    ]
    if not isinstance(items, list) or not all(map(_names_setting, items)):
        wrong.append((f"items: expected a list of {{id, value}}, ids among {', '.join(VALUES)}", ("items",)))
    else:
        for index, item in enumerate(items):
            found = _standing(item, _setting(item["id"]), NO_PROXY)
            wrong.extend((text, ("items", index, *at)) for text, at in found)
    if wrong:
        raise invalid(*wrong)
    return ok([_setting(name) for name in VALUES])


def _names_setting(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str) and item["id"] in VALUES


def _setting(name: str) -> dict[str, Any]:
    if name not in VALUES:
        raise ApiError(404, NOT_FOUND, f'there is no setting "{name}": object not found')
    return {"id": name, "value": VALUES[name], "editable": False, "modified_on": None}


@router.post("/zones/{zone_id}/purge_cache", summary="Purge the cache: there is none", **describe(DELETED))
async def purge_cache(zone_id: ZoneId, unused: Annotated[None, Depends(read_unused)]) -> Response:
    tell("lbdns answers queries and keeps no content: there is nothing to purge")
    return ok({"id": zone_id})


@router.put(
    "/zones/{zone_id}/activation_check",
    summary="Check whether the zone is active: it is as soon as it is stored",
    **describe(DELETED),
)
async def check_activation(zone_id: ZoneId, unused: Annotated[None, Depends(read_unused)]) -> Response:
    return ok({"id": zone_id})


@router.get("/zones/{zone_id}/available_plans", summary="List plans: there is one", **describe({"type": "array"}))
async def list_plans(zone_id: ZoneId) -> Response:
    return ok([PLAN])


# --- DNS ---


@router.get("/zones/{zone_id}/hold", summary="Show the zone's hold: there is none", **describe(_OBJECT))
async def show_hold(zone_id: ZoneId) -> Response:
    return ok(_HOLD)


@router.get("/zones/{zone_id}/dns_settings", summary="Show DNS settings", **describe(_OBJECT))
async def show_dns_settings(site: CurrentSite, zone_id: ZoneId) -> Response:
    return ok(_dns_settings(zone_id, site.state))


@router.patch(
    "/zones/{zone_id}/dns_settings",
    summary="Change DNS settings: the SOA, and the TTL of the zone's own NS records",
    **describe(or_dry_run(_OBJECT), _DNS_SETTINGS_WRITTEN),
)
async def change_dns_settings(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    zone_id: ZoneId,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    known = {**STANDING, "ns_ttl": body.get("ns_ttl"), "soa": body.get("soa")}
    wrong = _standing(body, known, "lbdns has this one way alone")
    ns_ttl, soa = body.get("ns_ttl"), body.get("soa")
    if ns_ttl is not None and not (type(ns_ttl) is int and NS_TTL_MIN_S <= ns_ttl <= NS_TTL_MAX_S):
        wrong.append((f"ns_ttl: expected seconds from {NS_TTL_MIN_S} to {NS_TTL_MAX_S}", ("ns_ttl",)))
    if soa is not None and not isinstance(soa, dict):
        wrong.append(("soa: expected an object", ("soa",)))
    if wrong:
        raise invalid(*wrong)
    fields = {} if soa is None else {_own_name(key): value for key, value in soa.items()}

    def make(edit: Edit) -> None:
        zone = edit.get(Kind.ZONE, zone_id)
        if fields:
            edit.patch(Kind.ZONE, zone_id, {"soa": {**zone.body["soa"], **fields}})
        for record in _apex_servers(zone, edit.state) if ns_ttl is not None else ():
            edit.patch(Kind.RECORD, record.id, {"ttl": ns_ttl})

    point_by(request, _pointing)
    before = site.state
    zone = before.get(Kind.ZONE, zone_id)
    words = f'change DNS settings of zone "{zone.name if zone else zone_id}"'
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, ()) if dry_run else ok(_dns_settings(zone_id, site.state))


def _dns_settings(zone_id: str, state: State) -> dict[str, Any]:
    zone = state.get(Kind.ZONE, zone_id)
    assert zone is not None, "own_zone has found it"
    ttls = [record.body["ttl"] for record in _apex_servers(zone, state)]
    return {
        **STANDING,
        "ns_ttl": AUTOMATIC_TTL_S if not ttls or ttls[0] == AUTOMATIC_TTL else ttls[0],
        "soa": {SOA_NAMES.get(key, key): value for key, value in zone.body["soa"].items()},
    }


def _apex_servers(zone: Item, state: State) -> list[Item]:
    """Return the NS records of the zone itself."""
    records = state.records(zone.id).values()
    return [record for record in records if record.body["type"] == "NS" and record.name == zone.name]


def _own_name(key: str) -> str:
    return next((own for own, theirs in SOA_NAMES.items() if theirs == key), key)


def _pointing(problem: Problem) -> Steps | None:
    """Tell where in the body a problem with the SOA stands."""
    if problem.at[:1] != ("zones",) or problem.at[2:3] != ("soa",):
        return None
    return ("soa", *(SOA_NAMES.get(str(step), step) for step in problem.at[3:]))
