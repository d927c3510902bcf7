"""What is made of a generation is made once, and keeps none alive."""

from __future__ import annotations

import gc
from typing import cast
from weakref import ref

from lbdns.publish.of_generation import OfGeneration
from lbdns.publish.publisher import Published


class Generation:
    """Stands for one."""

    def __init__(self, number: int) -> None:
        self.generation = number


def test_a_generation_is_looked_at_once_and_let_go() -> None:
    asked: list[int] = []

    def number_of(published: Published) -> int:
        asked.append(published.generation)
        return published.generation

    made = OfGeneration(number_of)
    first, second = cast(Published, Generation(1)), cast(Published, Generation(2))
    assert [made.of(one) for one in (first, first, second, second, first)] == [1, 1, 2, 2, 1]
    assert asked == [1, 2, 1]
    alive = ref(first)
    del first
    gc.collect()
    assert alive() is None
    assert made.of(cast(Published, Generation(3))) == 3
