"""What a soak makes of what it saw: slopes, and what may be lost when."""

from __future__ import annotations

import pytest

from tests.soak.disturbing import Happening
from tests.soak.record import (
    JUDGED_S,
    OWN_KIB_PER_HOUR,
    WARM_UP_S,
    Sample,
    judge_answers,
    judge_growth,
    slope_per_hour,
)
from tests.strain.asking import PIPELINED, Tally
from tests.strain.process_tree import SUPERVISOR, Process
from tests.strain.truth import PLAIN, ROADS, TCP

STEP_S = 30.0
LONG_S = WARM_UP_S + JUDGED_S + 300.0


def samples(own_kib_per_hour: float, first_kib: int = 50_000) -> list[Sample]:
    """Return what is seen of a supervisor that holds more and more."""
    seen = []
    for number in range(int(LONG_S / STEP_S) + 1):
        at_s = number * STEP_S
        own_kib = first_kib + int(own_kib_per_hour * at_s / 3600) + (number % 3) * 100
        process = Process(7, SUPERVISOR, own_kib, own_kib, 40, 8, 0.0)
        seen.append(Sample("store", at_s, [process], {road: [] for road in ROADS}, 100, 0, 0, number, 1000, 1000))
    return seen


def test_a_slope_is_not_moved_by_a_jump() -> None:
    flat = [(float(at), 100.0) for at in range(100)]
    assert slope_per_hour(flat) == 0.0
    assert slope_per_hour([(at, value + (50.0 if at >= 90 else 0.0)) for at, value in flat]) == 0.0
    assert slope_per_hour([(at, value + 2.0 * at) for at, value in flat]) == pytest.approx(7200.0)


@pytest.mark.parametrize("per_hour, holds", [(0, True), (OWN_KIB_PER_HOUR / 2, True), (OWN_KIB_PER_HOUR * 2, False)])
def test_a_process_that_holds_more_and_more_is_found(per_hour: float, holds: bool) -> None:
    judged = {one.what: one for one in judge_growth("store", samples(per_hour))}
    assert judged[f"store: {SUPERVISOR} 7: own memory, KiB"].holds is holds
    assert judged[f"store: {SUPERVISOR} 7: descriptors"].holds
    assert judged["store: shared memory, KiB"].holds


def test_what_was_seen_for_too_short_is_not_judged() -> None:
    assert not judge_growth("store", samples(0)[:20])


def test_nothing_may_be_lost_but_what_ends_with_a_connection() -> None:
    killed = Happening("files", "responder killed", 100.0, 101.0, breaks_connections=True)
    changed = Happening("files", "file changed", 200.0, 201.0, breaks_connections=False)

    def fails(*lost: tuple[float, str]) -> list[str]:
        tally = Tally(lost=[(sent_s, road, "a question") for sent_s, road in lost])
        return [one.what for one in judge_answers("files", samples(0)[:2], tally, [killed, changed]) if not one.holds]

    assert not fails(*[(100.5, TCP)] * PIPELINED)
    assert len(fails(*[(100.5, TCP)] * (PIPELINED + 1))) == 1
    assert fails((100.5, PLAIN)) == ["files: lost"]
    assert fails((200.5, TCP)) == ["files: lost"]
