"""Endpoints that a test's own process plays: they listen on loopback, answer as their monitor wants, and go down."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OPEN_S = 30.0  # for a listener to open or to close
SLACK_S = 10.0  # beyond what a monitor's fields say, for a busy machine


@dataclass(frozen=True, slots=True)
class PlayedEndpoint:
    """An endpoint that this process plays: where it listens, what it says, how long its monitor takes to notice."""

    address: str
    port: int
    reply: bytes
    notice_s: float


class Stage:
    """The played endpoints: one thread with an event loop, a listener for each endpoint that is up."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lbdns-endpoints", daemon=True)
        self._thread.start()
        self._servers: dict[PlayedEndpoint, asyncio.Server] = {}

    def raise_up(self, endpoint: PlayedEndpoint) -> None:
        """Let an endpoint answer; returns when it does."""
        self._wait_for(self._listen(endpoint))

    def take_down(self, endpoint: PlayedEndpoint) -> None:
        """Let an endpoint be gone; returns when it is."""
        self._wait_for(self._close(endpoint))

    def close(self) -> None:
        """End every endpoint and the thread."""
        for endpoint in list(self._servers):
            self.take_down(endpoint)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(OPEN_S)

    async def _listen(self, endpoint: PlayedEndpoint) -> None:
        if endpoint in self._servers:
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(endpoint.reply)
                await writer.drain()
            writer.close()

        self._servers[endpoint] = await asyncio.start_server(serve, endpoint.address, endpoint.port)

    async def _close(self, endpoint: PlayedEndpoint) -> None:
        server = self._servers.pop(endpoint, None)
        if server is not None:
            server.close()


def playable(tree: Mapping[str, Any]) -> Iterator[tuple[str, PlayedEndpoint]]:
    """Yield POOL/NAME and the endpoint for each that can be played."""
    for pool_name, pool in (tree.get("pools") or {}).items():
        monitor = (tree.get("monitors") or {}).get(pool.get("monitor"))
        if monitor is None or not is_played(monitor):
            continue
        for origin in pool["origins"]:
            if is_loopback(origin["address"]):
                port = monitor.get("port") or origin.get("port") or 80
                yield (
                    f"{pool_name}/{origin['name']}",
                    PlayedEndpoint(origin["address"], port, _reply(monitor), _notice_s(monitor)),
                )


def is_played(monitor: Mapping[str, Any]) -> bool:
    """Whether endpoints that this monitor judges are played."""
    return monitor.get("type", "http") in ("http", "tcp")


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine's alone; a hostname is none."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _reply(monitor: Mapping[str, Any]) -> bytes:
    """Return an HTTP reply that the monitor takes for healthy."""
    code = str(monitor.get("expected_codes", "200")).split(",")[0].split("-")[0].strip().lower().replace("x", "0")
    body = str(monitor.get("expected_body", "")).encode()
    head = f"HTTP/1.1 {code} Played\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _notice_s(monitor: Mapping[str, Any]) -> float:
    """Return how long the monitor may take to see a change."""
    rounds = max(monitor.get("consecutive_up", 0), monitor.get("consecutive_down", 0), 1)
    probe_s = monitor.get("timeout", 5) * (1 + monitor.get("retries", 2))
    return float(rounds * (monitor.get("interval", 60) + probe_s) + SLACK_S)


def fill_ports(tree: dict[str, Any]) -> None:
    """Give a free port to whatever decides where played endpoints without one of their own are probed."""
    from lbdns.processes.supervisor.binding import choose_port

    pools = (tree.get("pools") or {}).values()
    for name, monitor in (tree.get("monitors") or {}).items():
        watched = [origin for pool in pools if pool.get("monitor") == name for origin in pool["origins"]]
        here = [origin for origin in watched if is_loopback(origin["address"])]
        bare = [origin for origin in here if not origin.get("port")]
        if not (monitor or {}).get("port"):
            for origin in bare:
                origin["port"] = choose_port([origin["address"]])
        elif bare and is_played(monitor):
            monitor["port"] = choose_port([origin["address"] for origin in here])
