"""A webhook on loopback in threads of its own, beside a whole server: what it was sent, and how it answers."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_S = 30.0


class HookServer:
    """A receiver of posted JSON; it answers with `code`, and holds answers back while `gate` is not set."""

    def __init__(self) -> None:
        self.code = 200
        self.gate = threading.Event()
        self.gate.set()
        self.posted: list[tuple[dict[str, str], dict[str, Any]]] = []  # headers in lower case, body
        posted, owner = self.posted, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                posted.append(({key.lower(): value for key, value in self.headers.items()}, body))
                owner.gate.wait(WAIT_S)
                with contextlib.suppress(OSError):
                    self.send_response(owner.code)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}/in"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What was posted."""
        return [body for _, body in self.posted]

    @contextlib.contextmanager
    def running(self) -> Iterator[HookServer]:
        self._thread.start()
        try:
            yield self
        finally:
            self.gate.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def eventually(condition: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    ends_at = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < ends_at, "it did not come true in time"
        time.sleep(0.02)
