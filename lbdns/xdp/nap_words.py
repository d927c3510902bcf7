"""The numbers of naps.py: when the thread of a queue naps, and for how long."""

from typing import Final

FEW: Final = 32  # frames: more than that are a batch that nobody waits for
NAP_NS: Final = 50_000
PACE_UNIT: Final = 256
PACE_LEAST: Final = 3 * PACE_UNIT  # frames in a nap: those that bring no more are not worth it
PACED: Final = 64  # frames that the pace is found from
