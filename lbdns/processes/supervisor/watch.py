"""Watching a configuration's files: says when what lies on disk is no longer what was read, and has come to rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import watchfiles

CHECK_MS = 1000  # where the kernel reports nothing (network file systems), files are looked at so often
SETTLE_S = 0.15  # several files written one after another are one change
SETTLE_MAX_S = 1.0

Fingerprint = tuple[tuple[str, int, int, int], ...]

log = logging.getLogger("lbdns.processes")


def fingerprint(directory: Path, suffixes: tuple[str, ...], others: Iterable[Path]) -> Fingerprint:
    """Return what tells one state of the files from another: path, modification time, size and inode of each.

    The files are those of the directory that end so, and the others; those that are missing are left out.
    """
    paths = set(others)
    try:
        paths.update(path for path in directory.iterdir() if path.suffix in suffixes)
    except OSError:
        return (("", 0, 0, 0),)
    found = []
    for path in sorted(paths):
        try:
            seen = path.stat()
        except OSError:
            continue
        found.append((str(path), seen.st_mtime_ns, seen.st_size, seen.st_ino))
    return tuple(found)


async def changes(
    directory: Path, suffixes: tuple[str, ...], others: Callable[[], Iterable[Path]], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Yield after each change of the configuration's files, once they have come to rest, until `stop` is set.

    They are those in `directory` that end in one of `suffixes`, and what `others` returns: the files that the
    configuration in force was read from.
    """

    def look() -> Fingerprint:
        return fingerprint(directory, suffixes, others())

    seen = look()
    async for _ in _wake_ups(directory, stop):
        now = look()
        if now == seen:
            continue
        seen = await _at_rest(look, now)
        yield
        # Files named by the new configuration are watched from now on; that they are is no change.
        if (after := look()) != seen and {row[0] for row in after} != {row[0] for row in seen}:
            seen = after


async def _at_rest(look: Callable[[], Fingerprint], now: Fingerprint) -> Fingerprint:
    for _ in range(round(SETTLE_MAX_S / SETTLE_S)):
        await asyncio.sleep(SETTLE_S)
        later = look()
        if later == now:
            break
        now = later
    return now


async def _wake_ups(directory: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yield when something happened in the directory, and every CHECK_MS anyway."""
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
