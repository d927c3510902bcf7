"""A check: one probe of one address, repeated; whoever needs the same one listens to its results.

Two pools with the same monitor settings and the same endpoint share a check, so the endpoint is probed once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from lbdns.base.probe_types import acts
from lbdns.health.reasons import TIMEOUTS, Reason
from lbdns.health.way_faults import WayFault
from lbdns.model.monitor_terms import MonitorTerms
from lbdns.model.probe_networks import is_loopback, refused_words
from lbdns.model.probed import probe_settings, probed_port
from lbdns.model.targets_document import EndpointSpec, Vantage, is_name
from lbdns.monitor.probes.http import host_header
from lbdns.monitor.probes.make import probe_of
from lbdns.monitor.probes.result import Carrier, Result, Target

SUSPICIOUS: Final = frozenset({Reason.NETWORK_DOWN, Reason.NETWORK_UNREACHABLE, Reason.NO_ROUTE})
"""What a probe meets where its way into a virtual network is at fault; the last two may be the endpoint's own."""


@dataclass(frozen=True, slots=True)
class CheckKey:
    """What makes two checks the same: every setting that reaches the wire or the clock, and where to and from.

    `is_local` is False where it leads to this machine's loopback for a pool that others had a hand in: they hear
    nothing of what a check of the operator's finds there.
    """

    settings: tuple[object, ...]
    target: Target
    vantage: Vantage
    is_local: bool = True


class CheckListener(Protocol):
    """Whoever wants a check's results, and for which pool; its id is empty where it has none."""

    @property
    def pool_id(self) -> str: ...

    def take(self, result: Result) -> None:
        """Take a result that is believed."""
        ...

    def set_aside(self) -> None:
        """Take it that there was a failure of which nothing follows."""
        ...


class ResultGate(Protocol):
    """Where results go first: it passes them on to the check's listeners, or holds them back."""

    def take(self, check: Check, result: Result, started_s: float) -> None:
        """Take a result of a probe that started at `started_s` (the loop's clock)."""
        ...


def _anything(address: str) -> bool:
    """Return that an address may be probed: by hand, say."""
    return True


class Check:
    """One repeated probe, and where it stands in time; the scheduler owns `due_s`, `task` and `slow`."""

    __slots__ = (
        "active",
        "due_s",
        "first",
        "gate",
        "interval_s",
        "key",
        "last",
        "listeners",
        "mark",
        "may_reach",
        "probe",
        "queued",
        "retries",
        "slow",
        "started_s",
        "target",
        "task",
        "timeout_s",
        "vantage",
    )

    def __init__(
        self, key: CheckKey, monitor: MonitorTerms, gate: ResultGate, may_reach: Callable[[str], bool] = _anything
    ) -> None:
        """Make a check with nobody listening yet. `may_reach` judges the address each time before it is probed."""
        self.key = key
        self.target = key.target
        self.vantage = key.vantage
        self.probe = probe_of(monitor)
        self.gate = gate
        self.may_reach = may_reach
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
        self.mark = 0  # what stands for it in shared memory; 0: not computed yet (probe_watch.py)

    @property
    def longest_s(self) -> float:
        """How long a run may take, by its monitor's time-out and retries."""
        return self.timeout_s * (self.retries + 1)

    async def run(self) -> None:
        """Probe now, again at once after a time-out as often as `retries` says, and hand on what came."""
        loop = asyncio.get_running_loop()
        self.started_s = started_s = loop.time()
        target = self.addressed()
        if not self.may_reach(target.address):
            self.give(
                Result(False, Reason.CONFIG_ERROR, detail=refused_words(target.address, self.key.is_local)), started_s
            )
            return
        for _ in range(self.retries + 1):
            result = await self._probe(loop, target)
            if not timed_out(result):
                break
        self.give(result, started_s)

    async def _probe(self, loop: asyncio.AbstractEventLoop, target: Target) -> Result:
        way = target.way
        if way is None:
            return await self._probe_once(loop, target)
        if way.fault:
            return cut_off(way, way.fault)
        result = await self._probe_once(loop, target)
        if result.reason in SUSPICIOUS and (fault := await way.suspected()):
            return cut_off(way, fault)
        if result.reason is Reason.NETWORK_DOWN:  # for a moment: the way is there
            result = await self._probe_once(loop, target)
        if result.reason is Reason.NETWORK_DOWN:
            return replace(result, reason=Reason.OTHER)
        return result

    async def _probe_once(self, loop: asyncio.AbstractEventLoop, target: Target) -> Result:
        try:
            return await self.probe.run(target, loop.time() + self.timeout_s)
        except Exception as error:  # a defect in one probe must neither end the others nor count as an answer
            loop.call_exception_handler({"message": "a probe raised", "exception": error})
            return Result(False, Reason.OTHER, detail=f"internal error: {error!r}")

    def give(self, result: Result, started_s: float) -> None:
        """Take a result as that of a run that began at `started_s` (the loop's clock)."""
        self.slow = timed_out(result)
        self.last = result
        self.gate.take(self, result, started_s)

    def addressed(self) -> Target:
        """Return where the probe goes, with the id of the pool that it is for, where all who listen are of one."""
        pool_id, *others = {listener.pool_id for listener in self.listeners} or ("",)
        return self.target if others or not pool_id else replace(self.target, pool_id=pool_id)

    def tell(self, result: Result) -> None:
        """Pass a result on to everyone who listens."""
        for listener in tuple(self.listeners):
            listener.take(result)

    def set_aside(self) -> None:
        """Tell everyone who listens that there was a failure of which nothing follows."""
        for listener in tuple(self.listeners):
            listener.set_aside()


def cut_off(way: Carrier, fault: WayFault) -> Result:
    """Return the result of every probe while the way into its network is at fault."""
    return Result(False, Reason.NETWORK_DOWN, detail=way.down_text(fault))


def timed_out(result: Result) -> bool:
    """Whether no answer came, which alone makes a probe run again at once."""
    return result.reason in TIMEOUTS or result.silent


def check_key(
    monitor: MonitorTerms,
    endpoint: EndpointSpec,
    address: str,
    vantage: Vantage,
    is_local: bool = True,
    way: Carrier | None = None,
) -> CheckKey:
    """Return the key of the check that `monitor` wants of one of the endpoint's addresses; `is_local`: its pool's.

    `way`: into the endpoint's virtual network, which says where probes come from where it is another than the machine's
    own.
    """
    port = probed_port(monitor, endpoint.port)
    host = ""
    if acts(monitor.type, "header"):
        host = endpoint.host or monitor_host(monitor) or host_header(endpoint.address, port, monitor.type)
    source = "" if way is not None and way.is_given else vantage.source
    target = Target(address, port, host, source, way=way)
    reached_by_all = is_local or is_name(address) or not is_loopback(address)
    return CheckKey(probe_settings(monitor), target, vantage, reached_by_all)


def monitor_host(monitor: MonitorTerms) -> str:
    """Return the monitor's own Host header; empty where it has none."""
    for name, values in monitor.header.items():
        if name.lower() == "host" and values:
            return str(values[0])
    return ""
