"""Watching files: what counts as a change, and when a change has come to rest."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import watchfiles

from lbdns.config.files_read import FilesRead
from lbdns.processes.supervisor import watch
from lbdns.processes.supervisor.configuration_source import FILE_SUFFIXES
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
    def refuse(*_: object, **__: object) -> AsyncIterator[None]:
        raise OSError("inotify watch limit reached")

    monkeypatch.setattr(watchfiles, "awatch", refuse)
    monkeypatch.setattr(watch, "CHECK_MS", 100)

    async def scenario(watching: AsyncIterator[None]) -> None:
        waiting = asyncio.create_task(next_change(watching, PATIENCE_S))
        await asyncio.sleep(0.2)
        (tmp_path / "new.yaml").write_text("1")
        assert await waiting

    run(tmp_path, [], scenario)
