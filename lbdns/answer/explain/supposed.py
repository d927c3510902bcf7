"""Suppositions: a view whose health is what an operator supposes; the health table itself is not touched."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.health.pool_state import effective_byte
from lbdns.health.verdict import COUNTS, HEALTHY, UNHEALTHY
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.signature_table import SignatureTable
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
    orders: Sequence[Forced] = (),
    now_s: float = 0.0,
    signatures: SignatureTable | None = None,
) -> ServingView:
    """Return a view of a snapshot with some endpoints down or up: POOL/ORIGIN patterns (`*` and `?` match).

    `measured`: the health to start from; None supposes every endpoint that has a monitor to be healthy. `orders`: what
    operators forced, as of `now_s` (unix seconds): an order for a pool holds whatever is supposed of its endpoints, one
    for an endpoint that is not named is in `measured`. `signatures`: for what is steered. Raises LbdnsError for a
    pattern that matches no endpoint.
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
        supposed = {**_matched(configuration, slots, down, UNHEALTHY), **_matched(configuration, slots, up, HEALTHY)}
        if measured is None:
            for slot in slots.endpoint.values():
                states[slot] = HEALTHY
        for slot, state in supposed.items():
            states[slot] = state | COUNTS
        for pool in configuration.pools.values():
            enabled = _slots_of(pool, slots)
            is_supposed = any(slot in supposed for slot in enabled)
            if is_supposed or measured is None:
                order = forced.find(orders, now_s, pool.name)
                byte = effective_byte(
                    [states[slot] for slot in enabled], pool.minimum_origins, pool.is_monitored, order
                )
                # A pool with a supposed endpoint shows that, as one that is forced does.
                table.columns["pool_state"][slots.pool[pool.name]] = byte | COUNTS * is_supposed
        return ServingView(snapshot, table, signatures)


def _matched(configuration: Configuration, slots: Slots, patterns: Iterable[str], state: int) -> dict[int, int]:
    """Return the slots of the endpoints that the patterns match, each with `state`."""
    found: dict[int, int] = {}
    for pattern in patterns:
        matched = {
            slots.endpoint[pool.endpoint_key(endpoint)]: state
            for pool in configuration.pools.values()
            for endpoint in pool.origins
            if fnmatchcase(f"{pool.name}/{endpoint.name}", pattern if "/" in pattern else f"{pattern}/*")
        }
        if not matched:
            raise LbdnsError(
                f'no endpoint matches "{pattern}"; expected POOL/ORIGIN, such as {_example(configuration)}'
            )
        found.update(matched)
    return found


def _example(configuration: Configuration) -> str:
    for pool in configuration.pools.values():
        return f'"{pool.name}/{pool.origins[0].name}"'
    return '"eu/eu-1"'


def _slots_of(pool: Pool, slots: Slots) -> list[int]:
    return [slots.endpoint[pool.endpoint_key(endpoint)] for endpoint in pool.origins if endpoint.is_used]
