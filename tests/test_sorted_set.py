"""Each value once, in order: as numpy.unique has it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lbdns.base.sorted_set import sorted_set


@given(st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62)))
def test_each_value_stands_once_in_order(numbers: list[int]) -> None:
    given = np.array(numbers, dtype=np.int64)
    found = sorted_set(given)
    assert found.tolist() == sorted(set(numbers)) and found.dtype == given.dtype
    assert given.tolist() == numbers


def test_an_array_of_rows_is_taken_as_one() -> None:
    assert sorted_set(np.array([[3, 1], [1, 2]], dtype=np.uint32)).tolist() == [1, 2, 3]
