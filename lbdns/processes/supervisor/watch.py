"""Watching a configuration's files: says when what lies on disk is no longer what was read, and has come to rest."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lbdns.config.files_read import FilesRead

if TYPE_CHECKING:
    from lbdns.processes.supervisor.directory_events import DirectoryEvents

CHECK_MS = 1000  # where the kernel reports nothing (network file systems), files are looked at so often
GATHER_S = 0.03  # who writes much is not looked at for each line
SETTLE_S = 0.15  # several files written one after another are one change
SETTLE_MAX_S = 1.0

log = logging.getLogger("lbdns.processes")


async def changes(directory: Path, read: Callable[[], FilesRead], stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield whenever files are no longer as they were when they were read last, until `stop` is set.

    `read` returns what was read last, which is to be another reading after each yield. Files in `directory` are seen
    to change at once, others within CHECK_MS, and both only when they have come to rest.
    """
    async for _ in _wake_ups(directory, stop):
        files = read()
        if files.as_now() == files.as_read():
            continue
        await _at_rest(files)
        files = read()
        if files.as_now() != files.as_read():  # nobody else has read them meanwhile
            yield


async def _at_rest(files: FilesRead) -> None:
    now = files.as_now()
    for _ in range(round(SETTLE_MAX_S / SETTLE_S)):
        await asyncio.sleep(SETTLE_S)
        later = files.as_now()
        if later == now:
            return
        now = later


async def _wake_ups(directory: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield at once, when something happened in the directory, and every CHECK_MS anyway."""
    yield
    woken = asyncio.Event()
    stopping = asyncio.create_task(_pass_on(stop, woken))
    events = _events(directory, woken)
    woken.set()  # something may have happened before they were listened to
    try:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_MS / 1000):
                    await woken.wait()
            if woken.is_set():
                await asyncio.sleep(GATHER_S)
                woken.clear()
            elif events is not None:
                events.renew()
            yield
    finally:
        stopping.cancel()
        if events is not None:
            events.close()


def _events(directory: Path, woken: asyncio.Event) -> DirectoryEvents | None:
    # Loaded once the server answers: it comes with a library that looks for the C library in a process of its own.
    from lbdns.processes.supervisor.directory_events import DirectoryEvents

    try:
        return DirectoryEvents(directory, woken)
    except OSError as error:
        log.warning("%s cannot be watched (%s); its files are looked at every second", directory, error)
        return None


async def _pass_on(stop: asyncio.Event, woken: asyncio.Event) -> None:
    await stop.wait()
    woken.set()
