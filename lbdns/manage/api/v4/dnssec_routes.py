"""DNSSEC of a zone as the v4 API has it: whether it is signed, the DS for the zone above, the keys that sign."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response

from lbdns.base.wording import unknown_field
from lbdns.dnssec.zone_status import ZONE_SIGNING, KeyStatus, SigningState, ZoneStatus, algorithm_text
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.openapi import TIME, describe, nullable
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.signer import have_signer, status_of
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, own_zone
from lbdns.manage.store.item import time_text
from lbdns.manage.store.token_scopes import ZONES

ACTIVE: Final = "active"
DISABLED: Final = "disabled"
DS_TTL_S: Final = 3600
"""What a DS is shown with: the zone above has its own say."""
_DIGESTS: Final = {"2": "SHA256", "4": "SHA384"}
"""Digest types (RFC 4509, RFC 6605) as the v4 API calls them."""
_NSEC3: Final = "nsec3"
_TAGS: Final = ("active", "retired", "removed")
"""States of keys as the v4 API calls them; the others are published."""
_TEXT: Final = nullable({"type": "string"})
_FLAGS: Final = ("dnssec_multi_signer", "dnssec_presigned", "dnssec_use_nsec3")
_SHOWN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "status": {"enum": [one.value for one in SigningState]},
        **dict.fromkeys(
            ("algorithm", "digest", "digest_algorithm", "digest_type", "ds", "key_type", "public_key"), _TEXT
        ),
        **dict.fromkeys(("flags", "key_tag"), nullable({"type": "number"})),
        "modified_on": nullable(TIME),
        **{key: {"type": "boolean"} for key in _FLAGS},
    },
    "required": ["status", "ds", "key_tag", "modified_on", *_FLAGS],
    "additionalProperties": False,
}
_WRITTEN: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "status": {"enum": [ACTIVE, DISABLED, None]},
        **dict.fromkeys(_FLAGS, nullable({"type": "boolean"})),
    },
    "additionalProperties": False,
}
_ZSK: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "DNSKEY": {"type": "object"},
            "Location": {"const": "database"},
            "Name": {"type": "string"},
            "SigningKey": {"type": "object"},
            "Tag": {"enum": ["active", "publish", "retired", "removed"]},
        },
        "required": ["DNSKEY", "Location", "Name", "SigningKey", "Tag"],
        "additionalProperties": False,
    },
}

router = APIRouter(tags=["zones"], dependencies=[belongs_to(ZONES)])
ZoneId = Annotated[str, Depends(own_zone)]


@router.get("/zones/{zone_id}/dnssec", summary="Show DNSSEC", **describe(_SHOWN))
async def show_dnssec(site: CurrentSite, zone_id: ZoneId) -> Response:
    """Show whether a zone is signed, and the DS that the zone above is to have: while it lacks one, that."""
    return ok(_shown(await status_of(site, zone_id)))


@router.patch(
    "/zones/{zone_id}/dnssec", summary="Sign a zone, or stop signing it", **describe(or_dry_run(_SHOWN), _WRITTEN)
)
async def change_dnssec(
    site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Sign a zone, or have it signed no more once the zone above has lost its DS: until then it is pending-disabled."""
    before = await status_of(site, zone_id)
    # What is unsigned will be denied as the settings say, once it is signed.
    denial = before.denial or (
        site.in_force.dnssec.policy_of(before.zone).denial if body.get("status") == ACTIVE else ""
    )
    wrong = list(_wrong(body, denial))
    if wrong:
        raise invalid(*wrong)
    if body.get("dnssec_multi_signer"):
        tell("this server signs alone: there is no second signer to let in", ("dnssec_multi_signer",))
    return await _have(site, caller, zone_id, before, body.get("status"), dry_run)


@router.delete("/zones/{zone_id}/dnssec", summary="Stop signing a zone", **describe(or_dry_run({"type": "string"})))
async def delete_dnssec(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, dry_run: DryRun = False) -> Response:
    """Have a zone signed no more, as a change of its status to disabled does."""
    done = await _have(site, caller, zone_id, await status_of(site, zone_id), DISABLED, dry_run)
    return done if dry_run else ok("")


@router.get("/zones/{zone_id}/dnssec/zsk", summary="List the keys that sign a zone", **describe(_ZSK, paged=True))
async def list_zone_keys(site: CurrentSite, zone_id: ZoneId) -> Response:
    """List the keys that sign what is in a zone: its ZSKs, or its CSKs. No private key is shown."""
    status = await status_of(site, zone_id)
    return ok([_zone_key(key, status.zone) for key in status.keys if key.role in ZONE_SIGNING])


async def _have(
    site: ApiSite, caller: CurrentCaller, zone_id: str, before: ZoneStatus, wanted: str | None, dry_run: bool
) -> Response:
    """Have a zone be signed or not, as far as it is not so already."""
    is_on = before.status not in (SigningState.DISABLED, SigningState.PENDING_DISABLED)
    changes = wanted is not None and (wanted == ACTIVE) is not is_on
    if dry_run:
        return ok(_plan(site, zone_id, before, wanted if changes else None))
    status = before
    if changes:
        verb = "enable" if wanted == ACTIVE else "disable"
        given = {"algorithm": None, "keys": None} if wanted == ACTIVE else {}
        status = await have_signer(site, caller, zone_id, verb, **given)
    for text in filter(None, (status.problem, status.to_do)):
        tell(f"{status.zone}: {text}")
    return ok(_shown(status))


def _wrong(body: dict[str, Any], denial: str) -> list[tuple[str, Steps]]:
    """Return what of a body cannot be done; `denial`: how the zone denies, "" where it is unsigned and stays so."""
    known = _WRITTEN["properties"]
    found: list[tuple[str, Steps]] = [(unknown_field(key, list(known)), (key,)) for key in body.keys() - known]
    if body.get("status") not in (ACTIVE, DISABLED, None):
        found.append((f"status: expected {ACTIVE} or {DISABLED}", ("status",)))
    for name in _FLAGS:
        if not isinstance(body.get(name), bool | None):
            found.append((f"{name}: expected true or false", (name,)))
    if body.get("dnssec_presigned") is True:
        words = "dnssec_presigned: lbdns signs what it serves; keys of a zone signed elsewhere are imported"
        found.append((words, ("dnssec_presigned",)))
    nsec3 = body.get("dnssec_use_nsec3")
    if isinstance(nsec3, bool) and denial and nsec3 is not (denial == _NSEC3):
        words = f"dnssec_use_nsec3: the settings say how names are denied, dnssec.denial, now {denial}"
        found.append((words, ("dnssec_use_nsec3",)))
    return found


def _plan(site: ApiSite, zone_id: str, before: ZoneStatus, wanted: str | None) -> dict[str, Any]:
    """Return what a change would do, as other writes say it; nothing where `wanted` is None."""
    field = {"field": "dnssec.status", "before": before.status, "after": wanted}
    one = {"action": "update", "kind": "zone", "id": zone_id, "name": before.zone, "fields": [field]}
    updates = {"zone": 1} if wanted is not None else {}
    return {
        "revision": site.state.revision,
        "differences": [one] if wanted is not None else [],
        "counts": {"create": {}, "update": updates, "delete": {}},
    }


def _shown(status: ZoneStatus) -> dict[str, Any]:
    """Return a zone as the v4 API has it; of several DS that are wanted, the first that the zone above lacks."""
    lacking = [one for one in status.ds if one not in (status.parent_ds or ())]
    wanted = (lacking or list(status.ds) or [""])[0]
    key = next((one for one in status.keys if wanted and one.ds == wanted), None)
    _, _, digest_type, digest = wanted.split(maxsplit=3) if wanted else (None, None, None, None)
    return {
        "status": status.status,
        "ds": f"{status.zone}. {DS_TTL_S} IN DS {wanted}" if wanted else None,
        "digest": digest,
        "digest_type": digest_type,
        "digest_algorithm": digest_type and _DIGESTS.get(digest_type, digest_type),
        "algorithm": str(key.algorithm) if key is not None else None,
        "key_type": algorithm_text(key.algorithm) if key is not None else None,
        "flags": key.flags if key is not None else None,
        "key_tag": key.tag if key is not None else None,
        "public_key": key.public_key if key is not None else None,
        "modified_on": time_text(status.since_s) if status.since_s else None,
        "dnssec_multi_signer": False,
        "dnssec_presigned": False,
        "dnssec_use_nsec3": status.denial == _NSEC3,
    }


def _zone_key(key: KeyStatus, zone: str) -> dict[str, Any]:
    owner = f"{zone.removesuffix('.')}."
    octets = 4 + len(key.public_key) * 3 // 4 - key.public_key.count("=")
    return {
        "DNSKEY": {
            "Algorithm": key.algorithm,
            "Flags": key.flags,
            "Hdr": {"Class": 1, "Name": owner, "Rdlength": octets, "Rrtype": 48, "Ttl": DS_TTL_S},
            "Protocol": 3,
            "PublicKey": key.public_key,
        },
        "Location": "database",
        "Name": f"K{owner}+{key.algorithm:03}+{key.tag:05}",
        "SigningKey": {"kek": None, "privkey": None, "pubkey": key.public_key},
        "Tag": key.state if key.state in _TAGS else "publish",
    }
