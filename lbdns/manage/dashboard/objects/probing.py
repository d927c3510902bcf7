"""Probes at once: the API's previews, from a button to the page of what they found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from lbdns.base.kinds import Kind
from lbdns.base.words import SET_BY_SERVER
from lbdns.manage.dashboard.objects.desks import account_path
from lbdns.manage.dashboard.objects.object_desk import names_of
from lbdns.manage.dashboard.page_calls import path_of
from lbdns.manage.dashboard.page_request import PageRequest, api_result, call_api, checked
from lbdns.manage.dashboard.page_router import render, see_other


async def probe(request: PageRequest, path: str, monitor: Mapping[str, Any], place: str) -> Response:
    """Have what lies at an API's path probed as a monitor says, and lead to the page of what is found.

    `place`: the page that it is asked from.
    """
    body = {key: value for key, value in monitor.items() if key not in (*SET_BY_SERVER, "name")}
    begun = checked(await call_api(request, "POST", path_of(path, "preview"), body=body)).result
    return see_other(path_of(place, "probe", begun["preview_id"]))


async def shown_probe(request: PageRequest, words: str, back: str) -> Response:
    """Show what probes found; the API waits for those under way."""
    found = await api_result(
        request, account_path(request, "load_balancers", "preview", request.path_params["preview"])
    )
    names = await names_of(request, (Kind.POOL,))
    return render(request, "objects/probe.html", found=found, names=names, words=words, back=back, kind=Kind.POOL)
