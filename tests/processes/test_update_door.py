"""The socket to which responders bring updates, from the supervisor's side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.signer.signer_frames import FrameReader
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.state_keeper import StateKeeper
from lbdns.processes.supervisor.update_door import BroughtUpdates, UpdateDoor
from lbdns.publish.publisher import Published
from lbdns.transfer.update.update_frames import AskedFor, decode_said, encode_ask
from lbdns.transfer.update.update_section import UpdateOutcome
from lbdns.transfer.update.updates_under_way import Said


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

        async def under_way() -> Said:
            await answered.wait()
            return UpdateOutcome()

        door.under_way.once(b"", lambda: asyncio.ensure_future(under_way()))
        closing = asyncio.create_task(door.close())
        while run.updates.exists():
            await asyncio.sleep(0)
        await keeper.look()
        is_there = run.updates.exists()
        answered.set()
        await closing
        return was_there, is_there, keeper.problem

    assert asyncio.run(close()) == (True, False, "")


def test_what_is_said_of_a_batch_is_sent_at_once_and_before_the_door_closes(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[BroughtUpdates] = []
    send = BroughtUpdates.send

    def send_and_count(brought: BroughtUpdates) -> None:
        sent.append(brought)
        send(brought)

    async def ask() -> list[int]:
        door, is_served, asking = UpdateDoor(run, nothing), asyncio.Event(), 0

        async def say(asked: AskedFor) -> Said:
            nonlocal asking
            asking += 1
            await is_served.wait()
            return UpdateOutcome(asked.port)

        def say_once(asked: AskedFor) -> asyncio.Future[Said]:
            return door.under_way.once(bytes([asked.port]), lambda: asyncio.ensure_future(say(asked)))

        monkeypatch.setattr(door, "say", say_once)
        monkeypatch.setattr(BroughtUpdates, "send", send_and_count)
        door.open()
        reader, writer = await asyncio.open_unix_connection(run.updates)
        asks = [encode_ask(number, AskedFor(bytes(4), number, True, b"", "", b"")) for number in range(5)]
        writer.write(b"".join(asks))
        while asking < len(asks):
            await asyncio.sleep(0)
        is_served.set()
        await door.close()
        replies = FrameReader(1000).take(await reader.read())
        writer.close()
        said = [decode_said(frame) for frame in replies]
        return [one.rcode for one in said if isinstance(one, UpdateOutcome)]

    assert asyncio.run(ask()) == [0, 1, 2, 3, 4]
    assert len(sent) <= 2  # of the batch, and of the door that closes
