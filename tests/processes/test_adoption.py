"""How the supervisor waits until a generation is answered from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.mapped.counter_room import allocate_counters
from lbdns.mapped.counter_words import GENERATION
from lbdns.mapped.counters import open_counters
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.responders import ADOPTION_S, POLL_S, Responders
from lbdns.processes.supervisor.spare_responder import SpareResponder


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path / "state")
    yield run
    run.remove()


def waited(run: RunDirectory, monkeypatch: pytest.MonkeyPatch, after: int) -> tuple[bool, list[float]]:
    """Return whether a responder was seen to take a generation up that does so after some looks, and the pauses."""
    allocate_counters(run.counters(0, 1), 0, 0, 0, 0)
    words = open_counters(run.counters(0, 1), True)
    words[GENERATION] = 6
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == after:
            words[GENERATION] = 7

    monkeypatch.setattr(asyncio, "sleep", sleep)
    one = Responders(Path(), run, SpareResponder(Path()))
    one.sets = [ListenerSet((), queues=(0,))]  # of one thread, which is all that is looked at
    return asyncio.run(one.adopted(7)), pauses


def test_a_generation_that_is_taken_up_at_once_is_not_waited_for_longer(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_adopted, pauses = waited(run, monkeypatch, 3)
    assert is_adopted and sum(pauses) < 0.002, "an update's reply waits for this"


def test_a_generation_that_nobody_takes_up_is_waited_for_with_longer_pauses(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_adopted, pauses = waited(run, monkeypatch, 0)
    assert not is_adopted and ADOPTION_S <= sum(pauses) < ADOPTION_S + POLL_S
    assert pauses == sorted(pauses) and pauses[-1] == POLL_S
