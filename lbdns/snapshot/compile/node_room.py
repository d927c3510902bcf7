"""Room for the nodes of tries, which grows where it lies: nothing is copied twice, and little memory is asked for."""

from __future__ import annotations

import contextlib
import mmap
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ITEM: Final = np.dtype(np.uint32).itemsize
_FIRST_BYTES: Final = 1 << 22


class NodeRoom:
    """Numbers (uint32), appended part by part."""

    def __init__(self) -> None:
        """Begin with none."""
        # What is shared does not grow: its file keeps its size.
        self._mapping = mmap.mmap(-1, _FIRST_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._count = 0

    def append(self, numbers: NDArray[np.uint32]) -> None:
        """Append some."""
        first, self._count = self._count, self._count + len(numbers)
        needed = self._count * _ITEM
        if needed > len(self._mapping):
            self._mapping.resize(needed + needed // 2)  # addresses, not memory: nobody has touched it
            with contextlib.suppress(OSError):  # the system has no large pages to give
                self._mapping.madvise(mmap.MADV_HUGEPAGE)
        self.numbers()[first:] = numbers

    def numbers(self) -> NDArray[np.uint32]:
        """Return all of them; nothing is appended while anybody has what this returns."""
        return np.frombuffer(self._mapping, np.uint32, self._count)
