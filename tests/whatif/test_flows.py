"""What moves between two distributions: exactly what differs, never what two draws would make of it."""

from __future__ import annotations

import pytest

from lbdns.publish.replay.lots import Shares
from lbdns.publish.replay.movement import endpoint_gain, flows


def shares(pools: dict[str, float], endpoints: dict[tuple[str, str], float] | None = None) -> Shares:
    return Shares(pools, endpoints or {})


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ({"a": 1.0}, {"a": 1.0}, {}),
        ({"a": 0.5, "b": 0.5}, {"b": 0.5, "a": 0.5}, {}),  # in another order
        ({"a": 1.0}, {"b": 1.0}, {("a", "b"): 1.0}),
        ({"a": 0.5, "b": 0.5}, {"a": 0.6, "b": 0.4}, {("b", "a"): 0.1}),
        ({"a": 1.0}, {"a": 0.4, "b": 0.4, "c": 0.2}, {("a", "b"): 0.4, ("a", "c"): 0.2}),
        ({"a": 0.5, "b": 0.5}, {"c": 0.5, "d": 0.5}, {(x, y): 0.25 for x in "ab" for y in "cd"}),
    ],
)
def test_what_moves_is_what_differs(
    before: dict[str, float], after: dict[str, float], moves: dict[tuple[str, str], float]
) -> None:
    found = {(source, target): part for source, target, part in flows(shares(before), shares(after))}
    assert found == pytest.approx(moves)


def test_endpoints_within_a_pool_are_compared_beside_it() -> None:
    before = shares({"a": 1.0}, {("a", "one"): 0.5, ("a", "two"): 0.5})
    after = shares({"a": 1.0}, {("a", "one"): 0.9, ("a", "two"): 0.1})
    assert flows(before, after) == ()
    assert endpoint_gain(before, after) == pytest.approx(0.4)
    assert endpoint_gain(before, before) == 0.0
