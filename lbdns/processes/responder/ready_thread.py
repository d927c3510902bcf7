"""Threads that are made before there is anything to do: where none can be made any more, a spare goes on with them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from lbdns.base.errors import LbdnsError


class ReadyThread:
    """A thread of the fast path that waits for its work; a daemon: one without work keeps no process alive."""

    def __init__(self) -> None:
        """Make the thread; raises LbdnsError where no more can be made."""
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="fast path", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise LbdnsError(f"no thread can be made: {error}") from error

    def begin(self, work: Callable[[], None]) -> None:
        """Do this, once, and end."""
        self._work.put(work)

    def is_alive(self) -> bool:
        """Return whether there is work, or may be: to wait for the end in a thread would take another one."""
        return self._thread.is_alive()

    def _run(self) -> None:
        self._work.get()()
