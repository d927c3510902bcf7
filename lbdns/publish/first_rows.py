"""What the rows of new slots begin with in the health table, written just before their generation is in force.

So the first answer from it is right: what was known of a check is known on, whatever it is called now, and a pool's
state is what its present endpoints make of it. The monitor worker, whose the table is, adopts it moments later.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.health.identity import identity
from lbdns.health.pool_state import effective_byte, pool_state
from lbdns.mapped.endpoint_rows import RowWrite
from lbdns.mapped.health_table import HealthTable
from lbdns.model.pool import EndpointKey
from lbdns.snapshot.slots import Slots


def begin_rows(
    slots: Slots,
    before: Slots,
    table: HealthTable,
    table_before: HealthTable | None,
    orders: Sequence[Forced],
) -> None:
    """Fill the rows of slots that `before` has not, from the table of the generation in force; others begin as unknown.

    `orders`: what operators force, by the names that it is known under now.
    """
    now_s = time.time()
    if slots.endpoint is not before.endpoint:
        _begin_endpoints(slots, before, table, table_before, orders, now_s)
    if slots.pool is not before.pool:
        _begin_pools(slots, before, table, table_before, orders, now_s)


def _begin_endpoints(
    slots: Slots,
    before: Slots,
    table: HealthTable,
    table_before: HealthTable | None,
    orders: Sequence[Forced],
    now_s: float,
) -> None:
    version, changes = table.columns["endpoint_version"], slots.since(before)
    for key in slots.endpoint if changes is None else changes.endpoint:
        slot = slots.endpoint.get(key)
        if slot is not None and before.endpoint.get(key) != slot:
            with RowWrite(version, slot):
                _begin_endpoint(slots, key, table, table_before, forced.find(orders, now_s, key[0], key[1]))


def _begin_endpoint(
    slots: Slots, key: EndpointKey, table: HealthTable, table_before: HealthTable | None, order: Forced | None
) -> None:
    columns, slot = table.columns, slots.endpoint[key]
    if columns["endpoint_identity"][slot]:  # a former owner's
        table.clear_endpoint(slot)
    if table_before is None:
        return  # the monitor worker is waited for, and tells of what is forced
    origin = slots.endpoint_origin.get(slot)
    if origin is not None:
        table.copy_endpoint(table_before, origin, slot)
    if origin is not None or order is not None:
        columns["endpoint_identity"][slot] = slots.tenant[key]
        columns["endpoint_state"][slot] = forced.endpoint_byte(columns["endpoint_measured"][slot], order)


def _begin_pools(
    slots: Slots,
    before: Slots,
    table: HealthTable,
    table_before: HealthTable | None,
    orders: Sequence[Forced],
    now_s: float,
) -> None:
    changes = slots.since(before)
    for name in slots.pool if changes is None else changes.pool:
        slot = slots.pool.get(name)
        if slot is not None and before.pool.get(name) != slot:
            _begin_pool(slots, name, table, table_before, forced.find(orders, now_s, name))


def _begin_pool(
    slots: Slots, name: str, table: HealthTable, table_before: HealthTable | None, order: Forced | None
) -> None:
    columns, slot = table.columns, slots.pool[name]
    if columns["pool_identity"][slot]:
        table.clear_pool(slot)
    if table_before is None:
        return
    enabled, minimum, monitored = slots.makeup[name]
    states = [columns["endpoint_state"][one] for one in enabled]
    origin = slots.pool_origin.get(slot)
    if origin is not None:
        table.copy_pool(table_before, origin, slot)
    if origin is not None or order is not None or any(states):
        measured = [columns["endpoint_measured"][one] for one in enabled]
        columns["pool_identity"][slot] = identity(name)
        columns["pool_measured"][slot] = pool_state(measured, minimum, monitored)
        columns["pool_state"][slot] = effective_byte(states, minimum, monitored, order)
