"""DNSSEC of a zone: the DS for the zone above, keys and what happens to them next, signing begun and ended, rolls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.dns.codes import CREATED_ALGORITHMS
from lbdns.dnssec.zone_status import KeyRole, SigningState, ZoneStatus, algorithm_text
from lbdns.manage.dashboard.forms import Form, body_of, form_of
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api
from lbdns.manage.dashboard.page_router import PageRouter, render, see_other

API: Final = f"{OWN_PATH}/dnssec"
DONE: Final = {
    "enable": "The zone is signed from now on.",
    "disable": "The zone is to be signed no more.",
    "roll": "The roll has begun.",
    "ds_seen": "The zone above is taken to be as it is to be.",
}
"""What can be done here, and what is told then."""
_UNSIGNED: Final = (SigningState.DISABLED, SigningState.PENDING_DISABLED)
_AS_SET: Final = ("", "as the settings say")
_ALGORITHMS: Final = tuple((str(one), algorithm_text(one)) for one in CREATED_ALGORITHMS)
_KEYS: Final = (_AS_SET, ("csk", "one key for everything (CSK)"), ("split", "a KSK for keys, a ZSK for the rest"))

router = PageRouter()


@router.get("/zones/{zone}/dnssec")
async def show_signing(request: PageRequest) -> Response:
    """Show how a zone is signed."""
    return await _shown(request, Form())


@router.post("/zones/{zone}/dnssec/{verb}")
async def change_signing(request: PageRequest) -> Response:
    """Begin or end signing, roll a key, or say that the zone above is as it is to be."""
    fields, verb = await request.fields(), request.path_params["verb"]
    body = {key: _number(key, value) for key, value in body_of(fields).items() if value}
    path = path_of(API, request.path_params["zone"], verb)
    answer = await call_api(request, "POST", path, body=body or None if verb in ("disable", "ds_seen") else body)
    if not answer.is_success:
        return await _shown(request, form_of(fields, answer.errors), answer.status)
    request.note(DONE.get(verb, "Done."))
    return see_other(path_of("/zones", request.path_params["zone"], "dnssec"))


def _number(key: str, value: Any) -> Any:
    return int(value) if key == "algorithm" and isinstance(value, str) and value.isdecimal() else value


async def _shown(request: PageRequest, form: Form, status: int = 200) -> Response:
    id = request.path_params["zone"]
    zone = await api_result(request, path_of(V4_PATH, "zones", id))
    found = ZoneStatus.from_json(await api_result(request, path_of(API, id)))
    roles = [one for one in KeyRole if any(key.role == one for key in found.keys)]
    return render(
        request,
        "zones/dnssec.html",
        status,
        zone=zone,
        signing=found,
        form=form,
        keys=[(key, algorithm_text(key.algorithm)) for key in found.keys],
        is_on=found.status not in _UNSIGNED,
        lacks_ds=_differs(found),
        roles=[(role, role.upper()) for role in roles],
        algorithms={"new": (_AS_SET, *_ALGORITHMS), "roll": (("", "the same"), *_ALGORITHMS)},
        key_forms=_KEYS,
        api_path=path_of(API, id),
        withheld=request.refusal("POST", path_of(API, id, "disable")),
    )


def _differs(status: ZoneStatus) -> bool:
    """Tell whether the zone above is not known to be as it is to be, so that somebody may have to say that it is."""
    return bool(status.keys) and (status.parent_ds is None or set(status.parent_ds) != set(status.ds))


async def signing_told(request: PageRequest, zone_id: str) -> Mapping[str, Any] | None:
    """Return in short how a zone is signed, for its records' page; None where that is not known."""
    answer = await call_api(request, "GET", path_of(API, zone_id))
    return answer.result if answer.is_success else None
