"""Where the API is served: a TCP address, with TLS where there is a certificate, and a UNIX socket for this machine.

uvicorn runs within the loop of the caller. What it leaves open is closed here: a client that sends the head of its
request slowly, reads its answer slowly or keeps silent is cut off. There is room for so many connections only, counted
from when they are accepted, before TLS. Where it is full, who has shown no token that counts gives way, unless it is on
this machine (base/connection_room.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pwd
import socket
import ssl
import struct
from pathlib import Path
from typing import Any, Final

import h11
from fastapi import FastAPI
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from lbdns.base.accepting import Acceptor, connections_max
from lbdns.base.connection_room import ConnectionRoom, Standing, network_of
from lbdns.base.words import API_SOCKET
from lbdns.manage.api.app import build_routes, make_app
from lbdns.manage.api.frame.api_errors import BAD_BODY, ApiError
from lbdns.manage.api.frame.api_sockets import (
    BACKLOG,
    local_socket,
    remove_socket,
    renewed_socket,
    tcp_socket,
)
from lbdns.manage.api.frame.gate import GUEST, LOCAL_USER
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.frame.tls import Certificate
from lbdns.manage.dashboard.door import Door
from lbdns.mapped.socket_file import SocketFile
from lbdns.model.socket_address import format_socket_address, reachable

CONNECTIONS_MAX: Final = 512
"""Of each socket: a crowd at the address does not shut out the local user."""
HEAD_S: Final = 10.0
"""How long the head of a request may take, and before it a TLS handshake."""
IDLE_S: Final = 30
"""How long a connection may stay between two requests."""
READ_S: Final = 30.0
"""How long a client may leave its answer unread."""
LINGER_S: Final = 5.0
"""How long a closed connection may take to deliver what was sent."""
CLOSE_S: Final = 3
"""How long requests may take to end when the server stops."""
HEAD_BYTES_MAX: Final = 32 * 1024

log = logging.getLogger("lbdns.api")

_PEER: Final = struct.Struct("3i")  # SO_PEERCRED: pid, uid, gid


class _Alarm:
    """Cuts a connection off unless it is cleared in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._handle: asyncio.TimerHandle | None = None

    def set(self, delay_s: float) -> None:
        """Start, unless it runs already."""
        if self._handle is None:
            self._handle = self._loop.call_later(delay_s, self._transport.abort)

    def clear(self) -> None:
        """Stop."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class _Guest:
    """A connection from when it is accepted: its place in the room, and the way to close it."""

    def __init__(self, room: ConnectionRoom, is_known: bool) -> None:
        self._room = room
        self._is_known = is_known
        self._stage = Standing.WAITING
        self.transport: asyncio.Transport | None = None
        self.opening: asyncio.Task[None] | None = None

    def abort(self) -> None:
        """Close it at once, in the middle of a handshake too."""
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()

    def move(self, stage: Standing) -> None:
        """Note what it is at; as long as nobody knows whose it is, it waits."""
        self._stage = stage
        self._room.move(self, stage if self._is_known else Standing.WAITING)

    def introduce(self, is_known: bool) -> None:
        """Note whether the request that is being answered is somebody's."""
        self._is_known = is_known
        self.move(self._stage)

    def rest(self) -> None:
        """Note that the answer waits for something to happen."""
        self.move(Standing.IDLE)

    def leave(self) -> None:
        """Give its place back."""
        self._room.release(self)


class _Connection(H11Protocol):
    """One client's connection, with its time limits."""

    is_local = False
    guest: _Guest

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head, self._unread, self._end = (_Alarm(self.loop, transport) for _ in range(3))
        self._is_unread = False
        self.guest.transport = transport
        self.app_state = {**self.app_state, GUEST: self.guest}
        if self.is_local:
            self.app_state = {**self.app_state, LOCAL_USER: _user_of(transport.get_extra_info("socket"))}
        self._head.set(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        for alarm in (self._head, self._unread, self._end):
            alarm.clear()
        self.guest.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._head.set(HEAD_S)
        else:
            self._head.clear()
        self._place()
        self._check_end()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._place()
        self._check_end()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.set(READ_S)
        self._is_unread = True
        self._place()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.clear()
        self._is_unread = False
        self._place()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._check_end()

    def shutdown(self) -> None:
        super().shutdown()
        self._check_end()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in the envelope as well."""
        response = ApiError(400, BAD_BODY, msg).response()
        headers = [*response.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _place(self) -> None:
        """Take the place that this connection has by what it is at."""
        if self._is_unread:
            self.guest.move(Standing.READING)
        elif self.conn.their_state is h11.SEND_BODY:
            self.guest.move(Standing.SENDING)
        elif self.cycle is not None and not self.cycle.response_complete:
            self.guest.move(Standing.BUSY)
        elif self.cycle is None or self.conn.trailing_data[0]:
            self.guest.move(Standing.WAITING)
        else:
            self.guest.move(Standing.IDLE)

    def _check_end(self) -> None:
        if self.transport.is_closing():
            self._end.set(LINGER_S)


class _LocalConnection(_Connection):
    """A connection over the UNIX socket: who is at the other end, the kernel says."""

    is_local = True


class ApiServer:
    """The API of a site, served from `start` to `close`."""

    def __init__(self, site: ApiSite, certificate: Certificate | None = None) -> None:
        """Make the application, ready for its first request; nothing is bound yet.

        `certificate`: what settings name, where it has been read.
        """
        self._settings = site.settings
        self._certificate = certificate
        self._app: FastAPI = make_app(site)
        build_routes(self._app)
        self._door = Door(self._app)
        self._servers: list[tuple[Server, Acceptor]] = []
        self._local: _Entrance | None = None
        self._file: SocketFile | None = None
        self._renewing: asyncio.Task[None] | None = None
        self.socket_path = site.settings.state_dir() / API_SOCKET
        self.address: str | None = None
        """Where it is served over TCP: `http://IP:PORT` or `https://IP:PORT`, while it is."""

    def show(self, site: ApiSite) -> None:
        """Serve another site from the next request on, at the same addresses."""
        self._app.state.site = site

    @property
    def connection_count(self) -> int:
        """How many clients are connected."""
        return sum(len(server.server_state.connections) for server, _ in self._servers)

    async def start(self, local: tuple[socket.socket, Path] | None = None) -> None:
        """Bind and serve; raises LbdnsError, with nothing left bound. `local` is the UNIX socket and its path, where it
        is bound."""
        self._app.state.is_closing = False
        api = self._settings.api
        try:
            unix, self.socket_path = local or local_socket(self._settings.state_dir())
            self._file = SocketFile(self.socket_path)
            self._local = await self._serve(unix, _LocalConnection, None)
            if api is not None:
                held = self._certificate
                if held is None and api.certificate and api.key:
                    held = Certificate(api.certificate, api.key)
                context = held.context if held is not None else None
                sock = tcp_socket(api.listen)
                host, port = sock.getsockname()[:2]
                scheme = "https" if context else "http"
                await self._serve(sock, _Connection, context)
                self.address = f"{scheme}://{format_socket_address(host, port)}"
                self._app.state.address = f"{scheme}://{format_socket_address(reachable(host), port)}"
                if held is not None:
                    self._renewing = asyncio.create_task(held.keep_renewed())
        except BaseException:
            await self.close()
            raise
        where = f"{self.address} and at {self.socket_path}" if self.address is not None else f"{self.socket_path} alone"
        if local is None:
            log.info("the API listens at %s", where)

    def told(self) -> str:
        """Return what it is on this machine and where, in words."""
        return f"the API's socket {self.socket_path}"

    def is_lost(self) -> bool:
        """Whether the UNIX socket's file was removed or replaced."""
        return bool(self._servers) and self._file is not None and self._file.is_lost

    def renew(self) -> None:
        """Listen on another UNIX socket at the same place; raises LbdnsError."""
        if not self._servers or self._local is None:
            return
        sock = renewed_socket(self.socket_path)
        self._file = SocketFile(self.socket_path)
        server, former = self._servers[0]
        former.close()
        self._servers[0] = server, self._local.accept(sock, API_SOCKET)

    async def close(self) -> None:
        """Finish requests in hand, within seconds, and close the sockets."""
        self.address = self._app.state.address = None
        self._app.state.is_closing = True
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        servers, self._servers = self._servers, []
        if servers:
            remove_socket(self._file)
        for _, acceptor in servers:
            acceptor.close()
        await asyncio.gather(*(server.shutdown() for server, _ in servers))

    async def _serve(
        self, sock: socket.socket, connection: type[_Connection], context: ssl.SSLContext | None
    ) -> _Entrance:
        config = Config(
            self._door,
            http=connection,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            log_level=logging.ERROR,  # that somebody did not speak HTTP is no news
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            headers=[("server", "lbdns")],
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=CLOSE_S,
            h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        )
        config.load()
        server = Server(config)
        # Shutdown alone, not `serve`: that would catch the process's signals, and look round ten times a second whether
        # to stop. Nor `startup`, which would let in whoever comes.
        server.lifespan = config.lifespan_class(config)
        await server.on_tick(0)  # takes the headers above over
        server.servers = []
        server.started = True
        entrance = _Entrance(server, connection, context)
        what = f"api on {format_socket_address(*sock.getsockname()[:2])}" if connection is _Connection else API_SOCKET
        self._servers.append((server, entrance.accept(sock, what)))
        return entrance


class _Entrance:
    """Lets connections in: counts them, shakes hands, and hands them to uvicorn."""

    def __init__(self, server: Server, connection: type[_Connection], context: ssl.SSLContext | None) -> None:
        self.room = ConnectionRoom(connections_max(CONNECTIONS_MAX))
        self._server = server
        self._connection = connection
        self._context = context
        self._opening: set[asyncio.Task[None]] = set()

    def accept(self, sock: socket.socket, what: str) -> Acceptor:
        """Let in who comes to a socket, from now on."""
        return Acceptor(sock, self.take, what, self.room.give_way)

    def take(self, sock: socket.socket, peer: object) -> None:
        """Let a connection in, where there is room or somebody gives way."""
        guest = _Guest(self.room, self._connection.is_local)
        if not self.room.admit(guest, network_of(peer)):
            sock.close()
            return
        guest.opening = task = asyncio.create_task(self._open(guest, sock))
        self._opening.add(task)

        def opened(task: asyncio.Task[None]) -> None:
            self._opening.discard(task)
            if guest.transport is None:  # no TLS, not in time, or it gave way, perhaps before its task began
                guest.leave()
                sock.close()

        task.add_done_callback(opened)

    async def _open(self, guest: _Guest, sock: socket.socket) -> None:
        def make() -> _Connection:
            state = self._server.server_state
            made = self._connection(
                config=self._server.config, server_state=state, app_state=self._server.lifespan.state
            )
            made.guest = guest
            return made

        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                make, sock, ssl=self._context, ssl_handshake_timeout=HEAD_S if self._context is not None else None
            )


def _user_of(sock: Any) -> str:
    """Return the name of the user at the other end of a UNIX socket."""
    _, user_id, _ = _PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
