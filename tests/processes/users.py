"""Servers that are started as root for another user, where that user can reach Python and the test's files.

The root of a test is often a sandbox's: its Python, and pytest's directories, are for root alone. In a mount namespace
of the server's own they are opened as far as they have to be; what is on disk stays as it is.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER_ID = 47_110
"""No machine's passwd has it: settings name it by number."""
USER = f"{USER_ID}:{USER_ID}"


def needs_root() -> None:
    """Skip the test where it cannot become other users, or have a mount namespace."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    made = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no mount namespaces here: {made.stderr.decode().strip()}")


@contextlib.contextmanager
def public_directory() -> Iterator[Path]:
    """Yield a directory that every user can come to, which pytest's are not."""
    work = Path(tempfile.mkdtemp(prefix="lbdns-test-"))
    work.chmod(0o755)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def open_python(monkeypatch: pytest.MonkeyPatch, work: Path, *through: str, first: str = "") -> None:
    """Have servers that are started in this test run a Python that every user can reach, through a command that becomes
    it, such as setpriv with options. `first`: what a shell does before in the mount namespace, up to its `&&`."""
    python = work / "python"
    script = "".join(_opened(path) for path in _closed([Path(sys.executable), Path(__file__)]))
    inside = f'{first}{script}exec {shlex.join([*through, sys.executable])} "$@"'
    python.write_text(f'#!/bin/sh\nexec unshare --mount sh -c {shlex.quote(inside)} sh "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))


def _closed(used: list[Path]) -> list[tuple[Path, Path]]:
    """Return the directories that only root passes on the way to some files, each with what it leads to there."""
    found: dict[Path, Path] = {}
    todo = [*used]
    while todo:
        path = todo.pop()
        if path.is_symlink():
            todo.append(path.parent / os.readlink(path))
        for above in path.parents:
            if not above.stat().st_mode & stat.S_IXOTH:
                found[above] = above / path.relative_to(above).parts[0]
    return sorted(found.items())


def _opened(closed: tuple[Path, Path]) -> str:
    """Return a shell's commands that put an open directory over a closed one, with the one thing in it."""
    over, inner = (shlex.quote(str(path)) for path in closed)
    return (
        f"mount --bind {inner} /mnt && mount -t tmpfs -o mode=755 none {over} && mkdir {inner} && "
        f"mount --bind /mnt {inner} && umount /mnt && "
    )


def who(pid: int) -> dict[str, list[str]]:
    """Return what the kernel says of every thread of a process: fields of /proc/PID/status (proc(5)), a value each."""
    said: dict[str, list[str]] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            said.setdefault(key, []).append(value.strip())
    return said
