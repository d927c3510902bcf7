"""A real server under strain: what it serves, the load on it, and its processes to look at or to harm."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, write_files
from tests.store.served import StoreServer, free_port
from tests.strain.asking import LOST_S, Asker
from tests.strain.endpoints import PlayedElsewhere
from tests.strain.process_tree import Process, processes
from tests.strain.served import Served, configuration, settings_for

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A load: queries a second, what is drawn from, and how long an answer is waited for, in seconds."""

    rate: float
    seed: int
    lost_s: float = LOST_S


class Subject:
    """One server with its load; `changes` is the API's path to it where it serves a store."""

    def __init__(self, name: str, server: LbdnsServer, served: Served, load: LoadPlan) -> None:
        """Begin to load a server that runs."""
        self.name = name
        self.server = server
        self.served = served
        self.asker = Asker((server.host, server.port), served.questions, load.rate, load.seed, load.lost_s)
        self.asker.start()

    def close(self) -> None:
        """Stop asking."""
        self.asker.stop()

    def processes(self) -> list[Process]:
        """Return what runs of the server now."""
        return processes(self.server.state_dir, self.server.run_directory)

    def pids(self, role: str) -> list[int]:
        """Return the process ids of a role, oldest first."""
        return sorted(one.pid for one in self.processes() if one.role == role)


@contextlib.contextmanager
def files_subject(work: Path, played: PlayedElsewhere, zones: int, load: LoadPlan) -> Iterator[Subject]:
    """Serve files in `work`/config."""
    tree = configuration(played.port, zones) | {"settings": settings_for(free_port())}
    write_files(tree, work / "config")
    with contextlib.closing(LbdnsServer(work / "config", work)) as server:
        server.start()
        with contextlib.closing(Subject("files", server, Served(zones), load)) as subject:
            yield subject


@contextlib.contextmanager
def store_subject(work: Path, played: PlayedElsewhere, zones: int, load: LoadPlan) -> Iterator[Subject]:
    """Serve a store that begins with the same."""
    work.mkdir(parents=True, exist_ok=True)
    settings = settings_for(0)
    del settings["api"]
    with contextlib.closing(StoreServer(work, yaml.safe_dump(settings))) as server:
        write_files(configuration(played.port, zones), work / "config")
        command = [sys.executable, "-P", "-m", "lbdns", "apply", str(work / "config"), "--yes"]
        command += ["--settings", str(server.settings_file), "--state", str(server.state_dir)]
        subprocess.run(command, check=True, capture_output=True, env=package_environment(), timeout=120)
        server.start()
        server.wait_for_api()
        with contextlib.closing(Subject("store", server, Served(zones), load)) as subject:
            yield subject


def wait_until(holds: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> float:
    """Wait until something holds; returns how many seconds it took, raises TimeoutError where it never does."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s > seconds:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - began_s


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, which may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
