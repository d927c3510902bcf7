"""The types of tree_passes.pyx, for checkers."""

import numpy as np
from numpy.typing import NDArray

def in_levels(
    nodes: NDArray[np.int32], root_v4: int, root_v6: int, depth_max: int
) -> tuple[NDArray[np.int32], int, int, NDArray[np.int64]]: ...
def reduce_tree(
    nodes: NDArray[np.int32], root_v4: int, root_v6: int, bounds: NDArray[np.int64], classes: NDArray[np.int32]
) -> tuple[NDArray[np.int32], int, int, NDArray[np.int64]]: ...
def widen(
    nodes: NDArray[np.int32], root_v4: int, root_v6: int, first: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]: ...
