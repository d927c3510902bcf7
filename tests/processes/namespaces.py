"""A server in a mount namespace of its own, whose shared memory is as small as a test wants it."""

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


def with_shared_memory(monkeypatch: pytest.MonkeyPatch, work: Path, size: str) -> None:
    """Have servers that are started in this test find a /dev/shm of `size` (mount option of tmpfs), theirs alone."""
    needs_namespaces()
    python = work / "python"
    inside = f'mount -t tmpfs -o size={size} none /dev/shm && exec {shlex.quote(sys.executable)} "$@"'
    python.write_text(f'#!/bin/sh\nexec {shlex.join([*UNSHARE, "sh", "-c", inside, "sh"])} "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(python))


def shared_memory(pid: int) -> Path:
    """Return where the shared memory of a process in such a namespace is seen from outside."""
    return Path(f"/proc/{pid}/root/dev/shm")
