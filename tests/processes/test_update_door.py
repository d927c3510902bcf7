"""The socket to which responders bring updates, from the supervisor's side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.state_keeper import StateKeeper
from lbdns.processes.supervisor.update_door import UpdateDoor
from lbdns.publish.publisher import Published


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path / "state")
    yield run
    run.remove()


def nothing() -> Published:
    raise LbdnsError("nothing is served yet")


def test_a_door_that_closes_while_updates_are_under_way_is_not_made_again(run: RunDirectory) -> None:
    async def close() -> tuple[bool, bool, str]:
        door, keeper, answered = UpdateDoor(run, nothing), StateKeeper(), asyncio.Event()
        door.open()
        keeper.keep(door)
        was_there = run.updates.is_socket()

        async def under_way() -> None:
            await answered.wait()

        door.tasks.add(asyncio.create_task(under_way()))
        closing = asyncio.create_task(door.close())
        while run.updates.exists():
            await asyncio.sleep(0)
        await keeper.look()
        is_there = run.updates.exists()
        answered.set()
        await closing
        return was_there, is_there, keeper.problem

    assert asyncio.run(close()) == (True, False, "")
