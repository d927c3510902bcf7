"""DNSSEC of zones in lbdns's own words: every key and step, rolls, keys that are taken over from elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response

from lbdns.base.kinds import Kind
from lbdns.base.wording import unknown_field
from lbdns.base.words import OWN_PATH
from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dnssec.signer_verbs import DIRECTORY_CHARS_MAX, KEY_FORMS, wrong_arguments
from lbdns.dnssec.zone_status import KeyRole, ZoneStatus
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_unused
from lbdns.manage.api.frame.openapi import component, describe, nullable, schema_of
from lbdns.manage.api.frame.signer import all_signed, have_signer, status_of
from lbdns.manage.api.frame.site import CurrentSite, own_zone
from lbdns.manage.store.token_scopes import EVERYTHING, READ, ZONES

_STATUS: Final = component("ZoneSigning", schema_of(ZoneStatus))
_ALGORITHM: Final = nullable({"enum": list(CREATED_ALGORITHMS)})
_ENABLED: Final[dict[str, Any]] = {
    "type": "object",
    "description": "null, or left out: as the settings say",
    "properties": {"algorithm": _ALGORITHM, "keys": nullable({"enum": list(KEY_FORMS)})},
    "additionalProperties": False,
}
_ROLLED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "role": {"enum": [one.value for one in KeyRole]},
        "algorithm": _ALGORITHM,
        "emergency": nullable({"type": "boolean", "description": "the old key goes as soon as that is safe"}),
    },
    "required": ["role"],
    "additionalProperties": False,
}
_IMPORTED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "directory": {
            "type": "string",
            "pattern": "^/[^\\x00]*$",
            "maxLength": DIRECTORY_CHARS_MAX,
            "description": "on the server's machine",
        }
    },
    "required": ["directory"],
    "additionalProperties": False,
}

router = APIRouter(prefix=OWN_PATH, tags=["lbdns"], dependencies=[belongs_to(ZONES)])
ZoneId = Annotated[str, Depends(own_zone)]
Unused = Annotated[None, Depends(read_unused)]


@router.get(
    "/dnssec",
    dependencies=[belongs_to(ZONES, is_filtered=True)],
    summary="List zones that are signed",
    **describe({"type": "array", "items": _STATUS}),
)
async def list_signed(site: CurrentSite, caller: CurrentCaller) -> Response:
    """List how each zone that has keys stands."""
    labels: dict[str, list[str]] = {}
    for zone in site.state.all(Kind.ZONE).values():
        labels.setdefault(zone.name, []).append(zone.label)

    def is_seen(name: str) -> bool:
        return any(caller.scopes.allow(READ, ZONES, label) for label in labels.get(name, [name]))

    return ok([one.as_json() for one in await all_signed(site) if is_seen(one.zone)])


@router.get("/dnssec/{zone_id}", summary="Show how a zone is signed", **describe(_STATUS))
async def show_signing(site: CurrentSite, zone_id: ZoneId) -> Response:
    """Show keys, the DS that the zone above is to have and has, what happens next and when."""
    return ok((await status_of(site, zone_id)).as_json())


@router.post("/dnssec/{zone_id}/enable", summary="Sign a zone", **describe(_STATUS, _ENABLED))
async def enable(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, body: JsonObject) -> Response:
    """Sign a zone from now on."""
    given = _taken("enable", body, _ENABLED)
    return ok((await have_signer(site, caller, zone_id, "enable", **given)).as_json())


@router.post("/dnssec/{zone_id}/disable", summary="Stop signing a zone", **describe(_STATUS))
async def disable(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, unused: Unused) -> Response:
    """Stop signing a zone, once the zone above and every cache have forgotten its DS."""
    return ok((await have_signer(site, caller, zone_id, "disable")).as_json())


@router.post("/dnssec/{zone_id}/roll", summary="Replace a key", **describe(_STATUS, _ROLLED))
async def roll(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, body: JsonObject) -> Response:
    """Begin to replace a key by a new one; what is shown says which step follows when."""
    given = _taken("roll", body, _ROLLED)
    return ok((await have_signer(site, caller, zone_id, "roll", **given)).as_json())


@router.post("/dnssec/{zone_id}/ds_seen", summary="Say that the zone above has the DS", **describe(_STATUS))
async def ds_seen(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, unused: Unused) -> Response:
    """Go on as though the zone above had been seen to be as it is to be, where it cannot be asked."""
    return ok((await have_signer(site, caller, zone_id, "ds_seen")).as_json())


@router.post(
    "/dnssec/{zone_id}/import",
    dependencies=[belongs_to(EVERYTHING)],  # it has the signer read a directory of the machine
    summary="Take over a zone's keys",
    **describe(_STATUS, _IMPORTED),
)
async def import_keys(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, body: JsonObject) -> Response:
    """Sign with keys that BIND's tools have written into a directory of the server's machine."""
    given = _taken("import", body, _IMPORTED)
    return ok((await have_signer(site, caller, zone_id, "import", **given)).as_json())


def _taken(verb: str, body: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a body says for each argument of a verb, None where it says nothing; raises ApiError with all that is
    wrong with it."""
    known = schema["properties"]
    unknown = [(unknown_field(key, list(known)), (key,)) for key in body if key not in known]
    wrong = [(text, (name,)) for name, text in wrong_arguments(verb, body)]
    if unknown or wrong:
        raise invalid(*unknown, *wrong)
    return {key: body.get(key) for key in known}
