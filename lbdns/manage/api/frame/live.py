"""What routes that ask the running server share: the server itself, or a refusal where none runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lbdns.base.words import NOT_RUNNING_CODE
from lbdns.manage.api.frame.api_errors import ApiError
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.managing import Running


def running(site: ApiSite) -> Running:
    """Return the running server; raises ApiError where there is a store alone."""
    server = site.manager.running
    if server is None:
        raise ApiError(400, NOT_RUNNING_CODE, f"no server runs on {site.manager.place}: start one with `lbdns serve`")
    return server


async def operate(site: ApiSite, op: str, request: Mapping[str, Any]) -> Any:
    """Have the running server do one of its operations; raises ApiError and LbdnsError."""
    return await running(site).operate(op, request)


async def operate_at(site: ApiSite, machine: str | None, op: str, request: Mapping[str, Any]) -> Any:
    """Have a machine of the fleet do an operation, None for the running server itself; raises ApiError and
    LbdnsError."""
    if machine is None:
        return await operate(site, op, request)
    return await operate(site, "fleet_ask", {"machine": machine, "asked": op, "request": dict(request)})
