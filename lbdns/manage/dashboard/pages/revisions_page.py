"""Revisions: who changed what, what it moved, how to go back."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lbdns.base.words import OWN_PATH
from lbdns.manage.dashboard.forms import Form, body_of, form_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other

PLACE: Final = "/revisions"
REVISIONS: Final = f"{OWN_PATH}/revisions"
LISTED: Final = 50
DIFFERENCES_MAX: Final = 200
"""Objects whose fields one page shows; the JSON has all."""

router = PageRouter()


@router.get(PLACE)
async def list_revisions(request: PageRequest) -> Response:
    """List the newest, or those before `before`."""
    before = request.query_params.get("before") or None
    answer = await call_api(request, "GET", REVISIONS, {"limit": LISTED + 1, "before": before})
    found = answer.result if answer.is_success else []
    return render(
        request,
        "revisions/list.html",
        refused=[error["message"] for error in answer.errors],
        revisions=found[:LISTED],
        older=found[LISTED - 1]["revision"] if len(found) > LISTED else None,
        is_first=before is None,
        withheld=_withheld(request, 0),
    )


@router.get(f"{PLACE}/{{number}}")
async def show_revision(request: PageRequest) -> Response:
    """Show who made it, when and why, and what it changed."""
    found = await api_result(request, f"{REVISIONS}/{_number(request)}")
    newest = await api_result(request, REVISIONS, {"limit": 1})
    return render(
        request,
        "revisions/one.html",
        revision=found,
        head=newest[0]["revision"],
        withheld=_withheld(request, found["revision"]),
        **_shown(found["differences"]),
    )


@router.get(f"{PLACE}/{{number}}/restore")
async def ask_restore(request: PageRequest) -> Response:
    """Show what going back to it would change, and the form that does it."""
    return await _asked(request, Form())


@router.post(f"{PLACE}/{{number}}/restore")
async def restore_revision(request: PageRequest) -> Response:
    """Go back to it, where nothing changed since the form was shown."""
    fields = await request.fields()
    number = _number(request)
    answer = await call_api(request, "POST", f"{REVISIONS}/{number}/restore", body=body_of(fields))
    if not answer.is_success:
        return await _asked(request, form_of(fields, answer.errors), answer.status)
    request.note(f"All is as it was at revision {number}, as revision {answer.result['revision']}.")
    return see_other(f"{PLACE}/{answer.result['revision']}")


async def _asked(request: PageRequest, form: Form, status: int = 200) -> Response:
    number = _number(request)
    newest = await api_result(request, REVISIONS, {"limit": 1})
    head = newest[0]["revision"] if newest else 0
    compared = await api_result(request, f"{REVISIONS}/{head}/compare/{number}")
    body = {"based_on": head, "message": f"restore revision {number}"}
    return render(
        request,
        "revisions/restore.html",
        status,
        number=number,
        head=head,
        form=form,
        body=body,
        api_path=f"{REVISIONS}/{number}/restore",
        withheld=_withheld(request, number),
        **_shown(compared["differences"]),
    )


def _withheld(request: PageRequest, number: int) -> str:
    """Return why whoever is signed in may not go back to a revision; "" where they may."""
    return request.refusal("POST", f"{REVISIONS}/{number}/restore")


def _number(request: PageRequest) -> int:
    text = request.path_params["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise HTTPException(404, f'"{text}" is no revision')
    return int(text)


def _shown(differences: list[dict[str, Any]]) -> dict[str, Any]:
    return {"differences": differences[:DIFFERENCES_MAX], "more": max(0, len(differences) - DIFFERENCES_MAX)}
