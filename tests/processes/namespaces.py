"""A server in a mount namespace of its own, whose shared memory and directories are as a test wants them."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def needs_namespaces() -> None:
    """Skip the test where this machine lets nobody have a mount namespace."""
    made = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "none", "/dev/shm"], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no mount namespaces here: {made.stderr.decode().strip()}")


def with_mounts(monkeypatch: pytest.MonkeyPatch, work: Path, *commands: str, through: str = "") -> None:
    """Have servers that are started in this test run in a mount namespace where `commands` (of a shell) were run.

    `through`: a program that runs them.
    """
    needs_namespaces()
    python = work / "python"
    inside = " && ".join([*commands, f'exec {through} {shlex.quote(sys.executable)} "$@"'])
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*UNSHARE, "sh", "-c", inside, "sh"])} "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))


def with_shared_memory(monkeypatch: pytest.MonkeyPatch, work: Path, size: str) -> None:
    """Have servers that are started in this test find a /dev/shm of `size` (mount option of tmpfs), theirs alone."""
    with_mounts(monkeypatch, work, f"mount -t tmpfs -o size={size} none /dev/shm")


def read_only(path: Path) -> str:
    """Return the command that makes a directory read-only, with what is in it."""
    place = shlex.quote(str(path))
    return f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"


def small_disk(path: Path, size: str, files_from: Path | None = None) -> str:
    """Return the command that puts a file system of `size` at a directory, with the files of another one in it."""
    place = shlex.quote(str(path))
    copied = f" && cp -a {shlex.quote(str(files_from))}/. {place}/" if files_from is not None else ""
    return f"mkdir -p {place} && mount -t tmpfs -o size={size} none {place}{copied}"


def filled(path: Path) -> str:
    """Return the command that leaves no room at a directory: one file takes it all, whose removal gives it back."""
    place = shlex.quote(str(path / "filling"))
    return f"{{ dd if=/dev/zero of={place} bs=4096 2>/dev/null; true; }}"


def seen_from_outside(pid: int, path: Path) -> Path:
    """Return where a path of a process in such a namespace is seen from outside."""
    return Path(f"/proc/{pid}/root{path}")


def shared_memory(pid: int) -> Path:
    """Return where the shared memory of a process in such a namespace is seen from outside."""
    return seen_from_outside(pid, Path("/dev/shm"))
