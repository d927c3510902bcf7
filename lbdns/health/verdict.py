"""What a row of results means: pure functions from states to states; the caller passes counts and clocks in.

The bytes are the health table's. An endpoint's low two bits are its state; a pool's bit 0 says that it takes traffic.

The measured state of a series of results, and of an endpoint that has only one series (`advance`):

    new, or probed   +---------+       a pass        +---------+
    by nobody -----> | UNKNOWN | ------------------> | HEALTHY | <---------------------.
                     +---------+                     +---------+                       |
                          |         consecutive_down      |           consecutive_up   |
                          |         failures in a row     v           passes in a row  |
                          |        a failure        +-----------+                      |
                          '-----------------------> | UNHEALTHY | ---------------------'
                                                    +-----------+

Several series come together in `quorum`; a hostname that leads nowhere is UNHEALTHY, and UNRESOLVED where nobody probes
it. Answers follow the endpoint's effective byte: the measured state or, while an operator's order holds, HEALTHY or
UNHEALTHY with COUNTS (`forced`). That a name is UNRESOLVED answers follow from the addresses themselves.
What follows for the pool is in `pool_state`.
"""

from __future__ import annotations

from collections.abc import Iterable

from lbdns.base.words import Health

UNKNOWN = 0
HEALTHY = 1
UNHEALTHY = 2  # endpoints
CRITICAL = 2  # pools
DEGRADED = 3  # pools

STATE_MASK = 0x03
TAKES_TRAFFIC = 0x01  # pools: HEALTHY and DEGRADED have it
COUNTS = 0x08  # an operator forced it: it counts even where no monitor is attached
UNRESOLVED = 0x10  # nothing else speaks against it, but its hostname, or all that a pool has, leads nowhere
SHOWN_MASK = STATE_MASK | UNRESOLVED  # what people are told of

ENDPOINT_WORDS = (Health.UNKNOWN, Health.HEALTHY, Health.UNHEALTHY, Health.UNKNOWN)
POOL_WORDS = (Health.UNKNOWN, Health.HEALTHY, Health.CRITICAL, Health.DEGRADED)


def endpoint_word(byte: int) -> str:
    """Return the word for an endpoint's byte."""
    return Health.UNRESOLVED if byte & UNRESOLVED else ENDPOINT_WORDS[byte & STATE_MASK]


def pool_word(byte: int) -> str:
    """Return the word for a pool's byte."""
    return Health.UNRESOLVED if byte & UNRESOLVED else POOL_WORDS[byte & STATE_MASK]


def shown_pool_word(byte: int, is_monitored: bool) -> str:
    """Return the word for a pool's byte as it is told: nobody knows of a pool that no monitor looks after, unless an
    operator forced it or its hostnames lead nowhere."""
    return pool_word(byte) if is_monitored or byte & (COUNTS | UNRESOLVED) else Health.NO_MONITOR


def advance(state: int, streak: int, passed: bool, consecutive_up: int, consecutive_down: int) -> tuple[int, int]:
    """Return (state, streak) after one more result; `streak` is +n passes in a row or -n failures in a row.

    | state     | result | streak reaches      | new state |
    |-----------|--------|---------------------|-----------|
    | UNKNOWN   | pass   | any                 | HEALTHY   |
    | UNKNOWN   | fail   | any                 | UNHEALTHY |
    | HEALTHY   | pass   | any                 | HEALTHY   |
    | HEALTHY   | fail   | -consecutive_down   | UNHEALTHY |
    | HEALTHY   | fail   | less                | HEALTHY   |
    | UNHEALTHY | pass   | +consecutive_up     | HEALTHY   |
    | UNHEALTHY | pass   | less                | UNHEALTHY |
    | UNHEALTHY | fail   | any                 | UNHEALTHY |

    0 and 1 both mean at once. The first result of all decides alone: thresholds damp changes, and there is nothing to
    change from yet.
    """
    if passed:
        streak = min(streak + 1, STREAK_MAX) if streak > 0 else 1
        flips = state == UNKNOWN or streak >= consecutive_up
        return (HEALTHY if flips else state), streak
    streak = max(streak - 1, -STREAK_MAX) if streak < 0 else -1
    flips = state == UNKNOWN or -streak >= consecutive_down
    return (UNHEALTHY if flips else state), streak


STREAK_MAX = 2**31 - 1  # what the table's column holds


def load_balancer_word(pools: Iterable[int]) -> str:
    """Return a load balancer's health from the state bytes of its enabled candidate pools.

    | pools that take traffic | pools that are critical | word     |
    |-------------------------|-------------------------|----------|
    | none                    | none, all unknown       | unknown  |
    | none                    | any                     | critical |
    | some                    | none                    | healthy  |
    | some                    | any                     | degraded |
    """
    states = [byte & STATE_MASK for byte in pools]
    down = CRITICAL in states
    if not any(state & TAKES_TRAFFIC for state in states):
        return Health.UNKNOWN if states and not down else Health.CRITICAL
    return Health.DEGRADED if down else Health.HEALTHY
