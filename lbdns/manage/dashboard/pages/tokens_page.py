"""Tokens: list, make, revoke. The text of a new one is shown once."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.forms import Form, body_of, form_of
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, call_api, checked
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other
from lbdns.manage.store.token_scopes import AREAS, LOAD_BALANCERS, NOTIFICATIONS, POOLS, READ, WRITE, ZONES

TOKENS = f"{OWN_PATH}/tokens"
PLACE = "/tokens"
BELONGS: Final = {
    LOAD_BALANCERS: "Load balancers, and counts of their traffic",
    POOLS: "Pools, monitors and health",
    ZONES: "Zones and records",
    NOTIFICATIONS: "Who is told of what, silences, and what was sent",
}
"""What belongs to each area, in words."""
SCOPES: Final = (
    (WRITE, "Everything: read and change"),
    (READ, "Everything: read"),
    *(
        (f"{area}:{verb}", f"{BELONGS[area]}: {'change' if verb == WRITE else READ}")
        for area in AREAS
        for verb in (WRITE, READ)
    ),
)

router = PageRouter()


@router.get(PLACE)
async def list_tokens(request: PageRequest) -> Response:
    """List them, with the form for a new one."""
    return await _shown(request, Form())


@router.post(PLACE)
async def create_token(request: PageRequest) -> Response:
    """Make one and show its text."""
    fields = await request.fields()
    body = body_of(fields)
    answer = await call_api(request, "POST", TOKENS, body=body)
    if not answer.is_success:
        return await _shown(request, form_of(fields, answer.errors), answer.status)
    made = answer.result
    request.note(f"The token {made['name']} is made. Keep it: it is not shown again.", secret=made["value"])
    for message in answer.messages:
        request.note(message["message"], "warning")
    return see_other(PLACE)


@router.post(f"{PLACE}/{{id}}/revoke")
async def revoke_token(request: PageRequest) -> Response:
    """Revoke one: it is refused from now on."""
    revoked = checked(await call_api(request, "DELETE", path_of(TOKENS, request.path_params["id"]))).result
    request.note(f"The token {revoked['name']} is revoked: it is refused from now on.")
    return see_other(PLACE)


async def _shown(request: PageRequest, form: Form, status: int = 200) -> Response:
    answer = await call_api(request, "GET", TOKENS)
    tokens = answer.result if answer.is_success else None
    refused = [error["message"] for error in answer.errors]
    return render(
        request, "tokens.html", status, tokens=tokens, refused=refused, form=form, scopes=SCOPES, api_path=TOKENS
    )
