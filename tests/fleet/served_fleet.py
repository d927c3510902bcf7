"""Whole servers in one fleet on loopback: `lbdns serve` each over a store of its own, a real nats-server between."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

from lbdns.model.fleet_report import FleetReport
from tests.fleet.nats_server import NatsServer
from tests.processes.load import configuration
from tests.store.served import StoreServer, wait_until

PLACES: Final = {"AMS-1": "AMS", "FRA-1": "FRA", "NYC-1": "JFK"}
SETTLE_S: Final = 90.0
_AS_RELEASE: Final = "import lbdns; lbdns.__version__ = {version!r}; from lbdns.cli.main import main; main()"


class PlacedServer(StoreServer):
    """One machine with a place; `version` is the release that it says to be, this one's where it is ""."""

    def __init__(self, work: Path, name: str, url: str, version: str = "") -> None:
        """Write its settings."""
        work.mkdir()
        self.name, self.version = name, version
        super().__init__(work, f"pop: {{code: {PLACES[name]}}}\nfleet: {{name: {name}, join: {url}}}")

    def start(self) -> None:
        """Start it; on a machine that is busy with two more of them that takes its time."""
        with mock.patch("lbdns.testing.START_S", SETTLE_S):
            super().start()

    def command(self) -> list[str]:
        """Return the command that becomes its supervisor, of another release where it is to be one."""
        command = super().command()
        if not self.version:
            return command
        after = command[command.index("lbdns") + 1 :]
        return [sys.executable, "-P", "-c", _AS_RELEASE.format(version=self.version), *after]

    def report(self) -> FleetReport:
        """Return the fleet as this machine sees it."""
        return FleetReport.from_json(self.ask("fleet"))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask its API; returns the result."""
        with self.local as client:
            response = client.request(method, path, json=body)
            response.raise_for_status()
            return response.json()["result"]


def are_alike(servers: Sequence[PlacedServer]) -> bool:
    """Whether every machine hears all others, and all serve the same revision."""
    reports = [one.report() for one in servers]
    names = {one.name for one in servers}
    heard = [{row.status.name for row in report.machines if row.is_heard} for report in reports]
    served = {row.status.served for report in reports for row in report.machines if row.is_heard}
    watched = [report.own is not None and {report.machine, *report.own.heard} >= names for report in reports]
    return all(one >= names for one in heard) and len(served) == 1 and all(watched)


def wait_alike(servers: Sequence[PlacedServer]) -> None:
    """Wait until they are."""

    def told() -> str:
        return "\n".join(f"{one.name}: {one.report()}\n{one.log[-3000:]}" for one in servers)

    wait_until(lambda: are_alike(servers), told, SETTLE_S)


@contextlib.contextmanager
def served_fleet(work: Path, bus: NatsServer) -> Iterator[list[PlacedServer]]:
    """Yield machines that hear each other and serve the same load balancer, whose pool's monitor finds the bus."""
    with contextlib.ExitStack() as stack:
        servers = [PlacedServer(work / name, name, bus.url) for name in PLACES]
        for server in servers:
            stack.enter_context(contextlib.closing(server))
            server.start()
            server.wait_for_api(SETTLE_S)  # one after the other: each has its time to start
        servers[0].call("POST", "/lbdns/v1/apply", {"configuration": watched(bus.port)})
        wait_alike(servers)
        yield servers


def watched(port: int) -> dict[str, Any]:
    """Return a configuration with a pool whose one endpoint is a port of loopback, probed by TCP."""
    tree = {key: value for key, value in configuration(("127.0.0.1",)).items() if key != "settings"}
    tree["monitors"] = {"port": {"type": "tcp", "port": port, "interval": 5, "timeout": 1, "retries": 0}}
    tree["pools"]["main"]["monitor"] = "port"
    return tree
