"""Which tests `--quick` runs, and that no other way than a mark lets a test start a process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SERVED = "tests/api/test_api_balancing.py"


def in_a_loop() -> None:
    async def start() -> None:
        await asyncio.create_subprocess_exec("true")

    asyncio.run(start())


@pytest.mark.parametrize(
    "start",
    [lambda: subprocess.run(["true"], check=True), lambda: os.system("true"), os.fork, in_a_loop],
    ids=["subprocess", "system", "fork", "asyncio"],
)
def test_a_test_without_the_mark_starts_no_process(start: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=r"test_quick\.py.* starts a process .*: mark it `process`"):
        start()


@pytest.mark.process
def test_quick_leaves_out_what_starts_processes_and_what_is_slow() -> None:
    """By its own mark, by its module's, by a fixture's, by a parameter's."""
    chosen = ("tests/test_quick.py", "tests/answer/test_tcp.py", "tests/answer/test_wildcards.py", SERVED)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--quick", "--collect-only", "-q", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if "::" in line]
    assert done.returncode == 0 and found, done.stdout + done.stderr
    assert any("in-process" in name for name in found)
    assert not [name for name in found if "[udp" in name or "[tcp" in name or name.startswith(SERVED)]
    assert not [name for name in found if "leaves_out" in name]
