"""Taking over: what an earlier supervisor that was killed left running in the run directory, and how to relieve it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.base.words import RESPONDER_MODULE, SIGNER_MODULE
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.processes.sockets import DRAIN_WORD, ListenerSet, receive_listeners

GREETING_S = 2.0  # an orphan answers at once or not at all
RELIEF_S = 5.0
MONITOR_STOP_S = 3.0
SIGNER_STOP_S = 2.0
POLL_S = 0.02
APPEARANCE_S = 3.0  # an orphan whose socket was removed looks for it twice a second
LOOK_S = 0.25

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
                _signal(self.pid, signal.SIGKILL)


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


async def meet_orphans(run: RunDirectory, state_dir: Path) -> list[Orphan]:
    """Return every responder that still serves from the run directory; raises LbdnsError where some serve, and none can
    be taken over: their addresses cannot be had.

    One whose socket was removed, or could not be made, makes it again; a spare process ends without its supervisor.
    """
    until_s = time.monotonic() + APPEARANCE_S
    while not (orphans := find_orphans(run)) and (left := _left_behind(state_dir)):
        if time.monotonic() > until_s:
            pids = ", ".join(str(pid) for pid in left)
            count = counted(len(left), "responder")
            raise LbdnsError(
                f"{count} of an earlier start (pid {pids}) serve on, and cannot be taken over: "
                f"no socket of theirs is in {run.path}; they make one as soon as there is room, or are to be ended"
            )
        await asyncio.sleep(LOOK_S)
    return orphans


def _left_behind(state_dir: Path) -> list[int]:
    """Return the responders of a state directory; those of a container may have another one at the same path."""
    found = []
    for pid in _running(RESPONDER_MODULE, {state_dir}):
        with contextlib.suppress(OSError):
            if os.path.samefile(f"/proc/{pid}/root{state_dir.absolute()}", state_dir):
                found.append(pid)
    return found


def serve_on(orphans: Sequence[Orphan]) -> str:
    """Return in words that they do."""
    pids = ", ".join(str(one.pid) for one in orphans)
    return f"{counted(len(orphans), 'responder')} of an earlier start (pid {pids}) serve on what was served last"


def take_control(run: RunDirectory, orphans: Sequence[Orphan]) -> Control:
    """Return the control file that orphans follow, a new one where there are none, or where theirs was removed: they
    serve on as they are until they are relieved. Raises LbdnsError."""
    if orphans:
        try:
            return Control.attach(run.control, writable=True)
        except LbdnsError as error:
            log.warning("%s; it is made anew", error)
    return Control.create(run.control)


def _meet(path: Path) -> Orphan:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(GREETING_S)
        with unix_address(path) as address:
            channel.connect(address)
        credentials = channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid, _, _ = struct.unpack("3i", credentials)
        _signal(pid, signal.SIGCONT)  # one that was stopped has the queries of its sockets to answer
        try:
            held = receive_listeners(channel)
        except TimeoutError:
            _signal(pid, signal.SIGKILL)  # it hangs, and its sockets would be in the way
            raise
        channel.setblocking(False)
        return Orphan(pid, held, channel)
    except (OSError, LbdnsError):
        channel.close()
        raise


async def end_old_monitors(run: RunDirectory) -> None:
    """End the monitor workers of earlier starts, so that the health table has one writer: the file that names them may
    be gone."""
    await end_all(lambda: _running("lbdns.monitor", run.places), MONITOR_STOP_S)


async def end_old_signers(state_dir: Path, own: int) -> None:
    """End the signers of earlier starts, so that the table of signatures, and keys, have one; `own`: the process id of
    the one that goes on."""

    def others() -> list[int]:
        return [pid for pid in _running(SIGNER_MODULE, {state_dir}) if own not in (pid, _parent(pid))]

    await end_all(others, SIGNER_STOP_S)


async def end_all(find: Callable[[], list[int]], grace_s: float) -> None:
    """Have processes end, and end those that do not."""
    for pid in find():
        with contextlib.suppress(PermissionError):
            _signal(pid, signal.SIGTERM)
            _signal(pid, signal.SIGCONT)  # one that was stopped hears it only then
    for _ in range(round(grace_s / POLL_S)):
        left = find()
        if not left:
            return
        await asyncio.sleep(POLL_S)
    for pid in left:
        _signal(pid, signal.SIGKILL)


def _parent(pid: int) -> int:
    """Return the process id of a process's parent, 0 where it has ended."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return 0


def _running(module: str, places: Iterable[Path]) -> list[int]:
    """Return the processes that run a module for one of some directories, by their command lines: process ids come
    round again."""
    wanted = {os.fsencode(place) for place in places}
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = path.read_bytes().split(b"\0")
            if module.encode() in arguments and not wanted.isdisjoint(arguments):
                found.append(int(path.parent.name))
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
