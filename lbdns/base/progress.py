"""How far a long job has come, for whoever watches: a terminal does, a log does not.

Jobs say what they have done with `report`, every STEP items or so; what is set by `watched_by` hears it. Nobody listens
by default, and a job knows nothing of who does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

STEP: Final = 8192
"""Items between two reports: often enough to be seen moving, seldom enough to cost nothing."""
LAST_STAGE: Final = "rendering answers"
"""The last stage of what is published."""

Watcher = Callable[[str, int, int], None]
"""Hears (stage, items done, items in all); the stage's name is for people."""

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def report(stage: str, done: int, total: int) -> None:
    """Say that `done` of `total` items of a stage are through."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher(stage, done, total)


@contextmanager
def watched_by(watcher: Watcher | None) -> Iterator[None]:
    """Let `watcher` hear what is reported within."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


class JobProgress:
    """How far the job that is under way has come, for whoever asks: `told` has its stage, the items done and those in
    all, None where none is under way."""

    def __init__(self) -> None:
        """Begin with none."""
        self.told: tuple[str, int, int] | None = None

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Take what is reported within."""
        try:
            with watched_by(self._hear):
                yield
        finally:
            self.told = None

    def _hear(self, stage: str, done: int, total: int) -> None:
        self.told = stage, done, total
