"""A check: one probe of one address, repeated; whoever needs the same one listens to its results.

Two pools with the same monitor settings and the same endpoint share a check, so the endpoint is probed once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from lbdns.health.reasons import TIMEOUTS, Reason
from lbdns.model.monitors import HTTP_TYPES, Monitor
from lbdns.monitor.probes.http import DEFAULT_PORTS, host_header
from lbdns.monitor.probes.make import probe_of
from lbdns.monitor.probes.result import Result, Target
from lbdns.monitor.targets import EndpointSpec, Vantage


@dataclass(frozen=True, slots=True)
class CheckKey:
    """What makes two checks the same: every setting that reaches the wire or the clock, and where to and from."""

    settings: tuple[object, ...]
    target: Target
    vantage: Vantage


class CheckListener(Protocol):
    """Whoever wants a check's results."""

    def take(self, result: Result) -> None:
        """Take a result that is believed."""
        ...


class Sink(Protocol):
    """Where results go first: it passes them on to the check's listeners, or holds them back."""

    def take(self, check: Check, result: Result, started_s: float) -> None:
        """Take a result of a probe that started at `started_s` (the loop's clock)."""
        ...


class Check:
    """One repeated probe, and where it stands in time; the scheduler owns `due_s`, `task` and `slow`."""

    __slots__ = (
        "active",
        "due_s",
        "first",
        "interval_s",
        "key",
        "last",
        "listeners",
        "probe",
        "queued",
        "retries",
        "sink",
        "slow",
        "started_s",
        "target",
        "task",
        "timeout_s",
        "vantage",
    )

    def __init__(self, key: CheckKey, monitor: Monitor, sink: Sink) -> None:
        """Make a check with nobody listening yet."""
        self.key = key
        self.target = key.target
        self.vantage = key.vantage
        self.probe = probe_of(monitor)
        self.sink = sink
        self.interval_s = float(monitor.interval)
        self.timeout_s = float(monitor.timeout)
        self.retries = monitor.retries
        self.listeners: list[CheckListener] = []
        self.last: Result | None = None
        self.due_s = 0.0
        self.started_s = 0.0
        self.first = True  # no interval has passed yet
        self.active = False
        self.queued = False
        self.slow = False  # its last result was a time-out
        self.task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Probe now, again at once after a time-out as often as `retries` says, and hand on what came."""
        loop = asyncio.get_running_loop()
        self.started_s = started_s = loop.time()
        for _ in range(self.retries + 1):
            try:
                result = await self.probe.run(self.target, loop.time() + self.timeout_s)
            except Exception as error:  # a defect in one probe must neither end the others nor count as an answer
                result = Result(False, Reason.OTHER, detail=f"internal error: {error!r}")
                loop.call_exception_handler({"message": "a probe raised", "exception": error})
            if not timed_out(result):
                break
        self.slow = timed_out(result)
        self.last = result
        self.sink.take(self, result, started_s)

    def tell(self, result: Result) -> None:
        """Pass a result on to everyone who listens."""
        for listener in tuple(self.listeners):
            listener.take(result)


def timed_out(result: Result) -> bool:
    """Whether no answer came, which alone makes a probe run again at once."""
    return result.reason in TIMEOUTS or result.silent


def check_key(monitor: Monitor, endpoint: EndpointSpec, address: str, vantage: Vantage) -> CheckKey:
    """Return the key of the check that `monitor` wants of one of the endpoint's addresses."""
    http = monitor.type in HTTP_TYPES
    # The endpoint's own port wins over the monitor's, as its Host header does.
    port = endpoint.port or monitor.port or (DEFAULT_PORTS[monitor.type] if http else 0)
    host = ""
    settings: tuple[object, ...] = (monitor.type, monitor.interval, monitor.timeout, monitor.retries)
    if http:
        host = endpoint.host or monitor_host(monitor) or host_header(endpoint.address, port, monitor.type)
        header = tuple((name, tuple(values)) for name, values in monitor.header.items())
        settings += (monitor.method, monitor.path, header, monitor.expected_codes, monitor.expected_body)
        settings += (monitor.follow_redirects, monitor.allow_insecure)
    return CheckKey(settings, Target(address, port, host, vantage.source), vantage)


def monitor_host(monitor: Monitor) -> str:
    """Return the monitor's own Host header; empty where it has none."""
    for name, values in monitor.header.items():
        if name.lower() == "host" and values:
            return str(values[0])
    return ""
