"""The pace of long work in a thread."""

from __future__ import annotations

from lbdns.base.pacing import REST_S, RUN_S, Pacing


def test_long_work_rests_by_turns_until_it_is_to_hurry() -> None:
    now_s, rests = 0.0, []

    def sleep(rest_s: float) -> None:
        rests.append(rest_s)

    pace = Pacing(lambda: now_s, sleep)
    for _ in pace.each(range(10)):
        now_s += RUN_S / 4 + 1e-9
    assert rests == [REST_S, REST_S]
    pace.hurry()
    for _ in pace.each(range(10)):
        now_s += RUN_S
    assert len(rests) == 2
