"""The targets document: what the monitor worker probes, as JSON beside the snapshot whose slots it names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from lbdns.model import Configuration, Pool
from lbdns.snapshot.compile import site_of
from lbdns.snapshot.slots import Slots
from lbdns.snapshot.wirenames import wire_name


def targets_of(configuration: Configuration, slots: Slots, generation: int, table_path: Path) -> dict[str, Any]:
    """Return the document: monitors and groups as configured, pools and endpoints with their health table slots."""
    settings = configuration.settings
    site = site_of(settings)
    answered = _flattened_in(configuration)
    return {
        "generation": generation,
        "table": str(table_path),
        "pop": {"code": site.code, "region": site.region},
        "vantage_points": [vantage.model_dump(mode="json") for vantage in settings.vantage_points],
        "notifications": [notification.model_dump(mode="json") for notification in settings.notifications],
        "resolvers": list(settings.resolvers),
        "monitors": {name: monitor.model_dump(mode="json") for name, monitor in configuration.monitors.items()},
        "monitor_groups": {name: group.model_dump(mode="json") for name, group in configuration.monitor_groups.items()},
        "pools": [_pool(pool, slots, answered[pool.name]) for pool in configuration.pools.values()],
        "load_balancers": [
            {
                "name": load_balancer.name,
                "pools": sorted(load_balancer.pool_names()),
                "candidates": sorted({name for _, pools in load_balancer.pool_lists() for name in pools}),
                "fallback": load_balancer.fallback_pool,
            }
            for load_balancer in configuration.load_balancers
            if load_balancer.enabled
        ],
    }


def _flattened_in(configuration: Configuration) -> dict[str, tuple[bool, bool]]:
    """Return for each pool whether hostnames of it are answered as addresses: (flattened ones, the others as well).

    MX and SRV give names back, and so does an endpoint that is not to be flattened, save at an apex.
    """
    apexes = {zone.apex for zone in configuration.zones}
    found = {name: (False, False) for name in configuration.pools}
    for load_balancer in configuration.load_balancers:
        if load_balancer.enabled and load_balancer.type == "A":
            at_apex = wire_name(load_balancer.name) in apexes
            for name in load_balancer.pool_names():
                found[name] = (True, found[name][1] or at_apex)
    return found


def _pool(pool: Pool, slots: Slots, answered: tuple[bool, bool]) -> dict[str, Any]:
    is_monitored = bool(pool.monitor or pool.monitor_group)
    document = pool.model_dump(
        mode="json",
        include={
            "name",
            "minimum_origins",
            "monitor",
            "monitor_group",
            "enabled",
            "latitude",
            "longitude",
            "check_regions",
            "notification_filter",
        },
    )
    document["slot"] = slots.pool[pool.name]
    document["origins"] = [
        {
            "name": endpoint.name,
            "slot": slots.endpoint[pool.name, endpoint.name, endpoint.address],
            "address": endpoint.address,
            "enabled": endpoint.enabled,
            "port": endpoint.port,
            "header": {name: list(values) for name, values in endpoint.header.items()},
            "weight": endpoint.weight,
            "must_resolve": is_monitored or answered[0 if endpoint.flatten_cname else 1],
        }
        for endpoint in pool.origins
    ]
    return document


def write_targets(configuration: Configuration, slots: Slots, generation: int, table_path: Path, path: Path) -> None:
    """Write the targets document to `path`, whole or not at all, readable by its owner alone (headers may hold
    secrets)."""
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(targets_of(configuration, slots, generation, table_path), file)
    os.replace(partial, path)
