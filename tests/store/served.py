"""A whole server over a store, as `lbdns serve` without a directory starts it, for tests that change it and ask it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from lbdns.mapped.run_directory import RunDirectory
from lbdns.testing import LbdnsServer, ServerError
from tests.processes.load import NAME, configuration

WAIT_S = 20.0


def free_port() -> int:
    """Return a TCP port on loopback that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class StoreServer(LbdnsServer):
    """A server over the store in `work`/state; `api` is the address of its API, `local` a client by its UNIX socket."""

    def __init__(self, work: Path, settings: str = "") -> None:
        """Write its settings; `settings` are more lines of lbdns.yaml."""
        self.api = f"http://127.0.0.1:{free_port()}"
        self.settings_file = work / "lbdns.yaml"
        self.settings_file.write_text(f'api: {{listen: "{self.api.removeprefix("http://")}"}}\n{settings}\n')
        super().__init__(work, work)

    def source(self) -> list[str]:
        """Say to serve the store."""
        return ["--settings", str(self.settings_file)]

    @property
    def state_seen(self) -> Path:
        """Where its state directory is seen from here."""
        return self.state_dir

    @property
    def api_socket(self) -> Path:
        """Where its UNIX socket is."""
        return RunDirectory.socket_in_use(self.state_seen / "api.sock", self.state_dir)

    @property
    def local(self) -> httpx.Client:
        """A client of the API by the UNIX socket; close it."""
        transport = httpx.HTTPTransport(uds=str(self.api_socket))
        return httpx.Client(transport=transport, base_url="http://lbdns", timeout=WAIT_S)

    def token(self, scope: str = "write", name: str = "test") -> str:
        """Make a token as `lbdns token create` does."""
        with self.local as client:
            made = client.post("/lbdns/v1/tokens", json={"name": name, "scope": scope})
            made.raise_for_status()
            return str(made.json()["result"]["value"])

    def wait_for_api(self, seconds: float = WAIT_S) -> None:
        """Wait until the UNIX socket answers; raises ServerError."""

        def answers() -> bool:
            with socket.socket(socket.AF_UNIX) as sock:  # httpx would leave its own open where nobody listens
                try:
                    sock.connect(str(self.api_socket))
                except OSError:
                    return False
            with self.local as client:
                return client.get("/client/v4/accounts").status_code == 200

        wait_until(answers, lambda: f"the API does not answer:\n{self.log}", seconds)


def wait_until(condition: Callable[[], Any], otherwise: Callable[[], str], seconds: float = WAIT_S) -> float:
    """Wait until a condition holds and return how long it took; raises ServerError."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > seconds:
            raise ServerError(otherwise())
        time.sleep(0.005)
    return time.monotonic() - started


@contextlib.contextmanager
def stopped_server(work: Path, settings: str = "") -> Iterator[StoreServer]:
    """Yield a server that has served a zone with a pool from its store, and is stopped."""
    server = StoreServer(work, settings)
    with contextlib.closing(server):
        server.start()
        server.wait_for_api()
        tree = {key: value for key, value in configuration().items() if key != "settings"}
        with server.local as client:
            client.post("/lbdns/v1/apply", json={"configuration": tree}).raise_for_status()
        wait_until(lambda: server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"], lambda: server.log)
        assert server.stop() == 0
        yield server
