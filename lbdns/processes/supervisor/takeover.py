"""Taking over: what an earlier supervisor that was killed left running in the run directory, and how to relieve it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.processes.sockets import DRAIN_WORD, ListenerSet, receive_listeners

GREETING_S = 2.0  # an orphan answers at once or not at all
RELIEF_S = 5.0
MONITOR_STOP_S = 3.0
POLL_S = 0.02

log = logging.getLogger("lbdns.processes")


@dataclass(frozen=True, slots=True)
class Orphan:
    """A responder that still serves: its process, our copies of its sockets, the way to it."""

    pid: int
    held: ListenerSet
    channel: socket.socket

    async def relieve(self) -> None:
        """Have it finish and end; where it does not, end it."""
        loop = asyncio.get_running_loop()
        with self.channel:
            try:
                await loop.sock_sendall(self.channel, DRAIN_WORD)
                await asyncio.wait_for(loop.sock_recv(self.channel, 1), RELIEF_S)
            except (OSError, TimeoutError):
                _kill(self.pid)


def find_orphans(run: RunDirectory) -> list[Orphan]:
    """Return every responder that still serves from the run directory, with its sockets; what is stale is removed."""
    found = []
    for path in run.responders():
        try:
            found.append(_meet(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (OSError, LbdnsError) as error:
            log.warning("a responder of an earlier start does not hand its sockets over: %s", error)
    return found


def _meet(path: Path) -> Orphan:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(GREETING_S)
        with unix_address(path) as address:
            channel.connect(address)
        credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, _, _ = struct.unpack("3i", credentials)
        try:
            held = receive_listeners(channel)
        except TimeoutError:
            _kill(pid)  # it hangs, and its sockets would be in the way
            raise
        channel.setblocking(False)
        return Orphan(pid, held, channel)
    except (OSError, LbdnsError):
        channel.close()
        raise


async def end_old_monitor(pid: int, run: RunDirectory) -> None:
    """End the monitor worker of an earlier start, so that the health table has one writer; `pid` may be long gone."""
    if not _is_monitor(pid, run):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    for _ in range(round(MONITOR_STOP_S / POLL_S)):
        if not _is_monitor(pid, run):
            return
        await asyncio.sleep(POLL_S)
    _kill(pid)


def _is_monitor(pid: int, run: RunDirectory) -> bool:
    """Whether the process is a monitor worker of this run directory: pids come round again."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return pid > 0 and b"lbdns.monitor" in command and os.fsencode(run.path) in command


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
