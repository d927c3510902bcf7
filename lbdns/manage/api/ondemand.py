"""An API that nobody may ever ask: its UNIX socket is there at once, the rest at the first connection.

The modules behind the API take half a second and 20 MB, which a server of files need not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lbdns.base.errors import LbdnsError
from lbdns.manage.api.frame.api_sockets import local_socket, remove_socket, renewed_socket
from lbdns.mapped.socket_file import SocketFile

if TYPE_CHECKING:
    from lbdns.manage.api.hosting import ApiServer

log = logging.getLogger("lbdns.api")


class OnDemand:
    """Serves the UNIX socket of a state directory by what `make` returns; it is called once, in a thread."""

    def __init__(self, state_dir: Path, make: Callable[[], ApiServer]) -> None:
        self._state_dir = state_dir
        self._file: SocketFile | None = None
        self._make = make
        self._socket: socket.socket | None = None
        self._opening: asyncio.Task[None] | None = None
        self._server: ApiServer | None = None

    async def start(self) -> None:
        """Bind; raises LbdnsError."""
        self._socket, path = local_socket(self._state_dir)
        self._file = SocketFile(path)
        asyncio.get_running_loop().add_reader(self._socket, self._ring)
        log.info("the API listens at %s alone", path)

    def told(self) -> str:
        """Return what it is and where, in words."""
        return f"the API's socket {self._file.path if self._file else self._state_dir}"

    def is_lost(self) -> bool:
        """Whether the socket's file was removed or replaced."""
        if self._server is not None:
            return self._server.is_lost()
        return self._opening is None and self._file is not None and self._file.is_lost

    def renew(self) -> None:
        """Listen on another socket at the same place; raises LbdnsError."""
        if self._server is not None:
            self._server.renew()
        elif self._opening is None and self._socket is not None and self._file is not None:
            former, self._socket = self._socket, renewed_socket(self._file.path)
            self._file = SocketFile(self._file.path)
            loop = asyncio.get_running_loop()
            loop.remove_reader(former)
            former.close()
            loop.add_reader(self._socket, self._ring)

    async def close(self) -> None:
        """Close what is open."""
        if self._opening is not None:
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
        if self._server is not None:
            await self._server.close()
        elif self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            remove_socket(self._file)

    def _ring(self) -> None:
        """Begin to serve: the first client waits in the socket's queue."""
        assert self._socket is not None and self._file is not None, "who rings has found it"
        asyncio.get_running_loop().remove_reader(self._socket)
        self._opening = asyncio.create_task(self._open(self._socket, self._file.path))

    async def _open(self, sock: socket.socket, path: Path) -> None:
        try:
            server = await asyncio.to_thread(self._make)
            await server.start((sock, path))
        except LbdnsError as error:
            log.error("the API cannot be served: %s", error)
            return
        self._server = server
