"""The health of the ways into virtual networks: a row each in the health table, and an event for each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from lbdns.health.events import HealthChange, lasted_s
from lbdns.health.way_faults import WAY_DOWN, WAY_UP, WAY_WORDS, way_identity
from lbdns.mapped.columns import NETWORK_ROWS
from lbdns.monitor.ledger.ledger import Ledger
from lbdns.monitor.ways.way import Way

_COLUMNS: Final = ("network_identity", "network_state", "network_fault", "network_since")


class NetworkStates:
    """What is known of the ways of the generation in force."""

    def __init__(self, ledger: Ledger, report: Callable[[HealthChange], None]) -> None:
        """Show them in the ledger's table; `report` is told every change."""
        self._ledger = ledger
        self._report = report
        self._known: dict[int, tuple[int, int, float]] = {}  # state, fault, since, by the network's identity

    def adopt(self, ways: Sequence[Way]) -> None:
        """Write the rows of a generation's networks: what is known of one goes with it to another slot, and a worker
        that begins takes what the one before it knew."""
        columns = self._ledger.table.columns
        ours, state, fault, since = (columns[name] for name in _COLUMNS)
        for slot in range(NETWORK_ROWS):
            if ours[slot]:
                self._known.setdefault(ours[slot], (state[slot], fault[slot], since[slot]))
        by_slot = {way.target.slot: way for way in ways}
        kept = {}
        for slot in range(NETWORK_ROWS):
            way = by_slot.get(slot)
            mine = _identity(way) if way is not None else 0
            row = self._known.get(mine, (0, 0, 0.0)) if mine else (0, 0, 0.0)
            if (ours[slot], state[slot], fault[slot], since[slot]) != (mine, *row):
                ours[slot] = mine
                state[slot], fault[slot], since[slot] = row
            if mine:
                kept[mine] = row
        self._known = kept

    def take(self, way: Way) -> None:
        """Take it that a way's fault is another, or is known for the first time."""
        slot, mine, now_s = way.target.slot, _identity(way), time.time()
        before, _, since_s = self._known.get(mine, (0, 0, 0.0))
        after = WAY_DOWN if way.fault else WAY_UP
        row = after, int(way.fault), since_s if after == before else now_s
        self._known[mine] = row
        if slot < NETWORK_ROWS:
            columns = self._ledger.table.columns
            columns["network_fault"][slot] = row[1]
            columns["network_state"][slot] = row[0]
            columns["network_since"][slot] = row[2]
        if after == before:
            return
        self._report(
            HealthChange(
                at_s=now_s,
                kind="virtual_network",
                name=way.name,
                before=WAY_WORDS[before],
                after=WAY_WORDS[after],
                network=way.name,
                detail=way.told(way.fault),
                was_for_s=lasted_s(since_s, now_s),
            )
        )


def _identity(way: Way) -> int:
    target = way.target
    return way_identity(target.name, target.source, target.device, target.namespace, target.proxy)
