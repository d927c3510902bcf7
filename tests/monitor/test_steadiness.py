"""Ways that go up and down, by hand: how often that is told."""

from __future__ import annotations

import itertools

from lbdns.health.way_faults import WayFault
from lbdns.monitor.ways.steadiness import FALLS_MAX, STEADY_S, Steadiness

DOWN, UP = WayFault.DEVICE_DOWN, WayFault.NONE


def told(found: list[WayFault], every_s: float, steadiness: Steadiness | None = None) -> list[WayFault]:
    """Return what is told of one that is looked at so often, each change once."""
    steadiness = steadiness or Steadiness()
    believed = [steadiness.judge(one, number * every_s) for number, one in enumerate(found)]
    return [one for one, _ in itertools.groupby(believed)]


def test_one_that_flaps_for_an_hour_is_told_of_a_few_times() -> None:
    assert told([UP, DOWN] * 18_000, 0.1) == [UP, DOWN] * FALLS_MAX + [UP, WayFault.UNSTEADY]


def test_one_that_holds_again_is_up_after_a_while_and_down_at_once() -> None:
    steadiness = Steadiness()
    told([UP, DOWN] * 10 + [UP], 0.1, steadiness)  # the last at 2.0 s
    assert steadiness.judge(UP, 2.0 + STEADY_S - 0.1) is WayFault.UNSTEADY
    assert steadiness.judge(UP, 2.0 + STEADY_S) is UP
    assert steadiness.judge(DOWN, 2.1 + STEADY_S) is WayFault.UNSTEADY
    assert steadiness.judge(DOWN, 60.0) is DOWN  # it stayed so: that is what is wrong with it
    assert steadiness.judge(UP, 61.0) is UP


def test_one_that_falls_now_and_then_is_told_of_at_once_each_time() -> None:
    assert told([UP, DOWN] * 20, 6.0) == [UP, DOWN] * 20
