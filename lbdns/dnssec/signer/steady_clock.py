"""The time of day for what rests on time that has really passed: keys' steps, which what caches hold must outlive.

    the clock is set back     it counts as set: what was to be is later
    it is set forward         what has passed since the signer began counts, and no more

So no step comes early for a clock that jumps while the signer runs. Over a restart the time of day is believed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

TOLD_S: Final = 60.0
"""A clock that is ahead by so much is told of: less is what keeps clocks right."""

log = logging.getLogger("lbdns.dnssec")


class SteadyClock:
    """Unix seconds that never go faster than time passes."""

    def __init__(self, unix_s: Callable[[], float], elapsed_s: Callable[[], float]) -> None:
        """Begin with the time of day; `elapsed_s`: what goes on evenly (base/clocks.py)."""
        self._unix_s = unix_s
        self._elapsed_s = elapsed_s
        self._offset_s = unix_s() - elapsed_s()
        self._is_ahead = False

    def __call__(self) -> float:
        """Return the time of day, or what it would be without the steps that set it forward."""
        unix_s = self._unix_s()
        steady_s = self._elapsed_s() + self._offset_s
        is_ahead = unix_s - steady_s > TOLD_S
        if is_ahead and not self._is_ahead:
            log.warning(
                "the clock was set forward by %.0f s: the steps of keys wait as long as they would have, and from the "
                "next start on they go by the clock",
                unix_s - steady_s,
            )
        self._is_ahead = is_ahead
        return min(unix_s, steady_s)
