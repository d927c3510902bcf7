"""Since when a pool, and each of its endpoints, is disabled: the v4 API's `disabled_at`. No body says it: it follows
from the changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Item

DisabledAt = tuple[tuple[str, str], ...]
"""(an endpoint's `origin_key`, or "" for the pool itself; RFC 3339 time) of whatever is disabled."""


def origin_key(origin: Mapping[str, Any]) -> str:
    """Return what tells an endpoint of a stored pool from its others: its address, and the network that it names."""
    network = origin.get("virtual_network_id")
    return f"{origin['address']} {network}" if network else str(origin["address"])


def disabled_at(kind: Kind, body: Mapping[str, Any], before: Item | None, now: str) -> DisabledAt:
    """Return since when parts of an object are disabled that has a body from `now` on, and was `before` until now."""
    if kind is not Kind.POOL:
        return ()
    known = dict(before.disabled_at) if before is not None else {}
    old = set(_disabled(before.body)) if before is not None else set()
    # An earlier release noted no times: what was disabled under it has none.
    return tuple((key, known.get(key, now)) for key in _disabled(body) if key in known or key not in old)


def _disabled(body: Mapping[str, Any]) -> Iterator[str]:
    if body.get("enabled", True) is False:
        yield ""
    for origin in body.get("origins", ()):
        if origin.get("enabled", True) is False:
            yield origin_key(origin)
