"""XDP beside the sockets: the filter at an interface, which queue is whose, and the door where sockets are had.

    begin: the filter attached, with no socket in its map --> responders ask at the door, each for its queues
    killed: the filter goes with this process; responders that serve on get all from the kernel's sockets

What cannot be had is said, and everything is served by the sockets: nothing is lost by it but speed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import socket
from collections.abc import Iterable, Sequence
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.run_directory import RunDirectory, is_private
from lbdns.mapped.socket_file import SocketFile, check_unused, listen_privately
from lbdns.model.settings import Settings
from lbdns.model.socket_address import parse_socket_address
from lbdns.processes.responder.xdp_port import load_frame_loop
from lbdns.processes.sockets import ListenerSet
from lbdns.processes.supervisor.capabilities import Capability, in_effect
from lbdns.telemetry.server_facts import XdpFacts
from lbdns.xdp.attachment import Attachment, Interface, open_socket

BACKLOG: Final = 64
HEAR_S: Final = 1.0
ASK_BYTES: Final = 256

log = logging.getLogger("lbdns.processes")


class XdpKeeper:
    """One server's; without the setting it does nothing. `problem`: why it is not had, "" where it is."""

    def __init__(self, run: RunDirectory) -> None:
        """Begin with none."""
        self._run = run
        self._attachment: Attachment | None = None
        self._queues = 0
        self._listening: socket.socket | None = None
        self._file: SocketFile | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.problem = ""

    def begin(self, settings: Settings, listen: Sequence[str], sets: Sequence[ListenerSet]) -> list[ListenerSet]:
        """Attach the filter where the settings have it; return `sets` with the queues that each worker reads."""
        if settings.xdp is None:
            return list(sets)
        try:
            if load_frame_loop() is None:
                raise LbdnsError("xdp: lbdns was built without it, or runs without the fast path")
            interface = Interface.find(settings.xdp.interface)
            queues = settings.xdp.queues
            asked = queues if isinstance(queues, int) else interface.queues
            if asked > interface.queues:
                raise LbdnsError(f"xdp.queues: {asked}, but {interface.name} has {interface.queues}")
            self._attachment = Attachment(interface, _addresses(listen))
            self._queues = asked
            self._open()
        except LbdnsError as error:
            self.problem = f"{error}; the sockets serve all queries"
            log.error("%s", self.problem)
            self.close()
            return list(sets)
        mode = "native mode" if self._attachment.is_native else "generic mode"
        log.info("xdp: %s has the filter, in %s, %d of %d queues", interface.name, mode, asked, interface.queues)
        return self.allot(sets)

    def allot(self, sets: Sequence[ListenerSet]) -> list[ListenerSet]:
        """Return `sets` with the queues that each worker reads."""
        count = len(sets)
        return [
            dataclasses.replace(one, queues=tuple(range(index, self._queues, count))) for index, one in enumerate(sets)
        ]

    def threads_each(self, listen: Sequence[str], workers: int) -> int:
        """Return how many threads of the fast path a worker has at most, with so many addresses and all queues."""
        return len(listen) + -(-self._queues // workers)

    def follow(self, settings: Settings, listen: Sequence[str]) -> None:
        """Have the filter be for these addresses from now on."""
        if self._attachment is None or settings.xdp is None:
            return
        try:
            self._attachment.follow(_addresses(listen))
            self.problem = ""
        except OSError as error:
            self.problem = f"xdp: the filter keeps the addresses of before: {error.strerror}"
            log.error("%s", self.problem)

    @property
    def facts(self) -> XdpFacts | None:
        """What the server says of it, None where the settings have none."""
        if self._attachment is None:
            return XdpFacts(problem=self.problem) if self.problem else None
        mode = "native" if self._attachment.is_native else "generic"
        return XdpFacts(self._attachment.interface.name, mode, self._queues, self.problem)

    def told(self) -> str:
        """Return what the door is and where, in words."""
        return f"the socket of XDP {self._run.xdp}"

    def is_lost(self) -> bool:
        """Whether the door's file was removed or replaced; a run directory that is not ours is first made anew."""
        if self._file is None or not is_private(self._run.path):
            return False
        return self._file.path != self._run.xdp or self._file.is_lost

    def renew(self) -> None:
        """Listen on another socket at the same place; raises LbdnsError."""
        check_unused(self._run.xdp)
        self._open()

    def _open(self) -> None:
        sock, file = listen_privately(self._run.xdp, "the socket of XDP", BACKLOG)
        self._stop_listening()
        self._listening, self._file = sock, file
        asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _stop_listening(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def close(self) -> None:
        """Detach the filter, and listen no more."""
        self._stop_listening()
        if self._file is not None:
            self._file.remove()
            self._file = None
        if self._attachment is not None:
            self._attachment.close()
            self._attachment = None
        self._queues = 0

    def _accept(self, listening: socket.socket) -> None:
        try:
            channel, _ = listening.accept()
        except OSError:  # it has gone again
            return
        channel.setblocking(False)
        task = asyncio.create_task(self._give(channel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give(self, channel: socket.socket) -> None:
        """Give a responder what it asks for, which is its own from then on: a queue is the kernel's again as soon as
        whoever reads it ends."""
        loop = asyncio.get_running_loop()
        with channel:
            try:
                message = await asyncio.wait_for(loop.sock_recv(channel, ASK_BYTES), HEAR_S)
                queue = int(json.loads(message)["queue"])
                if self._attachment is None or not 0 <= queue < self._queues:
                    raise LbdnsError(f"there is no queue {queue}")
                with in_effect([Capability.NET_RAW]), open_socket() as made:
                    interface = self._attachment.interface
                    said = {
                        "index": interface.index,
                        "interface": interface.name,
                        "copies": not self._attachment.is_native,
                    }
                    descriptors = [made.fileno(), self._attachment.sockets]
                    socket.send_fds(channel, [json.dumps(said).encode()], descriptors)
            except (BrokenPipeError, ConnectionResetError):  # it asks again
                log.debug("who asked for a socket for XDP has gone")
            except (LbdnsError, OSError) as error:
                told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                log.error("a responder is given no socket for XDP: %s", told)
                await _refuse(loop, channel, told)
            except (TimeoutError, ValueError, KeyError, TypeError):
                log.warning("a responder asked for a socket for XDP, and not to be understood")


async def _refuse(loop: asyncio.AbstractEventLoop, channel: socket.socket, told: str) -> None:
    try:
        await loop.sock_sendall(channel, json.dumps({"error": told}).encode())
    except OSError as error:
        log.debug("it has gone: %s", os.strerror(error.errno or 0))


def _addresses(listen: Iterable[str]) -> list[tuple[str, int]]:
    return [parse_socket_address(text) for text in listen]
