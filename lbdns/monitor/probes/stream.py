"""One TCP connection of one probe: connected, wrapped in TLS, written and read under one deadline.

A worker makes thousands of these a second, so this sits on non-blocking sockets and their readiness, without
transports: one timer, and one future where an operation would block. Every failure is a `ProbeFailure`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Final

from lbdns.health.reasons import Reason
from lbdns.monitor.probes.readiness import READABLE, WRITABLE, readiness_of
from lbdns.monitor.probes.result import ProbeFailure, Target, failure_of

RECV_BYTES: Final = 16 * 1024


class Stream:
    """A connection to a target; use as `with Stream(...) as stream`, which closes it whatever happens."""

    __slots__ = (
        "_fd",
        "_is_armed",
        "_loop",
        "_now_s",
        "_readiness",
        "_sock",
        "_timer",
        "_waiter",
        "expired",
        "phases",
        "reason",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline_s: float) -> None:
        """Start the clock: `deadline_s` on the loop's clock ends every later operation."""
        self._loop = loop
        self._readiness = readiness_of(loop)
        self._is_armed = False
        self._sock: socket.socket | ssl.SSLSocket | None = None
        self._fd = -1
        self._waiter: asyncio.Future[bool] | None = None
        self._now_s = loop.time()
        self._timer = loop.call_at(deadline_s, self._expire)
        self.expired = False
        self.reason = Reason.TCP_TIMEOUT  # what running out of time means from here on
        self.phases: list[tuple[str, int]] = []

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def connect(self, target: Target) -> None:
        """Open the connection, from `target.source` where one is given, by `target.way` where there is one; adds the
        phase "connect", and "proxy" before it."""
        if target.way is None:
            await self._open(target.address, target.port, target)
        else:
            await self.begin(target)
            await target.way.carry_on(self, target)
        self.phase("connect")

    async def begin(self, target: Target) -> None:
        """Open the connection as far as the target's way begins: to the target, or to who carries it on."""
        way = target.way
        assert way is not None
        address, port = await way.begins_at(target.address, target.port)
        if not way.resolves:
            await self._open(address, port, target)
            return
        self.reason = Reason.NETWORK_DOWN  # that the proxy is silent
        await self._open(address, port, target)
        self.phase("proxy")

    async def _open(self, address: str, port: int, target: Target) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            if target.way is None:
                sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            else:
                sock = await target.way.open(family, socket.SOCK_STREAM)
            self._sock, self._fd = sock, sock.fileno()
            if target.source:
                bind_source(sock, target.source)
            try:
                sock.connect((address, port))
            except BlockingIOError:
                await self._wait(writing=True)
                failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if failed:
                    raise OSError(failed, "") from None
        except OSError as error:
            raise (failure_of(error) if target.way is None else target.way.failed(error)) from None

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands, checking the certificate against `server_name` as `context` says; adds the phase "tls"."""
        assert self._sock is not None
        try:
            sock = context.wrap_socket(self._sock, do_handshake_on_connect=False, server_hostname=server_name or None)
            self._sock = sock
            while True:
                try:
                    sock.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self._wait(writing=False)
                except ssl.SSLWantWriteError:
                    await self._wait(writing=True)
        except OSError as error:
            raise failure_of(error) from None
        except ValueError as error:  # a name that IDNA refuses, a context that contradicts itself
            raise ProbeFailure(Reason.CONFIG_ERROR, str(error)) from None
        self.phase("tls")

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        assert self._sock is not None
        view = memoryview(data)
        try:
            while view:
                try:
                    view = view[self._sock.send(view) :]
                except (BlockingIOError, ssl.SSLWantWriteError):
                    await self._wait(writing=True)
                except ssl.SSLWantReadError:
                    await self._wait(writing=False)
        except OSError as error:
            raise failure_of(error) from None

    async def receive(self, at_most: int = RECV_BYTES, flags: int = 0) -> bytes:
        """Return what has come, at most 16 KB; empty at the end of the stream. `flags` are recv's."""
        assert self._sock is not None
        try:
            while True:
                if self.expired:
                    raise ProbeFailure(self.reason)
                try:
                    return self._sock.recv(at_most, flags)
                except ssl.SSLWantWriteError:
                    await self._wait(writing=True)
                except (BlockingIOError, ssl.SSLWantReadError):
                    await self._wait(writing=False)
                except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                    return b""  # closed without saying so in TLS's words: what came is judged by its own length
        except OSError as error:
            raise failure_of(error) from None

    def phase(self, name: str) -> None:
        """Note that the phase `name` ends now."""
        now_s = self._loop.time()
        self.phases.append((name, int((now_s - self._now_s) * 1e6)))
        self._now_s = now_s

    def close(self) -> None:
        """Close the socket and stop the clock; may be called twice."""
        self._timer.cancel()
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    async def _wait(self, writing: bool) -> None:
        """Wait until the socket can be written or read; raises ProbeFailure at the deadline."""
        if self.expired:
            raise ProbeFailure(self.reason)
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter = waiter
        # After wrap_socket the descriptor belongs to the TLS socket, under the same number.
        self._readiness.arm(self._fd, WRITABLE if writing else READABLE, waiter, self._is_armed)
        self._is_armed = True
        try:
            # Readiness that came in the same turn as the deadline wins: the peer did answer in time.
            in_time = await waiter
        finally:
            self._waiter = None
            self._readiness.forget(self._fd)
        # Raised here and not through the future, which would tie exception, frame and future into a cycle.
        if not in_time:
            raise ProbeFailure(self.reason)

    def _expire(self) -> None:
        self.expired = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)


def bind_source(sock: socket.socket, source: str) -> None:
    """Bind to a vantage point's address; raises ProbeFailure where this machine does not have it."""
    try:
        sock.bind((source, 0))
    except OSError as error:
        raise ProbeFailure(Reason.CONFIG_ERROR, f"cannot probe from {source}: {error.strerror}") from None
