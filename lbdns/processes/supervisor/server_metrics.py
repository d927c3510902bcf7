"""The metrics of a server: what is counted and known, with exemplars where the format has them."""

from __future__ import annotations

from collections.abc import Callable

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.telemetry.exemplars import Exemplars, OpenMetricsCollector, counting_since
from lbdns.telemetry.metrics import ServerCollector
from lbdns.telemetry.metrics_server import MetricsServer
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.tally import Tally


def metrics_server(
    tally: Tally, facts: Callable[[], ServerFacts], run: RunDirectory, control: Control, started_at: float
) -> MetricsServer:
    """Return what serves the metrics of a server that was started at a time, unix s."""

    def began() -> dict[str, float]:
        return counting_since(control.get("counters_began_ns") / 1e9, started_at)

    plain = ServerCollector(tally, facts)
    return MetricsServer(plain, OpenMetricsCollector(plain, Exemplars(run), began))
