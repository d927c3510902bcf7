"""Room for cells: a block has so many at most, whoever asks from wherever. The smallest lose their place first.

more than there is room for --(those of least count lose country and subdivision, and are added up)-->
still more                  --(those of least count are one cell for each load balancer)-->
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from lbdns.telemetry.history.history_block import HistoryBlock, summed
from lbdns.telemetry.history.history_words import CELL_DIMENSIONS, DAY_S, MINUTE_S, PLACES, QUARTER_S

CELLS_MAX: Final = {MINUTE_S: 8192, QUARTER_S: 16_384, DAY_S: 32_768}
"""By the step of a block."""
_COARSENED: Final = (
    tuple(CELL_DIMENSIONS.index(name) for name in PLACES),
    tuple(range(3, len(CELL_DIMENSIONS))),
)


def within_room(block: HistoryBlock, most: int) -> HistoryBlock:
    """Return cells that are `most` at most beside one for each load balancer, with the same sums."""
    for columns in _COARSENED:
        if block.rows <= most:
            return block
        block = _coarser(block, columns, most)
    return block


def _coarser(block: HistoryBlock, columns: Sequence[int], most: int) -> HistoryBlock:
    """Return a block in which the rows of least count are told apart no longer by some columns."""
    order = np.argsort(block.values[:, 0], kind="stable")
    smallest = order[: block.rows - most // 2]
    keys = block.keys.copy()
    keys[np.ix_(smallest, np.array(columns))] = 0
    return summed(keys, block.values)
