"""Overrides: names that private load balancers answer for. The v4 API has them elsewhere, as policies of a resolver."""

from __future__ import annotations

from fastapi import APIRouter

from lbdns.base.kinds import Kind
from lbdns.base.words import OWN_PATH
from lbdns.manage.api.v4.balancing import serve_kind

router = APIRouter()


async def _no_zone() -> str:
    return ""


serve_kind(router, Kind.OVERRIDE, f"{OWN_PATH}/{Kind.OVERRIDE.section}", _no_zone)
