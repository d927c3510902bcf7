"""Keeping what is served: a copy in the state directory for each generation, in a thread, the newest where they hurry.

After a copy it rests several times as long as that took, and for REST_MIN_S, so that a store of many changes does not
spend itself on copies. Where none can be written, answers go on: the log, metrics and `lbdns status` say so, and it is
tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.garbage import give_back_memory
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.base.pacing import Pacing
from lbdns.config.examined import Texts
from lbdns.config.files_read import Stamp
from lbdns.publish.copy_grounds import Grounds
from lbdns.publish.last_served import LastServedWriter
from lbdns.publish.publisher import Published

REST_SHARE: Final = 4  # how many times as long as a copy took nothing is copied afterwards
REST_MIN_S: Final = 1.0  # a small copy takes 10 ms of computing, and changes may come a hundred times a second
REST_MAX_S: Final = 30.0
RETRY_S: Final = 5.0

log = logging.getLogger("lbdns.processes")


class ToKeep(NamedTuple):
    """A generation, the texts that it was read from, when it was put in force (unix seconds), and the files that were
    read, as they were then, None where that is not known."""

    published: Published
    texts: Texts
    served_at: float
    read: Mapping[Path, Stamp | None] | None = None


class Keeper:
    """Keeps the newest of what it is told."""

    def __init__(self, state_dir: Path, source: str, objects: Callable[[int | None], str] | None = None) -> None:
        """Describe the place, and whose copies these are; `objects`: as in ConfigurationSource."""
        self._writer = LastServedWriter(state_dir)
        self._source = source
        self._objects = objects
        self._waiting: ToKeep | None = None
        self._told = asyncio.Event()
        self._busy = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._pace = Pacing()
        self._trouble = LastingTrouble(log, "what is served is kept for a restart again")

    @property
    def problem(self) -> str:
        """Why it cannot keep what is served; "" where it can."""
        return self._trouble.text

    def start(self) -> None:
        """Begin to keep what it was told, in the running loop."""
        self._task = asyncio.create_task(self._run())

    def tell(self, to_keep: ToKeep) -> None:
        """Have a generation kept, in place of any that still waits."""
        self._waiting = to_keep
        self._told.set()

    async def close(self) -> None:
        """Keep what waits, and end."""
        self._pace.hurry()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._keep()

    async def _run(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            began = time.monotonic()
            await asyncio.shield(self._keep())
            rest_s = min(max(REST_SHARE * (time.monotonic() - began), REST_MIN_S), REST_MAX_S)
            if self.problem:
                self._told.set()
                rest_s = max(rest_s, RETRY_S)
            await asyncio.sleep(rest_s)

    async def _keep(self) -> None:
        async with self._busy:
            to_keep = self._waiting
            if to_keep is None:
                return
            try:
                await asyncio.to_thread(self._write, to_keep)
            except LbdnsError as error:
                self._trouble.begin(error)
            else:
                self._trouble.end()
                if self._waiting is to_keep:
                    self._waiting = None

    def _write(self, to_keep: ToKeep) -> None:
        published = to_keep.published
        self._writer.keep(published, self._source, to_keep.texts(self._pace), to_keep.served_at, self._grounds(to_keep))
        # What the texts took, and the start before them: a sixth of the process with the example.
        give_back_memory()

    def _grounds(self, to_keep: ToKeep) -> Grounds | None:
        if to_keep.read is None:
            return None
        objects = "" if self._objects is None else self._objects(to_keep.published.configuration.store_revision)
        return Grounds({str(path): stamp for path, stamp in to_keep.read.items()}, objects)
