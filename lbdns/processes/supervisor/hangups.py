"""SIGHUP: a wish to reload, which is kept from the first moment of the process until there is somebody to reload."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable


class Hangups:
    """Catches SIGHUP. One that came before `follow` is told of then; made by the process's main thread."""

    def __init__(self) -> None:
        """Catch it from now on."""
        self._is_waiting = False
        signal.signal(signal.SIGHUP, self._keep)

    def follow(self, tell: Callable[[], object]) -> None:
        """Have the running loop call `tell` at each that comes, and now where any came already."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, tell)
        if self._is_waiting:
            self._is_waiting = False
            tell()

    def _keep(self, *_: object) -> None:
        self._is_waiting = True
