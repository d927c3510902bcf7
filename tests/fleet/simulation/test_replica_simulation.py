"""Replicas in a simulated fleet: no acknowledged change is lost, none contradicts another, all come to the same."""

from __future__ import annotations

import pytest

from tests.fleet.simulation.simulate import replica_schedule
from tests.fleet.simulation.simulated_replicas import ReplicaOutcome, simulate_replicas
from tests.fleet.simulation.stream_hub import Moved, StreamHub

pytestmark = pytest.mark.slow


def lived(seed: int, machine_count: int = 4, hours: float = 0.4) -> ReplicaOutcome:
    """Return what replicas come to after some minutes of faults."""
    return simulate_replicas(seed, machine_count, replica_schedule(seed, machine_count, hours, 50, 500), hours)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_what_is_acknowledged_is_everywhere(seed: int) -> None:
    outcome = lived(seed, machine_count=3 + seed % 3)
    assert outcome.wrong == ()
    assert outcome.acknowledged_count > 50
    assert outcome.unknown_count + outcome.refused_count > 5, "the faults did something"


def test_a_seed_says_everything() -> None:
    assert lived(5) == lived(5)


def test_the_oracle_sees_a_hub_that_does_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    append = StreamHub.append

    def careless(hub: StreamHub, now_s: float, subject: str, data: bytes, id: str, expected: int | None) -> int | Moved:
        return append(hub, now_s, subject, data, id, None)

    monkeypatch.setattr(StreamHub, "append", careless)
    assert lived(1, hours=0.1).wrong


def test_the_oracle_sees_a_hub_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    append = StreamHub.append

    def forgetful(
        hub: StreamHub, now_s: float, subject: str, data: bytes, id: str, expected: int | None
    ) -> int | Moved:
        found = append(hub, now_s, subject, data, id, expected)
        if found == 20:
            hub.kept.pop()
        return found

    monkeypatch.setattr(StreamHub, "append", forgetful)
    assert lived(1, hours=0.1).wrong
