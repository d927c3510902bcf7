"""The first results: a server that starts answers from real health, where that can be had soon."""

from __future__ import annotations

import asyncio

from lbdns.health.verdict import STATE_MASK, UNKNOWN
from lbdns.publish.publisher import Published

WAIT_S = 2.0  # an endpoint that says nothing for so long is down as far as the first answers go
POLL_S = 0.02


async def first_results(published: Published) -> bool:
    """Wait until each monitored endpoint has a result; False where some has none within WAIT_S."""
    slots = [
        published.slots.endpoint[pool.name, endpoint.name, endpoint.address]
        for pool in published.configuration.pools.values()
        if pool.enabled and pool.is_monitored
        for endpoint in pool.origins
        if endpoint.is_used
    ]
    measured = published.table.columns["endpoint_measured"]
    for _ in range(round(WAIT_S / POLL_S)):
        slots = [slot for slot in slots if measured[slot] & STATE_MASK == UNKNOWN]
        if not slots:
            return True
        await asyncio.sleep(POLL_S)
    return False
