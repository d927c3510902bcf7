"""The process that reads a large body, as whoever wants it read keeps it: started for one body, ended after it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import subprocess
import sys
from typing import Any, Final, TypeVar

from pydantic_core import to_json

from lbdns.base.garbage import without_cyclic_collection
from lbdns.base.own_package import package_environment
from lbdns.manage.reading.body_refused import BadBody
from lbdns.manage.reading.frames import read_frames
from lbdns.manage.reading.readings import Reading, Unfinished, take_over
from lbdns.manage.reading.request_bounds import (
    CPU_S,
    MEMORY_LEAST,
    MEMORY_PER_BYTE,
    MIB,
    READING_S,
    TOO_HEAVY,
)

_Read = TypeVar("_Read")
_LESS: Final = "send less in one request"
_MODULE: Final = "lbdns.manage.reading"


async def read_apart(reading: Reading[_Read], body_fd: int, byte_count: int) -> _Read:
    """Return what a process of its own reads of a body; raises BadBody, BodyRefused, ConfigError as `read` does.

    One that takes too long is killed, and the body refused.
    """
    process = await asyncio.to_thread(_start, reading, body_fd, byte_count)
    alarm = asyncio.get_running_loop().call_later(READING_S, process.kill)
    try:
        return await asyncio.to_thread(_hear, reading, process)
    except Unfinished:
        raise _too_much(process.returncode, byte_count) from None
    finally:  # cancelled or not: the thread hears that it has ended
        alarm.cancel()
        process.kill()


def _start(reading: Reading[Any], body_fd: int, byte_count: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE, "--body-fd", str(body_fd)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[body_fd],
        start_new_session=True,
        env=package_environment() | {"RUST_BACKTRACE": "0"},  # to write one takes memory: it may end in a deadlock
    )
    assert process.stdin is not None, "it is a pipe"
    arguments = dataclasses.asdict(reading)  # type: ignore[call-overload]
    task = {"kind": type(reading).__name__, "arguments": arguments, "byte_count": byte_count}
    with contextlib.suppress(BrokenPipeError), process.stdin as out:  # that it has ended shows when it is heard
        out.write(to_json(task) + b"\n")
    return process


@without_cyclic_collection()
def _hear(reading: Reading[_Read], process: subprocess.Popen[bytes]) -> _Read:
    assert process.stdout is not None, "it is a pipe"
    with process, process.stdout as told:
        return take_over(reading, read_frames(told))


def _too_much(status: int, byte_count: int) -> Exception:
    """Return what is said of a body whose reader ended before it had told everything."""
    if status in (TOO_HEAVY, -signal.SIGABRT):
        most = (MEMORY_LEAST + MEMORY_PER_BYTE * byte_count) // MIB
        return BadBody(f"reading the body takes more than {most:,} MiB of memory; {_LESS}", is_too_large=True)
    if status == -signal.SIGXCPU:
        return BadBody(f"reading the body takes more than {CPU_S} s of computing; {_LESS}", is_too_large=True)
    if status == -signal.SIGKILL:
        return BadBody(f"reading the body was ended: it may take {READING_S:g} s; {_LESS}", is_too_large=True)
    return RuntimeError(f"the process that read a body ended before it had told all: status {status}")
