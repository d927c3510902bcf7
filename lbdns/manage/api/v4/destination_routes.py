"""Destinations of notifications, as the v4 API's alerting has them: below /accounts/{account_id}/alerting/v3.

    /destinations/webhooks, /{id}         GET POST / GET PUT PATCH DELETE
    /destinations/pagerduty, /{id}        GET DELETE (all) / GET PUT PATCH DELETE
    /destinations/pagerduty/connect       POST: a service, by its routing key
    /destinations/pagerduty/connect/{id}  GET: that it is connected
    /destinations/eligible                GET: by what policies may tell

A webhook that is made, or gets another URL or secret, is sent a test message; how that went is in the reply's messages
and in last_success and last_failure. Secrets are never shown, and stay where a PUT does not name them.
"""

# Annotations are evaluated at once here: those of the handlers name types that are made of what is imported.

import asyncio
import time
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import DESTINATIONS, Kind
from lbdns.manage.api.frame.admission import belongs_to
from lbdns.manage.api.frame.api_errors import BAD_BODY, ApiError
from lbdns.manage.api.frame.auth import CurrentCaller
from lbdns.manage.api.frame.dry_run import DryRun, or_dry_run, planned
from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.limits import JsonObject, read_json
from lbdns.manage.api.frame.object_schemas import SHAPES
from lbdns.manage.api.frame.object_shapes import shown
from lbdns.manage.api.frame.openapi import DELETED, ID, TIME, component, describe, nullable
from lbdns.manage.api.frame.paging import OptionalPaging
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.api.frame.site import ApiSite, CurrentSite, ObjectId, own_account
from lbdns.manage.api.v4.alerting_routes import found_item, moment_text
from lbdns.manage.api.v4.balancing import BasedOn, ObjectWriter, etag
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.token_scopes import NOTIFICATIONS
from lbdns.model.subscription import Destination
from lbdns.monitor.notify.delivery import DeliveryFailed
from lbdns.monitor.notify.notification_store import Fared, destination_fared, fared_of
from lbdns.monitor.notify.webhook import CHAT_BODIES, post, test_message, webhook_type

WEBHOOKS: Final = f"/accounts/{{account_id}}/{DESTINATIONS}/{Kind.WEBHOOK.section}"
PAGERDUTY: Final = f"/accounts/{{account_id}}/{DESTINATIONS}/{Kind.PAGERDUTY.section}"
TEST_S: Final = 5.0
"""How long a test message may take."""
_HOOK, _SERVICE = SHAPES[Kind.WEBHOOK], SHAPES[Kind.PAGERDUTY]
_WEBHOOK_SHOWN: Final = component(
    "Webhook",
    {
        "type": "object",
        "properties": {
            "id": ID,
            "name": {"type": "string"},
            "url": {"type": "string"},
            "type": {"enum": ["generic", *CHAT_BODIES]},
            "created_at": TIME,
            "last_success": nullable(TIME),
            "last_failure": nullable(TIME),
        },
        "required": ["id", "name", "url", "type", "created_at", "last_success", "last_failure"],
        "additionalProperties": False,
    },
)
_ID_ALONE: Final[dict[str, Any]] = {"type": "object", "properties": {"id": ID}, "required": ["id"]}

router = APIRouter(tags=["notifications"], dependencies=[belongs_to(NOTIFICATIONS), Depends(own_account)])


@router.get(
    f"/accounts/{{account_id}}/{DESTINATIONS}/eligible",
    summary="List by what policies may tell",
    **describe({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "object"}}}),
)
def list_eligible(site: CurrentSite) -> Response:
    """List the mechanisms; mail is ready where the server has a mail server."""
    ready = {"Email": site.in_force.mail is not None, "PagerDuty": True, "Webhooks": True}
    types = {"Email": "email", "PagerDuty": "pagerduty", "Webhooks": "webhook"}
    return ok({name: [{"eligible": True, "ready": ready[name], "type": type}] for name, type in types.items()})


# --- webhooks ---


class WebhookWriter(ObjectWriter):
    """A change of a webhook, which is sent a test message then."""

    async def present(self, item: Item, body: dict[str, Any]) -> dict[str, Any]:
        """Send the test message where it may go another way than before, and show the webhook with how it does."""
        if body.keys() & {"url", "secret"}:
            await _try(self.site, item)
        return await _shown_webhook(self.site, item)


@router.get(WEBHOOKS, summary="List webhooks", **describe({"type": "array", "items": _WEBHOOK_SHOWN}, paged=True))
async def list_webhooks(site: CurrentSite, paging: OptionalPaging) -> Response:
    """List all."""
    page, info = paging.of([*site.state.all(Kind.WEBHOOK).values()])
    fared = await asyncio.to_thread(fared_of, site.settings.state_dir())
    return ok([_with_state(shown(item, site.state), fared) for item in page], info)


@router.post(WEBHOOKS, summary="Create a webhook", **describe(or_dry_run(_WEBHOOK_SHOWN), _HOOK.written))
async def create_webhook(
    site: CurrentSite, caller: CurrentCaller, request: Request, body: JsonObject, dry_run: DryRun = False
) -> Response:
    """Create a webhook, and send it a test message."""
    return await WebhookWriter(site, caller, request, Kind.WEBHOOK, "", dry_run).create(body)


@router.get(f"{WEBHOOKS}/{{id}}", summary="Show a webhook", **describe(_WEBHOOK_SHOWN))
async def show_webhook(site: CurrentSite, id: ObjectId) -> Response:
    """Show a webhook."""
    item = found_item(site.state, Kind.WEBHOOK, id)
    return ok(await _shown_webhook(site, item), headers=etag(item))


@router.put(
    f"{WEBHOOKS}/{{id}}",
    summary="Replace a webhook; a secret that is not named stays",
    **describe(or_dry_run(_WEBHOOK_SHOWN), _HOOK.written, guarded=True),
)
async def replace_webhook(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Replace a webhook, and send it a test message."""
    fields = _with_secret(site, Kind.WEBHOOK, id, body, "secret")
    return await WebhookWriter(site, caller, request, Kind.WEBHOOK, "", dry_run).replace(id, fields, based_on)


@router.patch(
    f"{WEBHOOKS}/{{id}}",
    summary="Change a webhook: only what is named; null resets a field",
    **describe(or_dry_run(_WEBHOOK_SHOWN), _HOOK.changed, guarded=True),
)
async def change_webhook(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Change a webhook."""
    fields = {**body, "secret": None} if body.get("secret") == "" else body
    return await WebhookWriter(site, caller, request, Kind.WEBHOOK, "", dry_run).patch(id, fields, based_on)


@router.delete(
    f"{WEBHOOKS}/{{id}}",
    summary="Delete a webhook that no policy names",
    **describe(or_dry_run(DELETED), guarded=True),
)
async def delete_webhook(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    dry_run: DryRun = False,
) -> Response:
    """Delete a webhook."""
    return await ObjectWriter(site, caller, request, Kind.WEBHOOK, "", dry_run).delete(id, based_on)


# --- PagerDuty ---


@router.get(
    PAGERDUTY, summary="List PagerDuty services", **describe({"type": "array", "items": _SERVICE.shown}, paged=True)
)
def list_services(site: CurrentSite, paging: OptionalPaging) -> Response:
    """List all."""
    page, info = paging.of([*site.state.all(Kind.PAGERDUTY).values()])
    return ok([shown(item, site.state) for item in page], info)


@router.delete(PAGERDUTY, summary="Delete every PagerDuty service", **describe(nullable(_ID_ALONE)))
async def delete_services(site: CurrentSite, caller: CurrentCaller, dry_run: DryRun = False) -> Response:
    """Delete all; refused while a policy names one."""
    before = site.state

    def make(edit: Edit) -> None:
        for id in [*edit.state.all(Kind.PAGERDUTY)]:
            edit.delete(Kind.PAGERDUTY, id)

    done = await site.manager.change(
        caller.author, "delete every pagerduty service", make, dry_run=dry_run, is_local=caller.local
    )
    return planned(done, before, []) if dry_run else ok(None)


@router.post(
    f"{PAGERDUTY}/connect",
    summary="Connect a PagerDuty service by its routing key",
    **describe(or_dry_run(_SERVICE.shown), _SERVICE.written),
)
async def connect_service(
    site: CurrentSite, caller: CurrentCaller, request: Request, dry_run: DryRun = False
) -> Response:
    """Connect a service: its routing key, which the v4 API asks PagerDuty for, stands in the body."""
    body = await read_json(request) if await request.body() else {}
    if not isinstance(body, dict):
        raise ApiError(400, BAD_BODY, "the body is not a JSON object; expected {...}")
    fields = body if body.get("name") or "routing_key" not in body else {**body, "name": _free_name(site)}
    return await ObjectWriter(site, caller, request, Kind.PAGERDUTY, "", dry_run).create(fields)


@router.get(f"{PAGERDUTY}/connect/{{id}}", summary="Show that a PagerDuty service is connected", **describe(_ID_ALONE))
def link_service(site: CurrentSite, id: ObjectId) -> Response:
    """Give the id of the service that was connected."""
    return ok({"id": found_item(site.state, Kind.PAGERDUTY, id).id})


@router.get(f"{PAGERDUTY}/{{id}}", summary="Show a PagerDuty service", **describe(_SERVICE.shown))
def show_service(site: CurrentSite, id: ObjectId) -> Response:
    """Show a service; this is ours, as is all that is done with one service."""
    item = found_item(site.state, Kind.PAGERDUTY, id)
    return ok(shown(item, site.state), headers=etag(item))


@router.put(
    f"{PAGERDUTY}/{{id}}",
    summary="Replace a PagerDuty service; a routing key that is not named stays",
    **describe(or_dry_run(_SERVICE.shown), _SERVICE.changed, guarded=True),
)
async def replace_service(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Replace a service."""
    fields = _with_secret(site, Kind.PAGERDUTY, id, body, "routing_key")
    return await ObjectWriter(site, caller, request, Kind.PAGERDUTY, "", dry_run).replace(id, fields, based_on)


@router.patch(
    f"{PAGERDUTY}/{{id}}",
    summary="Change a PagerDuty service: only what is named; null resets a field",
    **describe(or_dry_run(_SERVICE.shown), _SERVICE.changed, guarded=True),
)
async def change_service(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    body: JsonObject,
    dry_run: DryRun = False,
) -> Response:
    """Change a service."""
    return await ObjectWriter(site, caller, request, Kind.PAGERDUTY, "", dry_run).patch(id, body, based_on)


@router.delete(
    f"{PAGERDUTY}/{{id}}",
    summary="Delete a PagerDuty service that no policy names",
    **describe(or_dry_run(DELETED), guarded=True),
)
async def delete_service(
    site: CurrentSite,
    caller: CurrentCaller,
    request: Request,
    id: ObjectId,
    based_on: BasedOn,
    dry_run: DryRun = False,
) -> Response:
    """Delete a service."""
    return await ObjectWriter(site, caller, request, Kind.PAGERDUTY, "", dry_run).delete(id, based_on)


# --- what they share ---


def _free_name(site: ApiSite) -> str:
    """Return a name that no service has, for one that is connected without."""
    taken = {item.name for item in site.state.all(Kind.PAGERDUTY).values()}
    numbers = range(2, len(taken) + 3)
    return next(name for name in ("PagerDuty", *(f"PagerDuty {number}" for number in numbers)) if name not in taken)


def _with_secret(site: ApiSite, kind: Kind, id: str, body: dict[str, Any], field: str) -> dict[str, Any]:
    """Return the body of a PUT, with the secret that is stored where it names none: nobody can send back what is not
    shown. "" takes it away."""
    if field in body:
        return {**body, field: None} if body[field] == "" else body
    item = site.state.get(kind, id)
    kept = item.body.get(field) if item is not None else None
    return body if kept is None else {**body, field: kept}


async def _shown_webhook(site: ApiSite, item: Item) -> dict[str, Any]:
    fared = await asyncio.to_thread(fared_of, site.settings.state_dir())
    return _with_state(shown(item, site.state), fared)


def _with_state(body: dict[str, Any], fared: dict[str, Fared]) -> dict[str, Any]:
    one = fared.get(body["id"], Fared())
    return {
        **body,
        "type": webhook_type(body["url"]),
        "last_success": moment_text(one.last_success_s) if one.last_success_s else None,
        "last_failure": moment_text(one.last_failure_s) if one.last_failure_s else None,
    }


async def _try(site: ApiSite, item: Item) -> None:
    """Send a test message to a webhook, note how that went, and tell of it where it did not."""
    destination = Destination(
        mechanism="webhook",
        name=item.name,
        id=item.id,
        url=item.body["url"],
        secret=item.body.get("secret", ""),
        is_local=item.is_local,
    )
    refuses = partial(site.in_force.probe_networks.refuses, is_local=item.is_local)
    failure = ""
    try:
        async with asyncio.timeout(TEST_S):
            await post(destination, test_message(destination), lambda address: not refuses(address))
    except TimeoutError:
        failure = f"no answer within {TEST_S:.0f} s"
    except DeliveryFailed as error:
        failure = str(error)
    if failure:
        tell(f"the test message did not get through: {failure}", ("url",))
    fared = Fared(last_failure_s=time.time()) if failure else Fared(last_success_s=time.time())
    try:
        await asyncio.to_thread(destination_fared, site.settings.state_dir(), [(item.id, fared)])
    except LbdnsError as error:
        tell(f"how the test message went is not kept: {error}")
