"""Secondary DNS as the v4 API has it: TSIG keys, peers and ACLs of the account, and transfers of zones.

    /accounts/{account_id}/secondary_dns/tsigs, peers, acls     GET POST; with /{id} GET PUT DELETE
    /zones/{zone_id}/secondary_dns/incoming, outgoing           GET POST PUT DELETE
    /zones/{zone_id}/secondary_dns/force_axfr                   POST: transfer all of it now
    /zones/{zone_id}/secondary_dns/outgoing/status              GET; /enable, /disable, /force_notify POST

A key's secret stands in the answer to the POST that makes it, and in no other; a PUT without it keeps it.
"""

# Annotations are evaluated at once here: those of the handlers name types that are made of what is imported.

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import SECONDARY_DNS, Kind
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import ApiError, invalid
from lbdns.manage.api.frame.auth import Caller, CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_unused
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import TRANSFER_STATE, shown
from lbdns.manage.api.frame.openapi import DELETED, TIME, component, describe, followed, nullable
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.signer import zone_name_of
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, own_account, own_zone
from lbdns.manage.api.frame.transfers import NOTIFY, REFRESH, have_transferred, transfers_of
from lbdns.manage.api.v4.balancing import BasedOn, ObjectWriter, etag
from lbdns.manage.store.item import Item, time_text
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.token_scopes import ZONES
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus

SECRET: Final = "secret"
ENABLED: Final = "Enabled"
DISABLED: Final = "Disabled"
_ACCOUNT: Final = f"/accounts/{{account_id}}/{SECONDARY_DNS}"
_ZONE: Final = f"/zones/{{zone_id}}/{SECONDARY_DNS}"
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_STATES: Final = {
    "checked_time": nullable(TIME),
    "last_transferred_time": nullable(TIME),
    "soa_serial": nullable({"type": "integer"}),
}

router = APIRouter(tags=["secondary DNS"], dependencies=[belongs_to(ZONES)])
Owner = Annotated[str, Depends(own_account)]
ZoneId = Annotated[str, Depends(own_zone)]
Unused = Annotated[None, Depends(read_unused)]


def _shown_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema of what is shown of a kind: with the secret of a key, and how a zone stands."""
    schema = dict(SHAPES[kind].shown)
    if kind is Kind.TSIG:
        more: Mapping[str, Any] = {SECRET: {**_TEXT, "description": 'in the answer that made it; "" elsewhere'}}
    else:
        more = {name: _STATES[name] for name in TRANSFER_STATE.get(kind, ())}
    if not more:
        return schema
    inner = followed(schema)
    properties = {**inner["properties"], **more}
    made = {**inner, "properties": properties, "required": [*inner["required"], *more]}
    return component(f"{kind.value.title().replace('_', '')}Shown", made)


class KeyWriter(ObjectWriter):
    """A change of a TSIG key."""

    async def present(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Show the key, with the secret where it was just made."""
        return _key(self.site, item, item.body.get(SECRET, "") if self.request.method == "POST" else "")


class PlainWriter(ObjectWriter):
    """A change of a peer, or of an ACL."""

    async def present(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Show it."""
        return shown(item, self.site.state)


class TransferWriter(ObjectWriter):
    """A change of a zone's transfers."""

    async def present(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Show it, with how the zone stands."""
        return await _transfer(self.site, item)


def _serve_account(kind: Kind, writer: type[ObjectWriter]) -> None:
    """Add the routes of a kind of objects of the account."""
    path = f"{_ACCOUNT}/{kind.section}"
    one, schema, written = f"{path}/{{id}}", _shown_schema(kind), SHAPES[kind].written

    @router.get(path, summary=f"List {kind.plural}", **describe({"type": "array", "items": schema}, paged=True))
    def list_all(site: CurrentSite, owner: Owner, paging: OptionalPaging) -> Response:
        page, info = paging.of([*site.state.all(kind).values()])
        return ok([_plain(site, item) for item in page], info)

    @router.post(path, summary=f"Create a {kind.words}", **describe(or_dry_run(schema), written))
    async def create(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        return await writer(site, caller, request, kind, "", dry_run).create(body)

    @router.get(one, summary=f"Show a {kind.words}", **describe(schema))
    def show(site: CurrentSite, owner: Owner, id: ObjectId) -> Response:
        item = site.state.get(kind, id)
        if item is None:
            raise NotFound(kind, id)
        return ok(_plain(site, item), headers=etag(item))

    @router.put(
        one, summary=f"Replace a {kind.words}", **describe(or_dry_run(schema), SHAPES[kind].changed, guarded=True)
    )
    async def replace(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        id: ObjectId,
        based_on: BasedOn,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        item = site.state.get(kind, id)
        if kind is Kind.TSIG and item is not None and not body.get(SECRET):
            body = {**body, SECRET: item.body.get(SECRET)}  # nobody can send back what is not shown
        return await writer(site, caller, request, kind, "", dry_run).replace(id, body, based_on)

    @router.delete(one, summary=f"Delete a {kind.words}", **describe(or_dry_run(DELETED), guarded=True))
    async def delete(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        owner: Owner,
        id: ObjectId,
        based_on: BasedOn,
        dry_run: DryRun = False,
    ) -> Response:
        return await writer(site, caller, request, kind, "", dry_run).delete(id, based_on)


def _serve_zone(kind: Kind, path: str, kept: tuple[str, ...] = ()) -> None:
    """Add the routes of a zone's incoming or outgoing transfer; `kept`: what a PUT leaves where it does not name it."""
    schema, shapes = _shown_schema(kind), SHAPES[kind]

    @router.get(path, summary=f"Show a zone's {kind.words}", **describe(schema))
    async def show(site: CurrentSite, zone_id: ZoneId) -> Response:
        item = _found(site, kind, zone_id)
        return ok(await _transfer(site, item), headers=etag(item))

    @router.post(path, summary=f"Create a zone's {kind.words}", **describe(or_dry_run(schema), shapes.written))
    async def create(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        zone_id: ZoneId,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        fields = _of_zone(site, zone_id, body)
        if _transfer_of(site, kind, zone_id) is not None:
            raise invalid((f"the zone has its {kind.words} already; PUT changes it", ("name",)))
        return await TransferWriter(site, caller, request, kind, zone_id, dry_run).create(fields)

    @router.put(
        path, summary=f"Replace a zone's {kind.words}", **describe(or_dry_run(schema), shapes.written, guarded=True)
    )
    async def replace(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        zone_id: ZoneId,
        based_on: BasedOn,
        body: JsonObject,
        dry_run: DryRun = False,
    ) -> Response:
        item = _transfer_of(site, kind, zone_id)
        if item is None:
            return await create(site, caller, request, zone_id, body, dry_run)
        fields = {**{key: item.body[key] for key in kept if key in item.body}, **_of_zone(site, zone_id, body)}
        return await TransferWriter(site, caller, request, kind, zone_id, dry_run).replace(item.id, fields, based_on)

    @router.delete(path, summary=f"Delete a zone's {kind.words}", **describe(or_dry_run(DELETED), guarded=True))
    async def delete(
        site: CurrentSite,
        caller: CurrentCaller,
        request: Request,
        zone_id: ZoneId,
        based_on: BasedOn,
        dry_run: DryRun = False,
    ) -> Response:
        item = _found(site, kind, zone_id)
        return await TransferWriter(site, caller, request, kind, zone_id, dry_run).delete(item.id, based_on)


_serve_account(Kind.TSIG, KeyWriter)
_serve_account(Kind.PEER, PlainWriter)
_serve_account(Kind.ACL, PlainWriter)
_serve_zone(Kind.INCOMING, f"{_ZONE}/incoming")
_serve_zone(Kind.OUTGOING, f"{_ZONE}/outgoing", ("enabled", "steered"))


@router.post(f"{_ZONE}/force_axfr", summary="Transfer all of a secondary zone now", **describe(_TEXT))
async def force_axfr(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, unused: Unused) -> Response:
    """Have all of a zone transferred by AXFR, and answer when that is done, or has failed."""
    status = await have_transferred(site, caller, REFRESH, zone_name_of(site, zone_id), force=True)
    if status.problem:
        raise LbdnsError(status.problem)
    return ok("OK")


@router.get(f"{_ZONE}/outgoing/status", summary="Show whether a zone may be transferred", **describe(_TEXT))
def show_outgoing_status(site: CurrentSite, zone_id: ZoneId) -> Response:
    """Show whether a zone's outgoing transfer is enabled."""
    return ok(ENABLED if _found(site, Kind.OUTGOING, zone_id).body.get("enabled", True) else DISABLED)


@router.post(f"{_ZONE}/outgoing/enable", summary="Let a zone be transferred", **describe(or_dry_run(_TEXT)))
async def enable_outgoing(
    site: CurrentSite, caller: CurrentCaller, request: Request, zone_id: ZoneId, unused: Unused, dry_run: DryRun = False
) -> Response:
    """Let a zone's peers have it from now on."""
    return await _switch(site, caller, request, zone_id, True, dry_run)


@router.post(f"{_ZONE}/outgoing/disable", summary="Let a zone be transferred no more", **describe(or_dry_run(_TEXT)))
async def disable_outgoing(
    site: CurrentSite, caller: CurrentCaller, request: Request, zone_id: ZoneId, unused: Unused, dry_run: DryRun = False
) -> Response:
    """Refuse a zone to its peers from now on, and tell them of changes no more."""
    return await _switch(site, caller, request, zone_id, False, dry_run)


@router.post(f"{_ZONE}/outgoing/force_notify", summary="Tell a zone's peers to look at it", **describe(_TEXT))
async def force_notify(site: CurrentSite, caller: CurrentCaller, zone_id: ZoneId, unused: Unused) -> Response:
    """Send NOTIFY now to whoever is told of a zone's changes."""
    await have_transferred(site, caller, NOTIFY, zone_name_of(site, zone_id))
    return ok("OK")


# --- what they share ---


async def _switch(
    site: ApiSite, caller: Caller, request: Request, zone_id: str, enabled: bool, dry_run: bool
) -> Response:
    item = _found(site, Kind.OUTGOING, zone_id)
    writer = TransferWriter(site, caller, request, Kind.OUTGOING, zone_id, dry_run)
    done = await writer.patch(item.id, {"enabled": enabled}, None)
    return done if dry_run or done.status_code != 200 else ok(ENABLED if enabled else DISABLED)


def _found(site: ApiSite, kind: Kind, zone_id: str) -> Item:
    item = _transfer_of(site, kind, zone_id)
    if item is None:
        raise NotFound(kind, zone_id)
    return item


def _transfer_of(site: ApiSite, kind: Kind, zone_id: str) -> Item | None:
    """Return a zone's incoming or outgoing transfer, None where it has none."""
    return next((item for item in site.state.all(kind).values() if item.zone_id == zone_id), None)


def _of_zone(site: ApiSite, zone_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a body that names a zone, that of the path where it names none."""
    return body if body.get("name") is not None else {**body, "name": zone_name_of(site, zone_id)}


def _name(text: str) -> str:
    try:
        return show_name(encode_canonical(text))
    except BadName:
        return ""


def _plain(site: ApiSite, item: Item) -> dict[str, Any]:
    return _key(site, item, "") if item.kind is Kind.TSIG else shown(item, site.state)


def _key(site: ApiSite, item: Item, secret: str) -> dict[str, Any]:
    return {**shown(item, site.state), SECRET: secret}


async def _transfer(site: ApiSite, item: Item) -> dict[str, Any]:
    """Return a zone's transfer, with how it stands where a server runs that knows."""
    status = await _status(site, _name(item.name))
    told = {
        "checked_time": status.last_check_s if status is not None else None,
        "last_transferred_time": status.last_transfer_s if status is not None else None,
    }
    serial = status.serial if status is not None else None
    state = {**{key: time_text(at_s) if at_s else None for key, at_s in told.items()}, "soa_serial": serial}
    body = {key: value for key, value in shown(item, site.state).items() if key != "zone_name"}
    return {**body, **{name: state[name] for name in TRANSFER_STATE[item.kind]}}


async def _status(site: ApiSite, zone: str) -> ZoneTransferStatus | None:
    if site.manager.running is None:
        return None
    try:
        found = await transfers_of(site, zone)
    except (ApiError, LbdnsError):
        return None
    return found[0] if found else None
