"""Watching files: what counts as a change, and when a change has come to rest."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from lbdns.config.files_read import FilesRead
from lbdns.processes.supervisor import directory_events, watch
from lbdns.processes.supervisor.configuration_source import FILE_SUFFIXES
from lbdns.processes.supervisor.directory_events import DirectoryEvents
from lbdns.processes.supervisor.watch import changes

PATIENCE_S = 15.0


async def next_change(watching: AsyncIterator[None], seconds: float) -> bool:
    """Whether a change is reported in this time."""
    try:
        await asyncio.wait_for(anext(watching), seconds)
    except TimeoutError:
        return False
    return True


def run(directory: Path, others: list[Path], scenario: Callable[[AsyncIterator[None]], Awaitable[None]]) -> None:
    """Watch a directory during a scenario."""

    async def watched() -> None:
        stop = asyncio.Event()
        files = FilesRead(directory, FILE_SUFFIXES)
        for path in others:
            files.note(path)
        watching = changes(directory, lambda: files, stop)
        try:
            await scenario(watching)
        finally:
            stop.set()

    asyncio.run(watched())


@pytest.mark.slow
def test_several_writes_are_one_change_and_other_files_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("1")

    async def scenario(watching: AsyncIterator[None]) -> None:
        waiting = asyncio.create_task(next_change(watching, PATIENCE_S))
        await asyncio.sleep(0.2)
        for number in range(5):
            (tmp_path / "a.yaml").write_text(str(number) * number)
            (tmp_path / f"{number}.zone").write_text("x")
            await asyncio.sleep(0.03)
        assert await waiting
        (tmp_path / "notes.txt").write_text("not a configuration file")

    run(tmp_path, [], scenario)
    files = FilesRead(tmp_path, FILE_SUFFIXES)
    assert files.as_read() == files.as_now() and tmp_path / "notes.txt" not in files.paths


def test_files_elsewhere_are_seen_without_the_kernel_saying_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_MS", 100)
    elsewhere = tmp_path / "elsewhere.mmdb"
    elsewhere.write_text("1")
    directory = tmp_path / "directory"
    directory.mkdir()

    async def scenario(watching: AsyncIterator[None]) -> None:
        waiting = asyncio.create_task(next_change(watching, PATIENCE_S))
        await asyncio.sleep(0.2)
        os.utime(elsewhere, (1, 1))
        assert await waiting

    run(directory, [elsewhere], scenario)


def test_a_directory_that_cannot_be_watched_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr(directory_events, "DirectoryEvents", refuse)
    monkeypatch.setattr(watch, "CHECK_MS", 100)

    async def scenario(watching: AsyncIterator[None]) -> None:
        waiting = asyncio.create_task(next_change(watching, PATIENCE_S))
        await asyncio.sleep(0.2)
        (tmp_path / "new.yaml").write_text("1")
        assert await waiting

    run(tmp_path, [], scenario)


def test_what_happens_in_the_directory_is_seen_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_MS", 60_000)

    async def scenario(watching: AsyncIterator[None]) -> None:
        waiting = asyncio.create_task(next_change(watching, PATIENCE_S))
        await asyncio.sleep(0.2)
        (tmp_path / "new.yaml").write_text("1")
        assert await waiting

    run(tmp_path, [], scenario)


def test_another_directory_in_its_place_is_watched_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_MS", 100)
    directory = tmp_path / "directory"
    directory.mkdir()

    async def replaced() -> bool:
        happened = asyncio.Event()
        events = DirectoryEvents(directory, happened)
        try:
            directory.rename(tmp_path / "before")
            events.renew()  # there is none: it is looked for the next time
            directory.mkdir()
            events.renew()
            happened.clear()
            (directory / "new.yaml").write_text("1")
            await asyncio.wait_for(happened.wait(), PATIENCE_S)
            await asyncio.sleep(0.05)
            happened.clear()
            (tmp_path / "before" / "other.yaml").write_text("1")
            await asyncio.sleep(0.1)
            return happened.is_set()
        finally:
            events.close()

    assert not asyncio.run(replaced())


def test_a_watch_ends_when_it_is_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_MS", 60_000)

    async def watched() -> None:
        stop = asyncio.Event()
        files = FilesRead(tmp_path, FILE_SUFFIXES)
        asyncio.get_running_loop().call_later(0.1, stop.set)
        async for _ in changes(tmp_path, lambda: files, stop):
            raise AssertionError("nothing changed")

    asyncio.run(asyncio.wait_for(watched(), PATIENCE_S))
