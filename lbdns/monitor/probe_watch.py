"""Watches what probes do to their worker: one that kills or hangs it again and again is not run any more.

Which check has the processor stands in the control file, for as long as a step of its probe runs. A worker that finds
it there when it begins knows on which check the one before it ended; three such ends in a row, and the check fails
without being run, until it is another check or the server starts anew. One that waits for ever without taking the
processor is broken off (Scheduler).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

from lbdns.health.reasons import Reason
from lbdns.mapped.control import Control
from lbdns.monitor.probe_check import Check
from lbdns.monitor.probes.result import Result

FATAL_MAX: Final = 3
FILE: Final = "fatal-checks.json"
WORD: Final = "monitor_step"

log = logging.getLogger("lbdns.monitor")


class Runs(Protocol):
    """Runs checks."""

    async def run(self, check: Check) -> None:
        """Run a check once, to its end."""
        ...


class Unwatched:
    """Runs checks without a worker that could end on them."""

    async def run(self, check: Check) -> None:
        """Run a check once."""
        await check.run()


class ProbeWatch:
    """Runs the checks of one worker, and knows which ended the ones before it."""

    def __init__(self, control: Control, run_dir: Path) -> None:
        """Count the check on which the worker before this one ended, where it ended on one."""
        self._mark_step = control.writer(WORD)
        self._path = run_dir / FILE
        self._counts = self._load()
        ended_on = control.get(WORD)
        control.set(WORD, 0)
        if ended_on:
            self._counts[ended_on] = self._counts.get(ended_on, 0) + 1
            self._save()

    async def run(self, check: Check) -> None:
        """Run a check once, marked as the one that has the processor; or fail it where it ended too many workers."""
        mark = check.mark = check.mark or mark_of(check)
        count = self._counts.get(mark, 0)
        if count >= FATAL_MAX:
            check.started_s = asyncio.get_running_loop().time()
            check.give(hung(check), check.started_s)
            return
        await _Marked(check.run(), self._mark_step, mark)
        if count:
            del self._counts[mark]
            self._save()

    def _load(self) -> dict[int, int]:
        with suppress(OSError, ValueError):
            return {int(mark): int(count) for mark, count in json.loads(self._path.read_text()).items()}
        return {}

    def _save(self) -> None:
        fresh = self._path.with_suffix(".partial")
        try:
            fresh.write_text(json.dumps(self._counts))
            fresh.replace(self._path)
        except OSError as error:
            log.warning("%s: which checks ended a monitor worker is not kept: %s", self._path, error.strerror)


class _Marked(Awaitable[None]):
    """An awaitable whose steps are marked in the control file while they run."""

    __slots__ = ("_inner", "_mark", "_mark_step")

    def __init__(self, inner: Awaitable[None], mark_step: Callable[[int], None], mark: int) -> None:
        self._inner = inner
        self._mark_step = mark_step
        self._mark = mark

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._inner.__await__()
        mark_step, mark = self._mark_step, self._mark
        step: Callable[[Any], Any] = steps.send
        given: Any = None
        while True:
            mark_step(mark)
            try:
                waited_for = step(given)
            except StopIteration:
                return
            finally:
                mark_step(0)
            try:
                given = yield waited_for
                step = steps.send
            except BaseException as error:  # a cancellation too is for the probe to see
                given, step = error, steps.throw


def mark_of(check: Check) -> int:
    """Return 64 bits that stand for a check in every process, not 0."""
    return int.from_bytes(blake2b(repr(check.key).encode(), digest_size=8).digest()) or 1


def hung(check: Check) -> Result:
    """Return the result of a check whose probe does not come to an end."""
    return Result(
        False, Reason.CONFIG_ERROR, detail=f"the probe of {check.target.address} port {check.target.port} hung"
    )
