"""Stable slots: pools and endpoints keep theirs in the health table as long as they are configured, LBs in counters.

An endpoint is the same while pool, name and address are; with a new address it is another endpoint, whose health is
unknown. Slots that fell free are used again only a few assignments later, when no reader of an older snapshot is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from lbdns.base.garbage import without_cyclic_collection
from lbdns.model.configuration import Configuration

QUARANTINE = 3  # assignments that a freed slot rests

Key = TypeVar("Key")
EndpointKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Slots:
    """Who has which slot. `assign` gives the next state; the old one stays as it is."""

    endpoint: Mapping[EndpointKey, int] = field(default_factory=dict)
    pool: Mapping[str, int] = field(default_factory=dict)
    endpoint_count: int = 0
    pool_count: int = 0
    load_balancer: Mapping[tuple[str, str], int] = field(default_factory=dict)
    load_balancer_count: int = 0
    endpoint_freed: tuple[tuple[int, ...], ...] = ()
    pool_freed: tuple[tuple[int, ...], ...] = ()
    load_balancer_freed: tuple[tuple[int, ...], ...] = ()

    @without_cyclic_collection()
    def assign(self, configuration: Configuration) -> Slots:
        """Return the slots for `configuration`: those known keep theirs, others get a rested or a new one."""
        endpoint_keys = [
            (pool.name, endpoint.name, endpoint.address)
            for pool in configuration.pools.values()
            for endpoint in pool.origins
        ]
        endpoint, endpoint_count, endpoint_freed = _assign(
            self.endpoint, endpoint_keys, self.endpoint_count, self.endpoint_freed
        )
        pool, pool_count, pool_freed = _assign(self.pool, configuration.pools, self.pool_count, self.pool_freed)
        balancer_keys = [(balancer.name, balancer.type) for balancer in configuration.load_balancers]
        balancer, balancer_count, balancer_freed = _assign(
            self.load_balancer, balancer_keys, self.load_balancer_count, self.load_balancer_freed
        )
        return Slots(
            endpoint=endpoint,
            pool=pool,
            load_balancer=balancer,
            endpoint_count=endpoint_count,
            pool_count=pool_count,
            load_balancer_count=balancer_count,
            endpoint_freed=endpoint_freed,
            pool_freed=pool_freed,
            load_balancer_freed=balancer_freed,
        )


def _assign(
    held: Mapping[Key, int], keys: Iterable[Key], count: int, freed: tuple[tuple[int, ...], ...]
) -> tuple[Mapping[Key, int], int, tuple[tuple[int, ...], ...]]:
    wanted = dict.fromkeys(keys)
    rested = deque(slot for group in freed[:-QUARANTINE] for slot in group)
    if wanted.keys() == held.keys():
        return held, count, (tuple(rested), *freed[-QUARANTINE:], ())
    assigned: dict[Key, int] = {}
    for key in wanted:
        slot = held.get(key)
        if slot is None:
            if rested:
                slot = rested.popleft()
            else:
                slot = count
                count += 1
        assigned[key] = slot
    gone = tuple(slot for key, slot in held.items() if key not in wanted)
    return assigned, count, ((tuple(rested)), *freed[-QUARANTINE:], gone)
