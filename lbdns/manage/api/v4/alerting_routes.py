"""Notification policies, as the v4 API's alerting has them: below /accounts/{account_id}/alerting/v3.

    /policies, /policies/{id}    GET POST / GET PUT PATCH DELETE
    /available_alerts            GET: what a policy may tell of, and by which filters
    /history                     GET: what was sent, newest first

A PUT changes what it names, as a PATCH does: the v4 API's documents require nothing of it. A policy goes with its
silences.
"""

# Annotations are evaluated at once here: those of the handlers name types that are made of what is imported.

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Query, Request, Response

from lbdns.base.kinds import ALERTING, Kind
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import invalid
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import shown
from lbdns.manage.api.frame.openapi import DELETED, ID, TIME, describe
from lbdns.manage.api.frame.paging import OptionalPaging, PageInfo, Paging, paged
from lbdns.manage.api.frame.site import CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.balancing import BasedOn, ObjectWriter, etag
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.refusals import NotFound
from lbdns.manage.store.state import State
from lbdns.manage.store.token_scopes import NOTIFICATIONS
from lbdns.model.alerting import ENABLEMENT_ALERT, HEALTH_ALERT, parse_moment
from lbdns.model.bounds import MAX_MOMENT_CHARS
from lbdns.monitor.notify.notification_store import Sent, sent_between

ALERTING_PATH: Final = f"/accounts/{{account_id}}/{ALERTING}"
POLICIES: Final = f"{ALERTING_PATH}/{Kind.POLICY.section}"
HISTORY_PER_PAGE: Final = 25
HISTORY_PER_PAGE_MAX: Final = 1000
_POLICY: Final = SHAPES[Kind.POLICY]
_TEXT: Final[dict[str, Any]] = {"type": "string"}

_POOLS: Final[dict[str, Any]] = {
    "AvailableValues": None,
    "ComparisonOperator": "==",
    "Key": "pool_id",
    "Optional": True,
    "Range": "1-n",
}


def _values(key: str, **described: str) -> dict[str, Any]:
    values = [{"Description": text, "ID": id} for id, text in described.items()]
    return {**_POOLS, "AvailableValues": values, "Key": key}


_AVAILABLE: Final = {
    "Load Balancing": [
        {
            "description": "Pools that are enabled or disabled, and endpoints of theirs.",
            "display_name": "Pool Enablement",
            "filter_options": [_POOLS, _values("enabled", true="Enabled", false="Disabled")],
            "type": ENABLEMENT_ALERT,
        },
        {
            "description": "Changes of the health of pools and endpoints.",
            "display_name": "Load Balancing Health Alert",
            "filter_options": [
                _POOLS,
                _values("new_health", Healthy="Healthy", Unhealthy="Unhealthy, degraded or critical"),
                _values("event_source", pool="A pool's health", origin="An endpoint's health"),
            ],
            "type": HEALTH_ALERT,
        },
    ]
}
"""What there is to tell of, in the shape of the v4 API."""
_SENT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "id": ID,
        "name": _TEXT,
        "description": _TEXT,
        "alert_body": _TEXT,
        "alert_type": _TEXT,
        "mechanism": _TEXT,
        "mechanism_type": {"enum": ["email", "pagerduty", "webhook"]},
        "sent": TIME,
        "policy_id": ID,
    },
    "required": ["id", "name", "alert_body", "alert_type", "mechanism", "mechanism_type", "sent", "policy_id"],
    "additionalProperties": False,
}

When = Annotated[str | None, Query(max_length=MAX_MOMENT_CHARS, description="RFC 3339")]

router = APIRouter(tags=["notifications"], dependencies=[belongs_to(NOTIFICATIONS), Depends(own_account)])


@router.get(
    f"{ALERTING_PATH}/available_alerts",
    summary="List what policies may tell of",
    **describe({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}}),
)
def list_available() -> Response:
    """List the alert types and the filters of each."""
    return ok(_AVAILABLE)


@router.get(POLICIES, summary="List policies", **describe({"type": "array", "items": _POLICY.shown}, paged=True))
def list_policies(site: CurrentSite, paging: OptionalPaging) -> Response:
    """List all."""
    state = site.state
    page, info = paging.of([*state.all(Kind.POLICY).values()])
    return ok([shown(item, state) for item in page], info)


@router.post(POLICIES, summary="Create a policy", **describe(or_dry_run(_POLICY.shown), _POLICY.written))
async def create_policy(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Create a policy."""
    return await ObjectWriter(site, caller, request, Kind.POLICY, "", dry_run).create(body)


@router.get(f"{POLICIES}/{{id}}", summary="Show a policy", **describe(_POLICY.shown))
def show_policy(site: CurrentSite, id: ObjectId) -> Response:
    """Show a policy."""
    item = found_item(site.state, Kind.POLICY, id)
    return ok(shown(item, site.state), headers=etag(item))


@router.put(
    f"{POLICIES}/{{id}}",
    summary="Change a policy: only what is named; null resets a field",
    **describe(or_dry_run(_POLICY.shown), _POLICY.changed, guarded=True),
)
@router.patch(
    f"{POLICIES}/{{id}}",
    summary="Change a policy: only what is named; null resets a field",
    **describe(or_dry_run(_POLICY.shown), _POLICY.changed, guarded=True),
)
async def change_policy(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Change a policy."""
    return await ObjectWriter(site, caller, request, Kind.POLICY, "", dry_run).patch(id, body, based_on)


@router.delete(
    f"{POLICIES}/{{id}}", summary="Delete a policy and its silences", **describe(or_dry_run(DELETED), guarded=True)
)
async def delete_policy(
    site: CurrentSite, caller: CurrentCaller, id: ObjectId, based_on: BasedOn, dry_run: DryRun = False
) -> Response:
    """Delete a policy; its silences go with it."""
    before = site.state
    item = found_item(before, Kind.POLICY, id)

    def make(edit: Edit) -> None:
        if based_on is not None:
            edit.expect(Kind.POLICY, id, based_on)
        for silence in [*edit.state.all(Kind.SILENCE).values()]:
            if silence.body.get("policy_id") == id:
                edit.delete(Kind.SILENCE, silence.id)
        edit.delete(Kind.POLICY, id)

    words = f'delete {Kind.POLICY.words} "{item.name}"'
    done = await site.manager.change(caller.author, words, make, dry_run=dry_run, is_local=caller.local)
    return planned(done, before, []) if dry_run else ok({"id": id})


@router.get(
    f"{ALERTING_PATH}/history", summary="List what was sent", **describe({"type": "array", "items": _SENT}, paged=True)
)
async def list_history(
    site: CurrentSite,
    paging: Annotated[Paging, paged(HISTORY_PER_PAGE, HISTORY_PER_PAGE_MAX)],
    since: When = None,
    before: When = None,
) -> Response:
    """List the messages that got through, newest first: of policies, and of lbdns.yaml's `notifications`."""
    since_s, before_s = asked_time("since", since), asked_time("before", before)
    directory = site.settings.state_dir()
    rows, total = await asyncio.to_thread(sent_between, directory, since_s, before_s, paging.page, paging.per_page)
    return ok([_sent(one) for one in rows], PageInfo(paging.page, paging.per_page, len(rows), total))


def _sent(one: Sent) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "alert_body": one.alert_body,
        "alert_type": one.alert_type,
        "mechanism": one.mechanism,
        "mechanism_type": one.mechanism_type,
        "sent": moment_text(one.sent_s),
        "policy_id": one.policy_id,
    }


def found_item(state: State, kind: Kind, id: str) -> Item:
    """Return an object; raises NotFound."""
    item = state.get(kind, id)
    if item is None:
        raise NotFound(kind, id)
    return item


def moment_text(at_s: float) -> str:
    """Return unix seconds as RFC 3339, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def asked_time(parameter: str, text: str | None) -> float | None:
    """Return the unix seconds that a query parameter says; raises ApiError."""
    if not text:
        return None
    try:
        return parse_moment(unquote(text).replace(" ", "+"))  # an offset's sign that nobody escaped
    except ValueError as error:
        raise invalid((f"{parameter}: {error}", None)) from None
