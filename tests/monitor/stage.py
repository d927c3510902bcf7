"""A run directory with a worker in it, and ways to wait for what it does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from lbdns.mapped.control import Control
from lbdns.mapped.health_table import HealthTable
from lbdns.monitor.waiting_worker import Options, WaitingWorker
from lbdns.monitor.worker import MonitorWorker
from tests.monitor.documents import document


class Running:
    """A monitor worker that runs in this process."""

    def __init__(self, options: Options) -> None:
        self._waiting = WaitingWorker(options)
        self._at_work: list[MonitorWorker] = []

    async def run(self) -> None:
        worker = await self._waiting.wait()
        if worker is not None:
            self._at_work.append(worker)
            await worker.run()

    def stop(self) -> None:
        self._waiting.stop()

    @property
    def worker(self) -> MonitorWorker:
        """The worker, once it has adopted a generation."""
        (worker,) = self._at_work
        return worker


class Stage:
    """A run directory with table and control file, and the worker in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = HealthTable.create(path / "health-1.bin", 32, 8, 1)
        self.control = Control.create(path / "control")
        self._wake_fd: int | None = None

    def __getitem__(self, column: str) -> Any:
        return self.table.columns[column]

    def publish(self, *pools: dict[str, Any], **more: Any) -> None:
        generation = self.control.generation + 1
        wanted = document(self.table.path, *pools, generation=generation, **more)
        (self.path / f"targets-{generation}.json").write_text(json.dumps(wanted))
        self.control.generation = generation
        if self._wake_fd is not None:
            os.eventfd_write(self._wake_fd, 1)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Running]:
        running = Running(Options(self.path, self.control.path, self.path))
        task = asyncio.create_task(running.run())
        try:
            yield running
        finally:
            running.stop()
            await task

    @contextlib.contextmanager
    def process(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "lbdns.monitor", "--run-dir", str(self.path), "--state-dir", str(self.path)]
        command += ["--control-file", str(self.control.path)]
        with contextlib.ExitStack() as cleanup:
            self._wake_fd = os.eventfd(0)
            cleanup.callback(os.close, self._wake_fd)
            command += ["--wake-fd", str(self._wake_fd)]
            log = cleanup.enter_context((self.path / "log").open("ab"))
            process = cleanup.enter_context(subprocess.Popen(command, stderr=log, pass_fds=[self._wake_fd]))
            cleanup.callback(process.kill)
            yield process
        self._wake_fd = None


async def until(holds: Callable[[], bool], within_s: float = 30.0) -> float:
    """Wait until something holds; returns after how many seconds.

    Whoever bounds these passes `within_s`: the default is no bound of ours, only the end of patience on a busy machine.
    """
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < within_s, "it never came to hold"
        await asyncio.sleep(0.005)
    return time.monotonic() - begun_s


async def adopted(stage: Stage, generation: int) -> float:
    """Wait until the worker has taken a generation over; returns after how many seconds."""
    return await until(lambda: stage.control.get("monitor_generation") == generation)


def hurry(running: Running) -> None:
    """Probe everything now, as if the interval had passed."""
    for check in running.worker._plan.checks.values():
        running.worker._scheduler.hurry(check)
