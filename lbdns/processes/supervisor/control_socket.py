"""The control socket: a UNIX socket, for its owner alone, on which the command line asks and tells the supervisor.

A request is one JSON line, `{"op": NAME, ...}`; the reply is one JSON line, `{"ok": true, "result": ...}` or
`{"ok": false, "error": TEXT}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from lbdns.base.accepting import Acceptor, connections_max, streams
from lbdns.base.connection_room import ConnectionRoom, Standing
from lbdns.base.errors import LbdnsError
from lbdns.base.passed_sockets import passed_sockets, unix_address_of
from lbdns.mapped.run_directory import RunDirectory, unix_address
from lbdns.mapped.socket_file import SocketFile, check_unused

LINE_BYTES_MAX = 1 << 20
CLIENTS_MAX = 64
IDLE_S = 60.0
BACKLOG = 100

Operation = Callable[[Mapping[str, Any]], Awaitable[Any]]

log = logging.getLogger("lbdns.processes")


class _Asker:
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    def abort(self) -> None:
        """Close it at once."""
        self.writer.transport.abort()


class ControlServer:
    """Serves operations by name until closed; the socket's file is removed then."""

    def __init__(self, path: Path, operations: Mapping[str, Operation], state_dir: Path | None = None) -> None:
        """Describe the socket; nothing is bound yet. Where `path` takes none it is in the run directory of
        `state_dir`."""
        self.path = path
        self._stand_in = None if state_dir is None else RunDirectory.stand_in(path, state_dir)
        self._operations = operations
        self._acceptor: Acceptor | None = None
        self._file: SocketFile | None = None
        self._is_passed = False
        self._room = ConnectionRoom(connections_max(CLIENTS_MAX))
        self._clients: set[_Asker] = set()

    async def start(self) -> None:
        """Bind the socket, replacing what a server that was killed left; raises LbdnsError."""
        try:
            sock = _bind(self.path)
        except LbdnsError as error:
            if self._stand_in is None:
                raise
            self.path = self._stand_in
            sock = _bind(self.path)
            log.error("%s; it is %s", error, self.path)
        self._is_passed = passed_sockets().holds(sock)
        self._listen(sock)

    def told(self) -> str:
        """Return what it is and where, in words."""
        return f"the control socket {self.path}"

    def is_lost(self) -> bool:
        """Whether the socket's file was removed or replaced."""
        return self._file is not None and self._file.is_lost

    def renew(self) -> None:
        """Listen on another socket at the same place; raises LbdnsError."""
        check_unused(self.path)
        sock = _made(self.path)
        self._is_passed = False
        if self._acceptor is not None:
            self._acceptor.close()
        self._listen(sock)

    def _listen(self, sock: socket.socket) -> None:
        sock.listen(BACKLOG)
        self._file = SocketFile(self.path)
        self._acceptor = Acceptor(sock, streams(self._protocol), str(self.path), self._room.give_way)

    async def close(self) -> None:
        """Stop serving and remove the socket."""
        if self._acceptor is None:
            return
        self._acceptor.close()
        for client in tuple(self._clients):
            client.writer.close()
        if self._file is not None and not self._is_passed:
            self._file.remove()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(LINE_BYTES_MAX), self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Asker(writer)
        if not self._room.admit(client, b""):
            client.abort()
            return
        self._clients.add(client)
        try:
            # A client that goes away, or writes a line without end, ends its own connection only.
            with contextlib.suppress(OSError, ValueError, TimeoutError):
                while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                    self._room.move(client, Standing.BUSY)
                    reply = json.dumps(await self._reply(line)).encode() + b"\n"
                    self._room.move(client, Standing.READING)
                    writer.write(reply)
                    await asyncio.wait_for(writer.drain(), IDLE_S)
                    self._room.move(client, Standing.IDLE)
        finally:
            self._room.release(client)
            self._clients.discard(client)
            writer.close()

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            operation = self._operations[request["op"]]
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": f"not a request; the operations are {', '.join(sorted(self._operations))}"}
        try:
            return {"ok": True, "result": await operation(request)}
        except LbdnsError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # a mistake of ours: told, lest whoever asked reads that nobody answers
            log.exception("the operation %s fails", request["op"])
            return {"ok": False, "error": f"the operation fails: {type(error).__name__}: {error}"}


def _bind(path: Path) -> socket.socket:
    """Return the socket, bound at `path`; raises LbdnsError."""
    passed = passed_sockets().take(socket.SOCK_STREAM, unix_address_of(path))
    return passed if passed is not None else _made(path)


def _made(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)  # set on the process: nothing else runs until it is set back
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_socket():
            path.unlink()
        with unix_address(path) as address:
            sock.bind(address)
    except OSError as error:
        sock.close()
        raise LbdnsError(f"{path}: cannot make the control socket: {error.strerror or error}") from error
    finally:
        os.umask(before)
    return sock


def ask(path: Path, op: str, timeout_s: float = 30.0, **arguments: Any) -> Any:
    """Ask the server at a control socket and return the result; raises LbdnsError with what it or the system says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout_s)
        try:
            with unix_address(path) as address:
                sock.connect(address)
            sock.sendall(json.dumps({"op": op, **arguments}).encode() + b"\n")
            with sock.makefile("rb") as replies:
                reply = json.loads(replies.readline())
        except (FileNotFoundError, ConnectionRefusedError):
            where = "(--settings, --state or --control say where)"
            raise LbdnsError(f"no server answers at {path}; is `lbdns serve` running? {where}") from None
        except PermissionError:
            raise LbdnsError(f"{path}: no permission; only the user that runs the server may ask it") from None
        except (OSError, ValueError) as error:
            raise LbdnsError(f"{path}: the server does not answer: {error}") from error
    if not reply["ok"]:
        raise LbdnsError(reply["error"])
    return reply["result"]
