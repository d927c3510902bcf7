"""A history process without a server: the files that one would have, counters that a test counts in, and the process.

with recorded(tmp_path) as site:  site.count("www.example.com", 7); site.start(); site.eventually_counted(7)
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from lbdns.mapped.columns import empty_columns
from lbdns.mapped.control import Control
from lbdns.mapped.counter_room import allocate_counters
from lbdns.mapped.counter_words import DATAGRAMS, LOAD_BALANCERS_FIRST, RCODES_FIRST
from lbdns.mapped.counters import open_counters
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.processes.supervisor.child_process import package_environment
from lbdns.publish.slots_document import encode_slots
from lbdns.snapshot.slots import Slots
from lbdns.telemetry.history.history_reader import HistoryReader
from lbdns.telemetry.history.history_status import HistoryUnreadable

MODULE: Final = "lbdns.telemetry.history.history_worker"
WRITE_S: Final = 0.2
PATIENCE_S: Final = 30.0
SLOTS: Final = 16
CAPACITY: Final = 16


class RecordedSite:
    """What a server would have, in `state_dir`; load balancers have slots by their names."""

    def __init__(self, state_dir: Path, names: Sequence[str]) -> None:
        """Make it."""
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        self.run = RunDirectory(state_dir)
        self.control = Control.create(self.run.control)
        self.control.set("counters_began_ns", time.time_ns())
        self.slots = Slots()
        self.table = HealthTable.create(self.run.table(1), CAPACITY, CAPACITY, 1)
        counters = self.run.counters(0, 0)
        allocate_counters(counters, SLOTS, SLOTS, SLOTS, SLOTS)
        self.words = np.frombuffer(open_counters(counters, writable=True), dtype=np.uint64)
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = state_dir.parent / "history.log"
        self.publish({name: slot for slot, name in enumerate(names)})

    def publish(self, slots: dict[str, int]) -> None:
        """Put a generation in force in which load balancers have these slots."""
        number = self.control.generation + 1
        count = max(self.slots.load_balancer_count, *(slot + 1 for slot in slots.values()))
        held = {(name, "A"): slot for name, slot in slots.items()}
        self.slots = replace(self.slots, load_balancer=held, load_balancer_count=count)
        snapshot = Snapshot.of(empty_columns(), {"generation": number, "layout_id": 1})
        snapshot.write_tries(self.run.tries(number))
        snapshot.write(self.run.snapshot(number), self.run.tries(number))
        self.run.slots(number).write_text(encode_slots(self.slots))
        self.control.generation = number

    def count(self, name: str, times: int = 1) -> None:
        """Count decisions as a responder does."""
        self.words[LOAD_BALANCERS_FIRST + self.slots.load_balancer[name, "A"]] += np.uint64(times)
        self.words[RCODES_FIRST] += np.uint64(times)
        self.words[DATAGRAMS] += np.uint64(times)

    def start(self, write_s: float = WRITE_S, size: int = 100_000_000) -> subprocess.Popen[bytes]:
        """Start the process."""
        command = [sys.executable, "-P", "-m", MODULE, "--state-dir", str(self.state_dir), "--size", str(size)]
        command += ["--days", "90", "--write-s", str(write_s)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=package_environment()
            )
        return self.process

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the process by a signal, and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        """What the processes said."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def counted(self, name: str = "") -> int:
        """Return how many decisions the history has, of one load balancer or of all; -1 where it cannot be read."""
        now_s = time.time()
        try:
            rows = HistoryReader(self.state_dir).cells(now_s - 86_400, now_s + 86_400, ["load_balancer"])
        except HistoryUnreadable:
            return -1
        return sum(row.count for row in rows if name in ("", row.dimensions["load_balancer"]))

    def exists(self) -> bool:
        """Whether anything has been written."""
        with contextlib.suppress(HistoryUnreadable):
            return HistoryReader(self.state_dir).status()["written"] is not None
        return False

    def close(self) -> None:
        """End what runs, and remove what is in shared memory."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.run.remove()


@contextlib.contextmanager
def recorded(work: Path, names: Sequence[str] = ("www.example.com", "api.example.com")) -> Iterator[RecordedSite]:
    """Yield a site whose load balancers have these names."""
    with contextlib.closing(RecordedSite(work / "state", names)) as site:
        yield site


def eventually(condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
    """Return when a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
