"""A way that goes up and down: down, as one fault, until it holds.

    as it is found --(more than FALLS_MAX falls within FALLS_S)--> down, "goes up and down"
    down --(good for STEADY_S on end)--> up, until it falls again
    down --(no more than FALLS_MAX falls within FALLS_S)--> as it is found

So a link that flaps is told of a few times and then once, and moves answers as often: RFC 2439 has the idea.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from lbdns.health.way_faults import WayFault

FALLS_MAX: Final = 3
FALLS_S: Final = 30.0
STEADY_S: Final = 5.0


class Steadiness:
    """What is to be believed of one way; times are the loop's."""

    def __init__(self) -> None:
        """Begin with one that was never seen to fall."""
        self._falls: deque[float] = deque(maxlen=FALLS_MAX + 1)
        self._found = WayFault.NONE
        self._good_since_s = float("-inf")

    def judge(self, found: WayFault, now_s: float) -> WayFault:
        """Return what is wrong with it, given what a look at it found."""
        if found and not self._found:
            self._falls.append(now_s)
        elif self._found and not found:
            self._good_since_s = now_s
        self._found = found
        if len(self._falls) <= FALLS_MAX or now_s - self._falls[0] > FALLS_S:
            return found
        return WayFault.NONE if not found and now_s - self._good_since_s >= STEADY_S else WayFault.UNSTEADY
