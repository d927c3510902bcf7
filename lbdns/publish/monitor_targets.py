"""The targets document: what the monitor worker probes, as JSON beside the snapshot whose slots it names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lbdns.base.memo import ByObject
from lbdns.dns.name import encode_canonical
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.snapshot.compile.compiler import site_of
from lbdns.snapshot.slots import Slots

Answered = tuple[bool, bool]
"""Whether hostnames of a pool are answered as addresses: flattened ones, the others as well."""


class TargetsMemo:
    """The texts of pools and load balancers, for whoever writes the document again and again, one at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pools: ByObject[tuple[tuple[int, ...], Answered, str]] = ByObject()
        self.balancers: ByObject[_Balancer] = ByObject()


class _Balancer:
    """What the document and its pools take from one load balancer; the text is empty where it is disabled."""

    __slots__ = ("flattened", "owner", "text")

    def __init__(self, load_balancer: LoadBalancer) -> None:
        is_answered = load_balancer.enabled and load_balancer.type == "A"
        names = load_balancer.pool_names()
        self.owner = encode_canonical(load_balancer.name)
        self.flattened = names if is_answered else frozenset()
        self.text = json.dumps(_balancer(load_balancer, names)) if load_balancer.enabled else ""


def targets_of(configuration: Configuration, slots: Slots, generation: int, table_path: Path) -> dict[str, Any]:
    """Return the document: monitors and groups as configured, pools and endpoints with their health table slots."""
    document: dict[str, Any] = json.loads(targets_text(configuration, slots, generation, table_path, TargetsMemo()))
    return document


def targets_text(
    configuration: Configuration, slots: Slots, generation: int, table_path: Path, memo: TargetsMemo
) -> str:
    """Return the document as JSON."""
    settings = configuration.settings
    site = site_of(settings)
    head = {
        "generation": generation,
        "table": str(table_path),
        "pop": {"code": site.code, "region": site.region},
        "vantage_points": [vantage.model_dump(mode="json") for vantage in settings.vantage_points],
        "notifications": [notification.model_dump(mode="json") for notification in settings.notifications],
        "resolvers": list(settings.resolvers),
        "monitors": {name: monitor.model_dump(mode="json") for name, monitor in configuration.monitors.items()},
        "monitor_groups": {name: group.model_dump(mode="json") for name, group in configuration.monitor_groups.items()},
    }
    apexes = {zone.apex for zone in configuration.zones}
    with memo.pools.round(), memo.balancers.round():
        balancers = [_balancer_of(balancer, memo) for balancer in configuration.load_balancers]
        flattened = frozenset().union(*(one.flattened for one in balancers))
        at_apex = frozenset().union(*(one.flattened for one in balancers if one.owner in apexes))
        pools = [
            _pool_text(pool, slots, (pool.name in flattened, pool.name in at_apex), memo)
            for pool in configuration.pools.values()
        ]
    lists = {"pools": _list_text(pools), "load_balancers": _list_text(one.text for one in balancers if one.text)}
    return json.dumps(head)[:-1] + "".join(f', "{name}": {text}' for name, text in lists.items()) + "}"


def _list_text(texts: Iterable[str]) -> str:
    return "[" + ", ".join(texts) + "]"


def _balancer_of(load_balancer: LoadBalancer, memo: TargetsMemo) -> _Balancer:
    found = memo.balancers.find(load_balancer)
    if found is None:
        found = _Balancer(load_balancer)
        memo.balancers.keep(load_balancer, found)
    return found


def _balancer(load_balancer: LoadBalancer, names: frozenset[str]) -> dict[str, Any]:
    return {
        "name": load_balancer.name,
        "pools": sorted(names),
        "candidates": sorted({name for _, pools in load_balancer.pool_lists() for name in pools}),
        "fallback": load_balancer.fallback_pool,
    }


def _pool_text(pool: Pool, slots: Slots, answered: Answered, memo: TargetsMemo) -> str:
    """Return a pool's part of the document. MX and SRV give names back, and so does an endpoint that is not to be
    flattened, save at an apex."""
    numbers = (
        slots.pool[pool.name],
        *[slots.endpoint[pool.name, endpoint.name, endpoint.address] for endpoint in pool.origins],
    )
    found = memo.pools.find(pool)
    if found is None or found[:2] != (numbers, answered):
        found = (numbers, answered, json.dumps(_pool(pool, numbers[0], numbers[1:], answered)))
        memo.pools.keep(pool, found)
    return found[2]


def _pool(pool: Pool, slot: int, endpoint_slots: tuple[int, ...], answered: Answered) -> dict[str, Any]:
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
    document["slot"] = slot
    document["origins"] = [
        {
            "name": endpoint.name,
            "slot": endpoint_slot,
            "address": endpoint.address,
            "enabled": endpoint.enabled,
            "port": endpoint.port,
            "header": {name: list(values) for name, values in endpoint.header.items()},
            "weight": endpoint.weight,
            "must_resolve": pool.is_monitored or answered[0 if endpoint.flatten_cname else 1],
        }
        for endpoint, endpoint_slot in zip(pool.origins, endpoint_slots, strict=True)
    ]
    return document


def write_targets(
    configuration: Configuration,
    slots: Slots,
    generation: int,
    table_path: Path,
    path: Path,
    memo: TargetsMemo | None = None,
) -> None:
    """Write the targets document to `path`, whole or not at all, readable by its owner alone (headers may hold
    secrets)."""
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(targets_text(configuration, slots, generation, table_path, memo or TargetsMemo()))
    os.replace(partial, path)
