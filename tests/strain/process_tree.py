"""What the processes of one server hold and use, by role, from /proc."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lbdns.base.words import RESPONDER_MODULE

TICKS = os.sysconf("SC_CLK_TCK")
SUPERVISOR, RESPONDER, MONITOR, OTHER = "supervisor", "responder", "monitor", "other"
_ROLES = {RESPONDER_MODULE.encode(): RESPONDER, b"lbdns.monitor": MONITOR, b"serve": SUPERVISOR}


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment; memory in KiB: proportional, and what is its own alone (anonymous)."""

    pid: int
    role: str
    pss_kib: int
    own_kib: int
    descriptors: int
    threads: int
    cpu_s: float


def processes(state_dir: Path, run_dir: Path) -> list[Process]:
    """Return the processes of the server with this state directory; those that end meanwhile are left out."""
    marks = {os.fsencode(state_dir), os.fsencode(run_dir)}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, StopIteration):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if not marks.isdisjoint(arguments):
                found.append(_process(entry, arguments))
    return found


def _process(entry: Path, arguments: Iterable[bytes]) -> Process:
    role = next((role for word, role in _ROLES.items() if word in arguments), OTHER)
    status = _table(entry / "status")
    fields = (entry / "stat").read_text().rpartition(")")[2].split()
    return Process(
        pid=int(entry.name),
        role=role,
        pss_kib=_table(entry / "smaps_rollup")["Pss"],
        own_kib=status["RssAnon"],
        descriptors=len(os.listdir(entry / "fd")),
        threads=status["Threads"],
        cpu_s=(int(fields[11]) + int(fields[12])) / TICKS,
    )


def _table(path: Path) -> dict[str, int]:
    """Return the rows of a file of /proc whose values are whole numbers; raises OSError where the process ended."""
    rows = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        first = value.split()[:1]
        if first and first[0].isdigit():
            rows[name] = int(first[0])
    if not rows.get("VmRSS", 1):
        raise OSError("it ends")
    return rows


def size_kib(directory: Path) -> int:
    """Return what the files below a directory take on disk, 0 where there is none."""
    total = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_blocks // 2
    return total
