"""What-if over recorded traffic, worked out by a process of its own, so that the server that is asked does not wait."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json, to_json

from lbdns.base.errors import LbdnsError
from lbdns.base.own_package import package_environment
from lbdns.model.configuration import Configuration
from lbdns.model.configuration_document import encode_configuration
from lbdns.publish.replay.what_if_question import CPU_S, MODULE, WhatIfQuestion
from lbdns.transfer.inward.copied_zone import with_copies

WAIT_S: Final = 180.0
_AT_A_TIME = asyncio.Semaphore(1)


async def ask_apart(state_dir: Path, proposed: Configuration, question: WhatIfQuestion) -> dict[str, Any]:
    """Return what a configuration would move; raises LbdnsError. One question is worked on at a time."""
    async with _AT_A_TIME:
        process = await asyncio.to_thread(_start)
        alarm = asyncio.get_running_loop().call_later(WAIT_S, process.kill)
        try:
            return await asyncio.to_thread(_ask, process, state_dir, proposed, question)
        finally:  # cancelled or not: the thread hears that it has ended
            alarm.cancel()
            process.kill()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env=package_environment(),
    )


def _ask(
    process: subprocess.Popen[bytes], state_dir: Path, proposed: Configuration, question: WhatIfQuestion
) -> dict[str, Any]:
    task = to_json({"state_dir": str(state_dir.resolve()), **dataclasses.asdict(question)}) + b"\n"
    with process:
        told, _ = process.communicate(task + encode_configuration(with_copies(proposed, state_dir)))
    if process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise LbdnsError(f"what this moves was not worked out within {CPU_S} s of computing; ask of less (since)")
    if process.returncode:
        raise RuntimeError(f"the process that works out what-if failed with status {process.returncode}")
    answer: dict[str, Any] = from_json(told)
    if refused := answer.get("refused"):
        raise LbdnsError(refused)
    return answer
