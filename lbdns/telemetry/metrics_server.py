"""Metrics over HTTP: the server that answers scrapes, each in a thread of its own, beside the supervisor's event loop.

Where the address cannot be had, DNS is served without metrics: the log says so, and it is tried again. A client that
says nothing, or reads nothing, gives way where there is no room (base/connection_room.py), and is cut off in time.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
import time
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from lbdns.base.accepting import OF_THE_CONNECTION, connections_max
from lbdns.base.connection_room import ConnectionRoom, Standing, network_of
from lbdns.base.passed_sockets import passed_sockets
from lbdns.model.settings import Settings
from lbdns.model.socket_address import format_socket_address, parse_socket_address

RETRY_S: Final = 10.0
CLIENT_S: Final = 10.0
"""For a client that says or takes nothing."""
SCRAPE_S: Final = 30.0
"""For a whole scrape."""
CLIENTS_MAX: Final = 64
BACKLOG: Final = 128
REST_S: Final = 0.25
"""After a connection that could not be accepted."""

log = logging.getLogger("lbdns.telemetry")


def _application(plain: Collector, open_metrics: Collector) -> Any:
    """Return the WSGI application: OpenMetrics for who asks for it, else the text format of Prometheus."""
    applications = {}
    for is_open, collector in ((False, plain), (True, open_metrics)):
        registry = CollectorRegistry()
        registry.register(collector)
        applications[is_open] = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        _, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
        return applications[content_type.startswith("application/openmetrics-text")](environ, start_response)

    return application


class MetricsServer:
    """The HTTP server of metrics where the settings want one; a moment's work for the caller, from any thread."""

    def __init__(self, plain: Collector, open_metrics: Collector | None = None) -> None:
        """Begin without one. Who takes OpenMetrics gets those of `open_metrics`, where they are others."""
        self._application = _application(plain, open_metrics or plain)
        self._lock = threading.Lock()
        self._wanted: str | None = None
        self._server: _HttpServer | None = None
        self._tried_at = 0.0

    @property
    def address(self) -> str | None:
        """Where it listens, the port as it came to be; None where it does not."""
        server = self._server
        return None if server is None else format_socket_address(*server.server_address[:2])  # type: ignore[arg-type]

    def follow(self, settings: Settings) -> None:
        """Listen where the settings say, or nowhere; what stops that goes to the log."""
        with self._lock:
            if settings.metrics == self._wanted:
                return
            self._close()
            self._wanted = settings.metrics
            if self._wanted is not None:
                self._try(self._wanted, is_first=True)

    def retry(self) -> None:
        """Try again, now and then, where the address could not be had; call it often."""
        with self._lock:
            if self._wanted is not None and self._server is None and time.monotonic() - self._tried_at > RETRY_S:
                self._try(self._wanted, is_first=False)

    def close(self) -> None:
        """Listen no more."""
        with self._lock:
            self._wanted = None
            self._close()

    def _try(self, address: str, is_first: bool) -> None:
        self._tried_at = time.monotonic()
        try:
            self._server = _HttpServer(*parse_socket_address(address))
        except OSError as error:
            if is_first:
                log.error(
                    "metrics: cannot listen on %s: %s; DNS is served without them, and it is tried again every %.0f s",
                    address,
                    error.strerror or error,
                    RETRY_S,
                )
            return
        self._server.set_app(self._application)
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics on http://%s/metrics", self.address)

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Scraper:
    """One connection, which a thread of its own serves."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.ends_at_s = time.monotonic() + SCRAPE_S

    def abort(self) -> None:
        """End what its thread waits for; the thread closes the connection."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has gone already
            return


class _HttpServer(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each scrape, and no more than CLIENTS_MAX."""

    daemon_threads = True
    allow_reuse_port = False  # where another server listens already we want to hear of it
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._room = ConnectionRoom(connections_max(CLIENTS_MAX))
        self._clients: dict[int, _Scraper] = {}  # by the descriptor of the connection
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        passed = passed_sockets().take(socket.SOCK_STREAM, self.server_address[:2])  # type: ignore[arg-type]
        if passed is None:
            # Not WSGIServer's, which looks the address's name up in DNS, of all things.
            socketserver.TCPServer.server_bind(self)
        else:
            passed.setblocking(True)
            self.socket.close()
            self.socket = passed
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; one that cannot be had must not be tried for without pause."""
        try:
            return super().get_request()
        except OSError as error:
            if error.errno not in OF_THE_CONNECTION:
                log.warning("metrics: cannot accept connections: %s; it is tried again", error.strerror or error)
                with self._lock:
                    self._room.give_way()
                time.sleep(REST_S)
            raise

    def service_actions(self) -> None:
        """Cut off who takes too long; called every half second."""
        now_s = time.monotonic()
        with self._lock:
            for client in self._clients.values():
                if client.ends_at_s < now_s:
                    client.abort()

    def process_request(self, request: Any, client_address: Any) -> None:
        client = _Scraper(request)
        with self._lock:
            is_in = self._room.admit(client, network_of(client_address))
            if is_in:
                self._clients[request.fileno()] = client
        if not is_in:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError as error:  # no thread to be had
            log.warning("metrics: cannot answer: %s", error)
            self._forget(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self._forget(request)

    def _forget(self, request: Any) -> None:
        """Give a connection's place back, and close it."""
        with self._lock:
            self._room.release(self._clients.pop(request.fileno()))
        self.shutdown_request(request)

    def has_asked(self, request: socket.socket) -> None:
        """Note that a request has come as a whole: what is left is to answer it, and for the client to read."""
        with self._lock:
            self._room.move(self._clients[request.fileno()], Standing.READING)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("metrics: a client went away", exc_info=True)


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_S
    server: _HttpServer

    def parse_request(self) -> bool:
        is_whole = super().parse_request()
        if is_whole:
            self.server.has_asked(self.connection)
        return is_whole

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a scrape every few seconds is no news."""
