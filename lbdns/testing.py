"""A pytest plugin for other people's tests: a real lbdns server on a free loopback port, and real endpoints.

    def test_failover(lbdns_server):
        server = lbdns_server({
            "zones": {"example.com": "@ IN SOA ns hostmaster 1 7200 900 1209600 60\\n@ IN NS ns\\nns IN A 192.0.2.53"},
            "monitors": {"web": {"type": "http", "interval": 5, "timeout": 1}},
            "pools": {
                "a": {"monitor": "web", "origins": [{"name": "a1", "address": "127.0.0.11"}]},
                "b": {"monitor": "web", "origins": [{"name": "b1", "address": "127.0.0.12"}]},
            },
            "load_balancers": [{"name": "www.example.com", "default_pools": ["a"], "fallback_pool": "b"}],
        })
        assert server.addresses("www.example.com") == ["127.0.0.11"]
        server.set_endpoint("a/a1", up=False)
        assert server.addresses("www.example.com") == ["127.0.0.12"]

`lbdns_server` takes such a dict (its keys are those of the files) or a directory as `lbdns serve` reads it, which is
copied. An endpoint at a loopback address whose pool has an http or tcp monitor is played by this process: it listens
where the monitor looks and answers what the monitor expects, until `set_endpoint` says otherwise. In a dict, one that
has no `port` of its own gets a free one, or its monitor does where that has a port, which is the one that is probed.
The server's probes are real, so a change takes the monitor's interval to be seen.

Fixtures of a wider scope use `running_server(configuration, directory)` in a `with` statement.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lbdns.base.words import CONTROL_SOCKET, SETTINGS_FILE
from lbdns.played import PlayedEndpoint, Stage, fill_ports, playable

if TYPE_CHECKING:
    import dns.message
    import dns.resolver

START_S = 60.0
STOP_S = 30.0
QUERY_S = 5.0
ASK_S = 30.0  # an operation may begin a process first
POLL_S = 0.02

Configuration = Mapping[str, Any] | Path | str


class ServerError(Exception):
    """The server under test does not do what the test asked for; the text holds its log where that helps."""


class LbdnsServer:
    """A running server: `host` and `port` (UDP and TCP), its process, its log, and helpers for tests."""

    start_s = START_S
    """How long a start may take."""

    def __init__(self, directory: Path, work: Path, override: bool = True) -> None:
        """Prepare a server for the files in `directory`; `work` holds its state and its log."""
        self.directory = directory
        self.override = override
        self.state_dir = work / "state"
        self.control = self.state_dir / CONTROL_SOCKET
        self.host = "127.0.0.1"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._log_path = work / "log"
        self._stage = Stage()
        self._played: dict[str, PlayedEndpoint] = {}

    @property
    def log(self) -> str:
        """Everything that the server has written to its log."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        if self.process is None:
            raise ServerError("the server is not running")
        return self.process.pid

    def start(self) -> None:
        """Start the server and wait until it answers; raises ServerError with its log where it does not."""
        from lbdns.processes.supervisor.child_process import package_environment

        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=package_environment(),
            )
        self._wait_until(
            lambda: self.process is not None and self._is_ready(), self.start_s, "the server does not start"
        )
        self.host, _, port = self.status()["listen"][0].rpartition(":")
        self.port = int(port)

    def command(self) -> list[str]:
        """Return the command that becomes the server's supervisor."""
        command = [sys.executable, "-P", "-m", "lbdns", "serve", *self.source(), "--state", str(self.state_dir)]
        return [*command, "--listen", f"{self.host}:{self.port}"] if self.override else command

    def source(self) -> list[str]:
        """Return the arguments that say what is served."""
        return [str(self.directory)]

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise ServerError(f"the server ended with status {self.process.returncode}:\n{self.log}")
        with contextlib.suppress(Exception):
            status = self.status()
            return bool(status["ready"]) and status["pid"] == self.pid
        return False

    def stop(self) -> int:
        """Stop the server with SIGTERM and return its exit status."""
        if self.process is None:
            raise ServerError("the server is not running")
        self.process.terminate()
        try:
            return self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise ServerError(f"the server does not stop:\n{self.log}") from None

    def kill(self) -> None:
        """End all processes of the server at once, as a machine does that loses its power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self._end_orphans()

    def close(self) -> None:
        """End the server and the endpoints, whatever state they are in."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.stop()
        finally:
            self._end_orphans()
            self._stage.close()

    def _end_orphans(self) -> None:
        """End processes that a test left behind when it killed their supervisor."""
        state = os.fsencode(self.state_dir)
        run = os.fsencode(self.run_directory)
        fleet = state + b"/fleet/"  # a nats-server is named by its configuration alone
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                arguments = (process / "cmdline").read_bytes().split(b"\0")
                if state in arguments or run in arguments or any(one.startswith(fleet) for one in arguments):
                    os.kill(int(process.name), signal.SIGKILL)
        shutil.rmtree(self.run_directory, ignore_errors=True)

    @property
    def run_directory(self) -> Path:
        """Where the server's processes share snapshots and health."""
        from lbdns.mapped.run_directory import RunDirectory

        return RunDirectory.location(self.state_dir)

    def query(
        self, name: str, rdtype: str = "A", *, ecs: str | None = None, tcp: bool = False, timeout_s: float = QUERY_S
    ) -> dns.message.Message:
        """Ask the server and return its reply; `ecs` is a prefix such as "192.0.2.0/24", sent as Client Subnet."""
        import dns.edns
        import dns.message
        import dns.query

        options = [dns.edns.ECSOption.from_text(ecs)] if ecs else None
        message = dns.message.make_query(name, rdtype, use_edns=0 if ecs else None, options=options)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(message, self.host, port=self.port, timeout=timeout_s)

    def addresses(self, name: str, rdtype: str = "A", *, ecs: str | None = None, tcp: bool = False) -> list[str]:
        """Return the texts of the answer's records of the type asked for, sorted."""
        import dns.rdatatype

        wanted = dns.rdatatype.from_text(rdtype)
        reply = self.query(name, rdtype, ecs=ecs, tcp=tcp)
        return sorted(str(rdata) for rrset in reply.answer if rrset.rdtype == wanted for rdata in rrset)

    def resolver(self) -> dns.resolver.Resolver:
        """Return a stub resolver that asks this server, with no cache and no search list."""
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [self.host]
        resolver.port = self.port
        resolver.lifetime = QUERY_S
        return resolver

    def status(self) -> dict[str, Any]:
        """Return what the supervisor says of itself: pids, generation, addresses."""
        return self.ask("status")

    def health(self) -> dict[str, Any]:
        """Return what `lbdns health --json` prints."""
        return self.ask("health")

    def ask(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Send one operation to the control socket and return its result."""
        from lbdns.mapped.run_directory import RunDirectory
        from lbdns.processes.supervisor.control_socket import ask

        path = RunDirectory.socket_in_use(self.control, self.state_dir)
        result: dict[str, Any] = ask(path, op, timeout_s=ASK_S, **arguments)
        return result

    def set_endpoint(self, path: str, *, up: bool, wait: bool = True) -> None:
        """Take the endpoint POOL/NAME down for real, or up again, and wait until its health says so."""
        played = self._played.get(path)
        if played is None:
            raise ServerError(
                f"{path} cannot be set up or down: only endpoints at loopback addresses whose pool has an http or tcp "
                f"monitor are played here; those are {', '.join(sorted(self._played)) or 'none'}"
            )
        (self._stage.raise_up if up else self._stage.take_down)(played)
        if wait:
            wanted = "healthy" if up else "unhealthy"
            self._wait_until(
                lambda: self.endpoint_state(path) == wanted, played.notice_s, f"{path} does not become {wanted}"
            )

    def endpoint_state(self, path: str) -> str:
        """Return the state of the endpoint POOL/NAME as the server sees it."""
        pool_name, _, endpoint_name = path.partition("/")
        for pool in self.health()["pools"]:
            for endpoint in pool["origins"]:
                if (pool["name"], endpoint["name"]) == (pool_name, endpoint_name):
                    state: str = endpoint["state"]
                    return state
        raise ServerError(f"there is no endpoint {path}")

    def reload(self, files: Mapping[str, str | None]) -> None:
        """Write files into the directory (None removes one) and serve them; ServerError with why where refused."""
        for name, text in files.items():
            path = self.directory / name
            if text is None:
                path.unlink()
            else:
                partial = path.with_name(f".{name}.partial")
                partial.write_text(text)
                partial.replace(path)
        from lbdns.base.errors import LbdnsError

        try:
            self.ask("reload")
        except LbdnsError as error:
            raise ServerError(str(error)) from error

    def play(self, tree: Mapping[str, Any]) -> None:
        """Play every endpoint of a configuration that can be played; all are up at first."""
        self._played = dict(playable(tree))
        for played in self._played.values():
            self._stage.raise_up(played)

    def _wait_until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise ServerError(f"{otherwise} within {seconds:.1f} s:\n{self.log}")
            time.sleep(POLL_S)


def write_files(tree: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    """Write a configuration as the files that `lbdns serve` reads; returns it with the ports that were filled in."""
    import yaml

    filled: dict[str, Any] = yaml.safe_load(yaml.safe_dump(_plain(tree), sort_keys=False))
    fill_ports(filled)
    directory.mkdir(parents=True, exist_ok=True)
    objects = {key: value for key, value in filled.items() if key not in ("settings", "zones")}
    (directory / SETTINGS_FILE).write_text(yaml.safe_dump(filled.get("settings") or {}, sort_keys=False))
    (directory / "objects.yaml").write_text(yaml.safe_dump(objects, sort_keys=False))
    for name, text in (filled.get("zones") or {}).items():
        (directory / f"{name.rstrip('.')}.zone").write_text(text if "$TTL" in text else f"$TTL 300\n{text}\n")
    return filled


def _plain(value: Any) -> Any:
    """Return mappings and sequences as dicts and lists, for YAML."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _copy_files(source: Path, directory: Path) -> dict[str, Any]:
    """Copy a configuration directory's files; returns its objects, as far as they are needed to play endpoints."""
    import yaml

    directory.mkdir(parents=True, exist_ok=True)
    tree: dict[str, Any] = {"monitors": {}, "pools": {}}
    for path in (*source.glob("*.yaml"), *source.glob("*.zone")):
        shutil.copy(path, directory / path.name)
        if path.suffix == ".yaml" and path.name != SETTINGS_FILE:
            objects = yaml.safe_load(path.read_text()) or {}
            for key in tree:
                tree[key] |= objects.get(key) or {}
    settings_path = directory / SETTINGS_FILE
    if settings_path.exists():
        settings = yaml.safe_load(settings_path.read_text()) or {}
        for key, value in (settings.get("geodata") or {}).items():
            several = value if isinstance(value, list) else [value]
            paths = [str((source / one).resolve()) for one in several]
            settings["geodata"][key] = paths if isinstance(value, list) else paths[0]
        settings_path.write_text(yaml.safe_dump(settings))
    return tree


@contextlib.contextmanager
def running_server(configuration: Configuration, directory: Path, override: bool = True) -> Iterator[LbdnsServer]:
    """Run a server for a `with` block, from a dict or a directory; `directory` is an empty one for its files.

    It listens on a free port of 127.0.0.1, or with `override` False where the settings say.
    """
    files = directory / "config"
    if isinstance(configuration, Mapping):
        tree = write_files(configuration, files)
    else:
        tree = _copy_files(Path(configuration), files)
    server = LbdnsServer(files, directory, override)
    try:
        server.play(tree)
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def lbdns_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LbdnsServer]]:
    """Return a function that starts a server from a dict or a directory; all are stopped after the test."""
    with contextlib.ExitStack() as running:

        def start(configuration: Configuration) -> LbdnsServer:
            return running.enter_context(running_server(configuration, tmp_path_factory.mktemp("lbdns")))

        yield start
