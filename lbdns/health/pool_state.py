"""A pool's state, derived in this one place: from its endpoints' bytes, and from what an operator ordered of the pool.

    endpoints' measured bytes  --(pool_state)-------------------------------------> the pool's measured byte
    endpoints' effective bytes --(pool_state)--> [an order for the pool lies over] --> its effective byte

Answers follow the effective byte; the measured one is for people. An order for an endpoint is in that endpoint's
effective byte already (`forced.endpoint_byte`), and one for the pool hides all its endpoints and erases none. All pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from lbdns.health import forced
from lbdns.health.forced import Forced
from lbdns.health.verdict import (
    COUNTS,
    CRITICAL,
    DEGRADED,
    HEALTHY,
    STATE_MASK,
    TAKES_TRAFFIC,
    UNKNOWN,
    UNRESOLVED,
)


def pool_state(endpoints: Sequence[int], minimum_origins: int, monitored: bool = True) -> int:
    """Return a pool's state from the bytes of its enabled endpoints.

    With no monitor attached an endpoint's byte says something only where it COUNTS; the others are up, so that none but
    those which an operator forced down are missed.

    | enabled | up                          | up + unknown | state    |
    |---------|-----------------------------|--------------|----------|
    | 0       |                             |              | CRITICAL |
    | > 0     | >= minimum, all             |              | HEALTHY  |
    | > 0     | >= minimum, not all         |              | DEGRADED |
    | > 0     | < minimum                   | >= minimum   | UNKNOWN  |
    | > 0     | < minimum                   | < minimum    | CRITICAL |

    A pool needs one endpoint up whatever `minimum_origins` says.
    """
    up = unknown = 0
    for byte in endpoints:
        state = byte & STATE_MASK
        if state == HEALTHY or not (monitored or byte & COUNTS):
            up += 1
        elif state == UNKNOWN:
            unknown += 1
    minimum = max(minimum_origins, 1)
    if up >= minimum:
        return HEALTHY if up >= len(endpoints) else DEGRADED
    if up + unknown >= minimum:
        return UNKNOWN
    return CRITICAL


def effective_byte(
    endpoints: Sequence[int],
    minimum_origins: int,
    monitored: bool,
    order: Forced | None,
    is_unresolved: bool = False,
) -> int:
    """Return a pool's effective byte from the effective bytes of its enabled endpoints and the order for the pool.

    `is_unresolved`: it has no endpoint to answer with, for want of hostnames that resolve (kernel/endpoints.py). Where
    it would take traffic by all else, it is CRITICAL and UNRESOLVED.

    | an order for the pool | a monitor | an endpoint COUNTS | byte                       |
    |-----------------------|-----------|--------------------|----------------------------|
    | up                    |           |                    | HEALTHY, COUNTS            |
    | down                  |           |                    | CRITICAL, COUNTS           |
    | none                  | yes       |                    | `pool_state`               |
    | none                  | no        | no                 | `pool_state`: nobody looks |
    | none                  | no        | yes                | `pool_state`, COUNTS       |
    """
    state = pool_state(endpoints, minimum_origins, monitored)
    if not monitored and any(byte & COUNTS for byte in endpoints):
        state |= COUNTS
    byte = forced.pool_byte(state, order)
    return byte & ~STATE_MASK | CRITICAL | UNRESOLVED if is_unresolved and byte & TAKES_TRAFFIC else byte
