"""The first results: a server that starts answers from real health, where that can be had soon."""

from __future__ import annotations

import asyncio

from lbdns.health.verdict import STATE_MASK, UNKNOWN, UNRESOLVED
from lbdns.publish.first_needs import awaited
from lbdns.publish.publisher import Published

BEGIN_S = 3.0  # a monitor worker that has not begun for so long is not waited for
WAIT_S = 2.0  # an endpoint that says nothing for so long is down as far as the first answers go
NAMES_WAIT_S = 0.5  # a hostname that resolves to nothing for so long does not resolve as far as they go
POLL_S = 0.02


async def first_results(published: Published) -> bool:
    """Wait until each monitored endpoint has a result; False where some has none within WAIT_S from when the monitor
    worker has begun with them, which on a busy machine takes a while by itself.

    Hostnames that nobody probes are waited for too, until they were looked up, but no longer than NAMES_WAIT_S.
    """
    needs = published.needs
    if needs is None:
        probed, named = awaited(published.configuration, published.slots)
    else:
        probed, named = needs.probed, needs.named
    slots, names = [*probed], [*named]
    columns = published.table.columns
    measured, states, counts = (columns[one] for one in ("endpoint_measured", "endpoint_state", "resolved_count"))
    asked_s = 0.0
    for _ in range(round((BEGIN_S + WAIT_S) / POLL_S)):
        slots = [slot for slot in slots if measured[slot] & STATE_MASK == UNKNOWN]
        names = [one for one in names if not (counts[2 * one] or counts[2 * one + 1] or states[one] & UNRESOLVED)]
        if not slots and (not names or asked_s >= NAMES_WAIT_S):
            return not names
        if asked_s >= WAIT_S:
            break
        await asyncio.sleep(POLL_S)
        if columns["adopted_generation"][0] == published.generation:
            asked_s += POLL_S
    return False
