"""What numpy has as `unique`, without what that loads: masked arrays, 50 ms of a start."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound="np.generic[Any]")


def sorted_set(values: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Return the values of an array of whole numbers, each once, in ascending order."""
    ordered = np.sort(values, axis=None)
    is_first = np.ones(ordered.shape, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
