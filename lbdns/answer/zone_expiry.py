"""How long a zone still holds (RFC 7314): of a primary's what its SOA says, of a secondary's what is left of that."""

from __future__ import annotations

import json
from typing import Final

from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import TYPE_SOA
from lbdns.dns.zone_copy import checked_path, copy_path
from lbdns.mapped.snapshot_file import SECONDARY_ZONES

_EXPIRE_AT: Final = slice(-8, -4)
"""Where in the data of an SOA its EXPIRE stands."""


def expire_s(view: ServingView, zone: int, unix_s: int) -> int | None:
    """Return for how many seconds from a time of day on a zone holds; None where it is not ready."""
    soa = view.rrset(view.columns["zone_apex"][zone], TYPE_SOA)
    if soa is None:
        return None
    whole = int.from_bytes(soa.rdatas[0][_EXPIRE_AT])
    apex = view.apex(zone)
    if view.state_dir is None or apex.hex() not in view.snapshot.meta.get(SECONDARY_ZONES, ()):
        return whole
    return max(min(whole, whole + _checked_s(view, apex) - unix_s), 0)


def _checked_s(view: ServingView, apex: bytes) -> int:
    """Return when a primary said last that the copy of a zone is the newest, in unix seconds."""
    if view.state_dir is None:
        return 0
    try:
        received_s = copy_path(view.state_dir, apex).stat().st_mtime
    except OSError:
        return 0
    try:
        return int(max(received_s, json.loads(checked_path(view.state_dir, apex).read_bytes())["checked_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return int(received_s)
