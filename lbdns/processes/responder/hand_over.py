"""How a new supervisor comes by a responder's sockets: a UNIX socket in the run directory, which is kept there.

bound --(a supervisor connects)--> sockets sent --("drain")--> this responder stops
  '----(its file was removed, or the directory)--> bound again, in a directory made anew
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.mapped.held_files import HeldFiles, is_given_away
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.processes.beats import next_beat
from lbdns.processes.sockets import DRAIN_WORD, ListenerSet, send_listeners

LOOK_S: Final = 0.4  # every second beat of the event loop's
DRAINING_S: Final = 2.0  # for messages under way over TCP

log = logging.getLogger("lbdns.processes")


class HandOver:
    """Hands the sockets of this process to whoever connects, and says when that one needs it no more."""

    def __init__(self, run: RunDirectory, held: ListenerSet, stop: asyncio.Event) -> None:
        """Describe it; `stop` is set when a new supervisor has taken over."""
        self._run = run
        self._held = held
        self._stop = stop
        self._is_failing = False

    async def keep(self) -> None:
        """Be there for a supervisor until cancelled; the socket's file is removed then."""
        while True:
            listening = self._bound()
            if listening is None:
                await asyncio.sleep(LOOK_S)
                continue
            path = self._run.responder(os.getpid())
            files = HeldFiles()
            files.lost([path])
            directory = path.parent.lstat()
            accepting = asyncio.create_task(self._accept(listening))
            try:
                while not files.lost([path]) or is_given_away(path.parent, directory):
                    await next_beat(LOOK_S)
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):  # it has been given away, say
                    path.unlink()
                raise
            finally:
                accepting.cancel()
                listening.close()

    def _bound(self) -> socket.socket | None:
        """Return a listening socket in the run directory, None where there can be none for now."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._run.find()
            path = self._run.responder(os.getpid())
            path.unlink(missing_ok=True)
            with unix_address(path) as address:
                listening.bind(address)
            listening.listen(1)
        except (OSError, LbdnsError) as error:
            listening.close()
            if not self._is_failing:
                log.error("the next supervisor cannot take over from this responder: %s", error)
            self._is_failing = True
            return None
        self._is_failing = False
        return listening

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            channel, _ = await loop.sock_accept(listening)
            with channel, contextlib.suppress(OSError):
                channel.setblocking(False)
                send_listeners(channel, self._held)
                if await loop.sock_recv(channel, len(DRAIN_WORD)) == DRAIN_WORD:
                    self._stop.set()
                    await asyncio.sleep(DRAINING_S)
