"""The `tcp` probe: healthy where a connection is established, and nothing is sent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lbdns.health.reasons import Reason
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.monitor.probes.result import ProbeFailure, Result, Target
from lbdns.monitor.probes.stream import Stream


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """A connection opened and closed."""

    async def run(self, target: Target, deadline_s: float) -> Result:
        """Connect to the target's address and port."""
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        with Stream(loop, deadline_s) as stream:
            reason, detail = Reason.NO_FAILURES, ""
            try:
                await stream.connect(target)
            except ProbeFailure as failure:
                reason, detail = failure.reason, failure.detail
            rtt_us = int((loop.time() - start_s) * 1e6)
            return Result(reason is Reason.NO_FAILURES, reason, 0, rtt_us, detail, tuple(stream.phases))


def make(monitor: MonitorTerms) -> TcpProbe:
    """Return the probe, for which a monitor has no settings."""
    return TcpProbe()
