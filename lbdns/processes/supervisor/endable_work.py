"""Work in threads that can be ended where it stands: to read and compile a large configuration takes half a minute, and
a server that is to stop has no use for it.

Python ends no thread, but raises in one what it is asked to, before its next instruction (PyThreadState_SetAsyncExc).
So it is for work that whoever is killed may leave half done: what it has open it closes, what it writes is not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

from lbdns.base.errors import LbdnsError

Made = TypeVar("Made")


class WorkEnded(BaseException):
    """The work was ended where it stood; nobody but who asked for it takes this for a failure."""


class EndableWork:
    """All such work of one server."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._threads: set[int] = set()
        self._is_over = False

    def within(self, work: Callable[[], Made]) -> Callable[[], Made]:
        """Return what does the work in the thread that calls it; raises WorkEnded where it is ended, or was before."""

        def done() -> Made:
            number = threading.get_ident()
            with self._lock:
                if self._is_over:
                    raise WorkEnded
                self._threads.add(number)
            try:
                return work()
            finally:
                with self._lock:
                    self._threads.discard(number)

        return done

    async def until(self, stop: asyncio.Event, task: asyncio.Task[object]) -> None:
        """Wait for a task that has such work done; where `stop` is set before, end both. Raises what it raises."""
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
            return
        task.cancel()
        self.end()
        with contextlib.suppress(asyncio.CancelledError, LbdnsError):
            await task

    def end(self) -> None:
        """End what is being done, and let nothing begin any more."""
        with self._lock:
            self._is_over = True
            for number in self._threads:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(number), ctypes.py_object(WorkEnded))
