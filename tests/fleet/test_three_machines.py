"""Three machines with real nats-servers: cuts, kills and changes at once; `scripts/fleet-soak` does it at length.

On a machine that does other things as well being alike takes longer than the five seconds that a soak allows.
"""

from __future__ import annotations

import pytest

from tests.fleet.machines import in_own_network

WITHIN_S = 900.0
pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(WITHIN_S)]

ALIKE_S = "45"
STEPS, KILLS = 3, 2


def test_each_machine_is_cut_off_in_turn_the_hub_too_and_some_are_killed() -> None:
    schedule = ("--schedules", "1", "--steps", str(STEPS), "--longest", "5", "--kills", str(KILLS))
    run = ("--alike", ALIKE_S, "--rate", "20", "--seed", "2")
    said = in_own_network("tests.fleet.fleet_soak", *schedule, *run, timeout_s=WITHIN_S)
    assert said["problems"] == []
    assert said["unanswered"] == said["wrong answers"] == 0
    assert said["changes"]["done"] > 0
    assert sum(said["befell"].values()) >= STEPS + KILLS
