"""A progress bar on the terminal for loads that take more than a moment; none where standard error is no terminal.

What another process does, it is asked for every POLL_S.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.progress import watched_by

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE_S: Final = 1.0
"""How long a load may take before anything is shown."""
POLL_S: Final = 0.25
QUIET_S: Final = 1.0


class Bar:
    """Watches one load: a line a stage, gone when it ends. `last_stage` ends it for good, once that is complete."""

    def __init__(self, last_stage: str = "") -> None:
        self._last_stage = last_stage
        self._begun = time.monotonic()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._is_over = False

    def watch(self, stage: str, done: int, total: int) -> None:
        """Hear of a stage; shows it once the load has taken PATIENCE_S."""
        if self._is_over or time.monotonic() - self._begun < PATIENCE_S:
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._progress.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done, total=total)
        if stage == self._last_stage and done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away and hear no more."""
        self._is_over = True
        if self._progress is not None:
            self._progress.stop()


@contextmanager
def bar_elsewhere(ask: Callable[[], tuple[str, int, int] | None]) -> Iterator[None]:
    """Show on a terminal how far another process has come, which `ask` says in a thread of its own; it may raise
    LbdnsError, and says None where nothing is under way."""
    if not sys.stderr.isatty():
        yield
        return
    shown, is_over = Bar(), Event()

    def poll() -> None:
        while not is_over.wait(POLL_S):
            with suppress(LbdnsError):
                told = ask()
                if told is not None:
                    shown.watch(*told)

    thread = Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        shown.close()


def show_until_quiet(ask: Callable[[], tuple[str, int, int] | None], most_s: float) -> None:
    """Show on a terminal what another process does, as above, until nothing has been under way for QUIET_S: at most for
    `most_s`. Returns at once where standard error is no terminal."""
    if not sys.stderr.isatty():
        return
    shown, until_s = Bar(), time.monotonic() + most_s
    busy_s = time.monotonic()
    try:
        while busy_s + QUIET_S > time.monotonic() < until_s:
            told = ask()
            if told is not None:
                shown.watch(*told)
                busy_s = time.monotonic()
            time.sleep(POLL_S)
    finally:
        shown.close()


@contextmanager
def bar(last_stage: str = "") -> Iterator[None]:
    """Show what is reported within on a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    shown = Bar(last_stage)
    try:
        with watched_by(shown.watch):
            yield
    finally:
        shown.close()
