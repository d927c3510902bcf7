"""A limit of tasks that processes are put under for a while: they can make no more (cgroups, version 1)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup/pids")
EMPTY_S: Final = 5.0


def why_no_task_limit() -> str:
    """Return why there can be none here, "" where there can."""
    return "" if os.access(CGROUPS, os.W_OK) and (CGROUPS / "tasks").exists() else "no cgroup of tasks to write to"


class TaskLimit:
    """Processes that can make no other process and no thread, until this is left."""

    def __init__(self, name: str, pids: Iterable[int]) -> None:
        """Put them into a group of this name."""
        self._group = CGROUPS / name
        self._group.mkdir()
        for pid in pids:
            with contextlib.suppress(OSError):
                (self._group / "cgroup.procs").write_text(str(pid))
        (self._group / "pids.max").write_text("1")

    def lift(self) -> None:
        """Let them make processes again."""
        (self._group / "pids.max").write_text("max")

    def leave(self) -> float:
        """Let them out; returns how long that took, in seconds, EMPTY_S at most."""
        began_s = time.monotonic()
        while (pids := self._pids()) and time.monotonic() - began_s < EMPTY_S:
            for pid in pids:
                with contextlib.suppress(OSError):
                    (CGROUPS / "cgroup.procs").write_text(pid)
            time.sleep(0.02)
        self._group.rmdir()
        return time.monotonic() - began_s

    def _pids(self) -> list[str]:
        return (self._group / "cgroup.procs").read_text().split()

    def __enter__(self) -> TaskLimit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lift()
        self.leave()
