"""Targets documents for tests, in the shape that the supervisor writes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any


def endpoint(name: str, address: str = "127.0.0.1", port: int = 0, **more: Any) -> dict[str, Any]:
    """One endpoint; `document` gives it a slot."""
    return {"name": name, "address": address, "port": port, "enabled": True, "header": {}, "weight": 1, **more}


def pool(name: str, *origins: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One pool, watched by the monitor "web" unless said otherwise."""
    fields = {"monitor": "web", "monitor_group": None, "enabled": True, "minimum_origins": 1}
    return {"name": name, "origins": list(origins), **fields, **more}


def document(
    table: Path,
    *pools: dict[str, Any],
    generation: int = 1,
    monitors: dict[str, dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A whole document, with slots in order."""
    slots = itertools.count()
    for number, one in enumerate(pools):
        one["slot"] = number
        for origin in one["origins"]:
            origin.setdefault("slot", next(slots))
    web = {"type": "http", "interval": 3600, "timeout": 1, "retries": 0}
    return {
        "generation": generation,
        "table": str(table),
        "resolvers": [],
        "monitors": {"web": web, **(monitors or {})},
        "monitor_groups": {},
        "pools": list(pools),
        "load_balancers": [],
        **more,
    }
