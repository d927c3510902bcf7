"""Targets documents for tests, in the shape that the supervisor writes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lbdns.health.identity import identity
from lbdns.model.notification import Notification
from lbdns.model.subscribing import subscription_of
from lbdns.model.targets_document import is_name
from lbdns.monitor import targets
from lbdns.monitor.targets import Targets


def endpoint(name: str, address: str = "127.0.0.1", port: int = 0, **more: Any) -> dict[str, Any]:
    """One endpoint; `document` gives it a slot, and says whose it is."""
    fields = {"is_name": is_name(address), "port": port, "enabled": True, "host": ""}
    return {"name": name, "address": address, **fields, **more}


def pool(name: str, *endpoints: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One pool, watched by the monitor "web" unless said otherwise."""
    fields = {"monitor": "web", "monitor_group": None, "enabled": True, "minimum_origins": 1}
    return {"name": name, "endpoints": list(endpoints), **fields, **more}


def document(
    table: Path,
    *pools: dict[str, Any],
    generation: int = 1,
    monitors: dict[str, dict[str, Any]] | None = None,
    notifications: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    """A whole document, with slots in order; `notifications` as lbdns.yaml has them."""
    slots = itertools.count()
    for number, one in enumerate(pools):
        one["slot"] = number
        for each in one["endpoints"]:
            each.setdefault("slot", next(slots))
            each["pool"], each["identity"] = one["name"], identity(one["name"], each["name"], each["address"])
    web = {"type": "http", "interval": 3600, "timeout": 1, "retries": 0}
    return {
        "generation": generation,
        "table": str(table),
        "resolvers": [],
        "monitors": {"web": web, **(monitors or {})},
        "monitor_groups": {},
        "pools": list(pools),
        "load_balancers": [],
        "subscriptions": [asdict(subscription_of(Notification.model_validate(one))) for one in notifications],
        **more,
    }


def parse_targets(written: dict[str, Any]) -> Targets:
    """The content of a document, as the monitor worker reads it."""
    return targets.parse_targets(json.dumps(written).encode())
