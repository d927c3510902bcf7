"""Real nats-servers for tests: on loopback, at a port that stays theirs over restarts."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.model.fleet_terms import BusAccess

BINARY = Path(sys.executable).parent / "nats-server"
WAIT_S = 10.0


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class NatsServer:
    """One nats-server with JetStream, or what `text` says instead."""

    def __init__(self, folder: Path, text: str | None = None, binary: Path = BINARY) -> None:
        """Keep all it has in a folder; nothing is started yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self._binary = folder, free_port(), binary
        jetstream = f'jetstream {{ store_dir: "{folder}/js", sync_interval: always }}'
        self.configuration = jetstream if text is None else text
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it greets."""
        path = self.folder / "nats.conf"
        path.write_text(f"listen: 127.0.0.1:{self.port}\n{self.configuration}\n")
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([self._binary, "-c", path], stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1.0) as greeted:
                    if greeted.recv(5) == b"INFO ":
                        return
            except OSError:
                time.sleep(0.01)
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def call(self, api: str, wanted: dict[str, Any], timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Ask JetStream's API by hand, as an operator's tool would."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_s) as talk:
            file = talk.makefile("rb")
            data = json.dumps(wanted).encode()
            talk.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB reply 1\r\n')
            talk.sendall(f"PUB $JS.API.{api} reply {len(data)}\r\n".encode() + data + b"\r\n")
            for line in file:
                if line.startswith(b"MSG "):
                    found: dict[str, Any] = json.loads(file.read(int(line.split()[-1])))
                    return found
        raise AssertionError("no reply")


def access_to(*urls: str, **others: Any) -> BusAccess:
    """Return how a machine of a fleet of tests reaches its bus."""
    return replace(BusAccess("AMS-1", "t", urls), **others)


async def connected(*urls: str, **others: Any) -> NatsBus:
    """Return a bus that is connected."""
    bus = NatsBus(access_to(*urls, **others))
    bus.start()
    assert await bus.wait_connected(WAIT_S), bus.problem
    return bus


async def until(condition: Any, bound_s: float = WAIT_S) -> None:
    """Wait until a condition holds."""
    deadline = asyncio.get_running_loop().time() + bound_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)
