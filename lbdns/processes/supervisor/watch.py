"""Watching a configuration's files: says when what lies on disk is no longer what was read, and has come to rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from lbdns.config.files_read import FilesRead

CHECK_MS = 1000  # where the kernel reports nothing (network file systems), files are looked at so often
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
    # Loaded once the server answers: it comes with a library for events.
    import watchfiles

    while not stop.is_set():
        try:
            async for _ in watchfiles.awatch(
                directory,
                watch_filter=None,
                stop_event=stop,
                recursive=False,
                debounce=50,
                step=20,
                rust_timeout=CHECK_MS,
                yield_on_timeout=True,
            ):
                yield
        except (OSError, RuntimeError) as error:
            log.warning("%s cannot be watched (%s); its files are looked at every second", directory, error)
            while not stop.is_set():
                await asyncio.sleep(CHECK_MS / 1000)
                yield
