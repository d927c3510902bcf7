"""A steering view with the health of one moment, which may be supposed otherwise for a while.

The health table changes while it is read, and belongs to the monitor worker. What the signer works out ahead needs a
health that stands still, and one that differs in an endpoint or a pool: this view has its own copy of the two columns
that decide answers. Addresses of hostnames are read where they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lbdns.health.verdict import COUNTS, CRITICAL, HEALTHY, STATE_MASK, TAKES_TRAFFIC, UNHEALTHY
from lbdns.steering.kernel.numbers import POOL_MONITORED
from lbdns.steering.kernel.view import View

HELD: Final = ("endpoint_state", "pool_state")
"""The columns of the health table that a copy is held of."""


class SupposedHealth:
    """A snapshot's columns paired with held health.

    `columns`: those of the snapshot; `view`: what the kernel's functions take; `endpoint_slots`, `pool_slots`: how many
    there are.
    """

    def __init__(self, columns: Mapping[str, memoryview], health: Mapping[str, memoryview], region: int) -> None:
        """Hold the health of now. `region`: the index of the PoP's region, -1 where unknown."""
        self.columns = columns
        self._health = health
        self._held = {name: bytearray(health[name]) for name in HELD}
        views = {name: memoryview(held) for name, held in self._held.items()}
        self.view = View(columns, {**health, **views}, region)
        self._resolved = bytes(health["resolved_version"])

    def refresh(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hold the health of now; return the slots of endpoints and of pools that are not as they were held: their
        state, or a hostname's addresses."""
        changed = []
        for name in HELD:
            now = bytes(self._health[name])
            held = self._held[name]
            changed.append(_differing(held, now, np.uint8) if held != now else _NONE)
            held[:] = now
        resolved = bytes(self._health["resolved_version"])
        if resolved != self._resolved:
            changed[0] = np.union1d(changed[0], _differing(self._resolved, resolved, np.uint32))
            self._resolved = resolved
        return changed[0], changed[1]

    def counts(self, pool: int) -> bool:
        """Return whether a pool's health counts now: a monitor looks after it, or an operator forced its state or an
        endpoint's."""
        columns = self.columns
        if columns["pool_flags"][pool] & POOL_MONITORED:
            return True
        first = columns["pool_endpoint_start"][pool]
        slots = columns["endpoint_slot"][first : first + columns["pool_endpoint_count"][pool]]
        states = [self._health["endpoint_state"][slot] for slot in slots]
        return any(state & COUNTS for state in (*states, self._health["pool_state"][columns["pool_slot"][pool]]))

    @contextmanager
    def flipped(self, endpoint_slots: tuple[int, ...], pool_slots: tuple[int, ...]) -> Iterator[None]:
        """Suppose that these endpoints and pools are up where they are down, and the other way round."""
        endpoints, pools = (self._held[name] for name in HELD)
        was = [endpoints[slot] for slot in endpoint_slots], [pools[slot] for slot in pool_slots]
        for slot in endpoint_slots:
            state = UNHEALTHY if endpoints[slot] & STATE_MASK == HEALTHY else HEALTHY
            endpoints[slot] = endpoints[slot] & ~STATE_MASK | state
        for slot in pool_slots:
            state = CRITICAL if pools[slot] & TAKES_TRAFFIC else HEALTHY
            pools[slot] = pools[slot] & ~STATE_MASK | state
        try:
            yield
        finally:
            for slot, state in zip(endpoint_slots, was[0], strict=True):
                endpoints[slot] = state
            for slot, state in zip(pool_slots, was[1], strict=True):
                pools[slot] = state


def _differing(before: bytes | bytearray, now: bytes, kind: type) -> NDArray[np.int64]:
    return np.flatnonzero(np.frombuffer(bytes(before), kind) != np.frombuffer(now, kind))


_NONE: Final = np.zeros(0, np.int64)
