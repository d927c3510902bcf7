"""The metrics of a server: what is counted and known, with exemplars where the format has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.settings import Settings

if TYPE_CHECKING:
    from lbdns.telemetry.metrics_server import MetricsServer
    from lbdns.telemetry.server_facts import ServerFacts
    from lbdns.telemetry.tally import Tally


class ServerMetrics:
    """Metrics where the settings want them; until they do, nothing of what makes them is loaded."""

    def __init__(
        self, tally: Tally, facts: Callable[[], ServerFacts], run: RunDirectory, control: Control, started_at: float
    ) -> None:
        """Describe those of a server that was started at a time, unix s."""
        self._tally, self._facts, self._run = tally, facts, run
        self._control, self._started_at = control, started_at
        self._server: MetricsServer | None = None

    @property
    def address(self) -> str | None:
        """Where they are, None where they are not."""
        return None if self._server is None else self._server.address

    def follow(self, settings: Settings) -> None:
        """Have them where the settings say, or nowhere; what stops that goes to the log."""
        if self._server is None and settings.metrics is not None:
            self._server = self._made()
        if self._server is not None:
            self._server.follow(settings)

    async def retry(self) -> None:
        """Try again, now and then, where the address could not be had; call it often."""
        if self._server is not None:
            await asyncio.to_thread(self._server.retry)

    def close(self) -> None:
        """Have them no more."""
        if self._server is not None:
            self._server.close()

    def _made(self) -> MetricsServer:
        from lbdns.telemetry.exemplars import Exemplars, OpenMetricsCollector, counting_since
        from lbdns.telemetry.metrics import ServerCollector
        from lbdns.telemetry.metrics_server import MetricsServer

        def began() -> dict[str, float]:
            return counting_since(self._control.get("counters_began_ns") / 1e9, self._started_at)

        plain = ServerCollector(self._tally, self._facts)
        return MetricsServer(plain, OpenMetricsCollector(plain, Exemplars(self._run), began))
