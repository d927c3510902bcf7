"""What is in force and what is proposed, as two views that queries can be asked of, with one and the same health.

The proposed one has the health that it would begin with, were it put in force now (first_rows.py). What nobody knows
yet of new endpoints is supposed: that they are up, and that their hostnames resolve.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.health.pool_state import effective_byte
from lbdns.health.verdict import COUNTS, HEALTHY, STATE_MASK, UNKNOWN
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.resolved import write_addresses
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.model.pool import EndpointKey
from lbdns.places.geodata import Geodata
from lbdns.publish.first_rows import begin_rows
from lbdns.snapshot.compile.compiler import compile_snapshot
from lbdns.snapshot.slots import Slots
from lbdns.steering.rules.decision_table import TooLarge

_SOMEWHERE: Final = ([ip_address("192.0.2.1").packed], [ip_address("2001:db8::1").packed])
"""What a hostname that nobody has resolved yet is supposed to lead to; no answer shows it."""
_LASTING_S: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class InForce:
    """What is served: compiled, who has which slot, its health (None: nobody measures it), what operators force."""

    snapshot: Snapshot
    slots: Slots
    table: HealthTable | None
    orders: Sequence[Forced] = ()


@dataclass(frozen=True, slots=True)
class TwoViews:
    """Today's view and the proposed one; `supposed_up`: new endpoints (POOL/ORIGIN) of which nobody knows yet whether
    they are up; `is_measured`: whether the rest is as it is measured now."""

    before: ServingView
    after: ServingView
    slots: Slots
    supposed_up: tuple[str, ...]
    is_measured: bool


def compiled(configuration: Configuration, geodata: Geodata, slots: Slots, generation: int, layout_id: int) -> Snapshot:
    """Return a configuration compiled; raises LbdnsError where its rules come to too much."""
    try:
        return compile_snapshot(configuration, geodata, slots, generation, layout_id)
    except TooLarge as error:
        raise LbdnsError(
            f"these rules come to {error.count:,} {error.what}; expected at most {error.most:,}"
        ) from error


def two_views(in_force: InForce, proposed: Configuration, geodata: Geodata, all_up: bool = False) -> TwoViews:
    """Return what is in force beside what is proposed; `all_up`: suppose every endpoint to be up in both. Raises
    LbdnsError where the proposal does not compile."""
    slots = in_force.slots.assign(proposed)
    snapshot = in_force.snapshot
    new = compiled(proposed, geodata, slots, snapshot.generation, snapshot.layout_id)
    measured = in_force.table
    with tempfile.TemporaryDirectory(prefix="lbdns-") as folder:  # mapped, they outlive it
        before = _table(Path(folder, "before"), in_force.slots, measured, snapshot.layout_id)
        after = _table(Path(folder, "after"), slots, measured, snapshot.layout_id)
        supposed: Collection[EndpointKey] = ()
        if measured is None or all_up:
            _suppose_all_up(before, in_force.slots, measured is None)
            _suppose_all_up(after, slots, measured is None)
        if measured is not None:
            begin_rows(slots, in_force.slots, after, before, () if all_up else in_force.orders)
            supposed = _suppose_new_up(after, slots, in_force)
        known = tuple(f"{pool}/{name}" for pool, name, *_ in supposed)
        return TwoViews(
            ServingView(snapshot, before), ServingView(new, after), slots, known, measured is not None and not all_up
        )


def _table(path: Path, slots: Slots, measured: HealthTable | None, layout_id: int) -> HealthTable:
    """Return a table of our own with room for these slots, and with what is measured."""
    endpoints, pools = slots.endpoint_count, slots.pool_count
    if measured is not None:
        endpoints, pools = max(endpoints, measured.endpoint_capacity), max(pools, measured.pool_capacity)
    table = HealthTable.create(path, endpoints, pools, layout_id)
    if measured is not None:
        table.copy_from(measured)
    return table


def _suppose_all_up(table: HealthTable, slots: Slots, is_resolved: bool) -> None:
    """Suppose every endpoint to be up; `is_resolved`: that hostnames lead somewhere too."""
    states = table.columns["endpoint_state"]
    for (_, _, address, *_), slot in slots.endpoint.items():
        states[slot] = HEALTHY
        if is_resolved and _is_hostname(address):
            write_addresses(table.columns, slot, *_SOMEWHERE, _LASTING_S)
    _settle_pools(table, slots, slots.pool, ())


def _suppose_new_up(table: HealthTable, slots: Slots, in_force: InForce) -> list[EndpointKey]:
    """Suppose endpoints to be up of which nothing is known, as nobody has looked at them yet; returns which."""
    former, columns = in_force.slots.endpoint, table.columns
    found = []
    for key, slot in slots.endpoint.items():
        if former.get(key) == slot or slot in slots.endpoint_origin:
            continue
        is_unknown = slots.makeup[key[0]][2] and columns["endpoint_state"][slot] & (STATE_MASK | COUNTS) == UNKNOWN
        if is_unknown:
            columns["endpoint_state"][slot] = HEALTHY
        if _is_hostname(key[2]):
            write_addresses(columns, slot, *_SOMEWHERE, _LASTING_S)
        if is_unknown or _is_hostname(key[2]):
            found.append(key)
    _settle_pools(table, slots, {key[0] for key in found}, in_force.orders)
    return found


def _settle_pools(table: HealthTable, slots: Slots, names: Collection[str], orders: Sequence[Forced]) -> None:
    """Have pools in the states that their endpoints' make, and that operators order."""
    states, now_s = table.columns["endpoint_state"], time.time()
    for name in names:
        enabled, minimum, is_monitored = slots.makeup[name]
        byte = effective_byte(
            [states[slot] for slot in enabled], minimum, is_monitored, forced.find(orders, now_s, name)
        )
        table.columns["pool_state"][slots.pool[name]] = byte


def _is_hostname(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return True
    return False
