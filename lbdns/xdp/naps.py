"""Whether the thread of a queue naps before it takes what waits: a decision by counts and times that are handed in.

    pace <= PACE_LEAST: each frame wakes it --(PACED frames came: what would a nap have brought?)--> pace
    pace  > PACE_LEAST: fewer than FEW wait -> a nap of NAP_NS -> pace, which goes to what the last naps brought

Where frames come fast, a thread that wakes for each answers two at a time, and waking costs more than answering: it
naps then, and finds a batch, as a card does that holds its interrupts back. Where they come slowly, each is answered at
once. Runs interpreted and compiled (types in the `.pxd`).
"""

from __future__ import annotations

from lbdns.xdp.nap_words import *


class Naps:
    """One thread's: `pace`, how many frames come while it naps, in parts of PACE_UNIT; `counted`, the frames since
    `since_ns` of CLOCK_MONOTONIC while it does not nap."""

    def __init__(self) -> None:
        """Begin awake."""
        self.pace = 0
        self.counted = 0
        self.since_ns = 0


def is_nap_due(naps: Naps, waiting: int) -> bool:
    """Return whether to nap before those frames are taken that wait."""
    return waiting < FEW and naps.pace > PACE_LEAST


def count_napped(naps: Naps, waiting: int) -> None:
    """Count a nap, behind which so many frames wait."""
    naps.pace += (waiting * PACE_UNIT - naps.pace) >> 2


def is_pace_due(naps: Naps, got: int) -> bool:
    """Count frames that are taken; return whether `find_pace` is to be called."""
    if naps.pace > PACE_LEAST:
        return False
    naps.counted += got
    return naps.counted >= PACED


def find_pace(naps: Naps, now_ns: int) -> None:
    """Find what a nap would have brought, from when the counted frames came."""
    brought = naps.counted * NAP_NS * PACE_UNIT // (now_ns - naps.since_ns + 1)
    naps.pace = min(brought, FEW * PACE_UNIT)
    naps.since_ns = now_ns
    naps.counted = 0
