"""Suppositions: a view whose health is what an operator supposes; the health table itself is not touched."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, UNHEALTHY, UNKNOWN, pool_state
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.model.pool import Pool
from lbdns.snapshot.slots import Slots


def suppose(
    configuration: Configuration,
    snapshot: Snapshot,
    slots: Slots,
    measured: HealthTable | None,
    down: Iterable[str] = (),
    up: Iterable[str] = (),
) -> ServingView:
    """Return a view of a snapshot with some endpoints down or up: POOL/ORIGIN patterns (`*` and `?` match).

    `measured`: the health to start from; None supposes every endpoint that has a monitor to be healthy. Raises
    LbdnsError for a pattern that matches no endpoint.
    """
    with tempfile.TemporaryDirectory(prefix="lbdns-") as folder:
        table = HealthTable.create(
            Path(folder, "health"),
            measured.endpoint_capacity if measured else slots.endpoint_count,
            measured.pool_capacity if measured else slots.pool_count,
            snapshot.layout_id,
        )
        if measured is not None:
            table.copy_from(measured)
        states = table.columns["endpoint_state"]
        forced = {**_forced(configuration, slots, down, UNHEALTHY), **_forced(configuration, slots, up, HEALTHY)}
        if measured is None:
            for slot in slots.endpoint.values():
                states[slot] = HEALTHY
        for slot, state in forced.items():
            states[slot] = state | COUNTS
        for pool in configuration.pools.values():
            if measured is None or any(slot in forced for slot in _slots_of(pool, slots)):
                table.columns["pool_state"][slots.pool[pool.name]] = _pool_byte(pool, slots, states)
        return ServingView(snapshot, table)


def _forced(configuration: Configuration, slots: Slots, patterns: Iterable[str], state: int) -> dict[int, int]:
    forced: dict[int, int] = {}
    for pattern in patterns:
        matched = {
            slots.endpoint[pool.name, endpoint.name, endpoint.address]: state
            for pool in configuration.pools.values()
            for endpoint in pool.origins
            if fnmatchcase(f"{pool.name}/{endpoint.name}", pattern if "/" in pattern else f"{pattern}/*")
        }
        if not matched:
            raise LbdnsError(
                f'no endpoint matches "{pattern}"; expected POOL/ORIGIN, such as {_example(configuration)}'
            )
        forced.update(matched)
    return forced


def _example(configuration: Configuration) -> str:
    for pool in configuration.pools.values():
        return f'"{pool.name}/{pool.origins[0].name}"'
    return '"eu/eu-1"'


def _slots_of(pool: Pool, slots: Slots) -> list[int]:
    return [slots.endpoint[pool.name, endpoint.name, endpoint.address] for endpoint in pool.origins if endpoint.enabled]


def _pool_byte(pool: Pool, slots: Slots, states: memoryview) -> int:
    bytes_of = [states[slot] for slot in _slots_of(pool, slots)]
    counts = COUNTS if any(state & COUNTS for state in bytes_of) else 0
    monitored = bool(pool.monitor or pool.monitor_group)
    if not monitored:
        bytes_of = [state if state & COUNTS else UNKNOWN for state in bytes_of]
    up = sum(state & STATE_MASK == HEALTHY for state in bytes_of)
    unknown = sum(state & STATE_MASK == UNKNOWN for state in bytes_of)
    return pool_state(up, unknown, len(bytes_of), pool.minimum_origins, monitored) | counts
