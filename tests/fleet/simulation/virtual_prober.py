"""A machine's probes: their results follow the truth, at the times of the interval, through the monitor's own gate and
the product's thresholds.

Only what can change a series is simulated: its first results, and those after something changed, until its streak is
past its thresholds. What comes in between says what was said before. Where the gate takes the machine for cut off, or
the machine is apart from its fleet or is not any more, everything may change, and all of that is probed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zlib import crc32

from lbdns.health.verdict import UNKNOWN, advance
from lbdns.model.targets_document import Vantage
from lbdns.monitor.isolation import IsolationGate
from lbdns.monitor.probes.result import Result, Target
from tests.fleet.simulation.endpoint_world import SILENT, EndpointWorld
from tests.fleet.simulation.virtual_time import VirtualTime

NOT_DUE = float("-inf")


@dataclass(frozen=True, slots=True)
class CheckTerms:
    """How endpoints are probed, as a monitor says it; `rtt_s` is what a probe takes that passes."""

    interval_s: float = 5.0
    timeout_s: float = 1.0
    consecutive_up: int = 2
    consecutive_down: int = 2
    rtt_s: float = 0.03

    @property
    def settling_s(self) -> float:
        """How long it takes at most until a change of the truth has changed a series."""
        results = max(1, self.consecutive_up, self.consecutive_down)
        return results * self.interval_s + self.timeout_s


class ProbedSeries:
    """One endpoint as a machine probes it: measured state and streak. It is a check to the gate.

    `due_s`: when its next probe begins, or began where that is on its way; NOT_DUE: it would say nothing new.
    """

    __slots__ = ("_prober", "due_s", "endpoint", "passed", "phase_s", "state", "streak", "target")

    def __init__(self, prober: VirtualProber, endpoint: str, target: Target, phase_s: float) -> None:
        self._prober = prober
        self.endpoint = endpoint
        self.target = target
        self.phase_s = phase_s
        self.state = UNKNOWN
        self.streak = 0
        self.due_s = NOT_DUE
        self.passed = False

    def tell(self, result: Result) -> None:
        """Take a result that the gate lets through."""
        self._prober.believe(self, result.healthy)

    def set_aside(self) -> None:
        """Take it that there was a failure of which nothing follows."""
        self._prober.set_aside(self)


class VirtualProber:
    """The probes of one machine; `take(series, passed)` is told each result that may change something."""

    def __init__(
        self,
        time: VirtualTime,
        world: EndpointWorld,
        machine: str,
        region: str,
        terms: CheckTerms,
    ) -> None:
        self._time = time
        self._world = world
        self._machine = machine
        self._region = region
        self._terms = terms
        self._vantage = Vantage(machine, region)
        self.take: Callable[[ProbedSeries, bool], None] = lambda series, passed: None
        self.set_aside: Callable[[ProbedSeries], None] = lambda series: None
        self.doubt: Callable[[bool], None] = lambda is_doubtful: None
        self.series: dict[str, ProbedSeries] = {}
        self._is_cut_off = False
        self._gate = self._new_gate()

    def _new_gate(self) -> IsolationGate[ProbedSeries]:
        return IsolationGate(self._vantage, self._hurry, self._tell, self._now_s)

    def _now_s(self) -> float:
        return self._time.now_s

    def assign(self, endpoints: Iterable[str]) -> None:
        """Probe these and no others; what begins gives its first result within an interval."""
        wanted = set(endpoints)
        for endpoint in self.series.keys() - wanted:
            self._gate.forget(self.series.pop(endpoint))
        for endpoint in sorted(wanted - self.series.keys()):
            share = crc32(f"{self._machine} {endpoint}".encode()) / 2**32
            target, phase_s = self._world.targets[endpoint], share * self._terms.interval_s
            one = self.series[endpoint] = ProbedSeries(self, endpoint, target, phase_s)
            self._due(one)

    def stop(self) -> None:
        """Forget all of it, as a machine that is killed does."""
        self.series.clear()
        self._is_cut_off = False
        self._gate = self._new_gate()

    def cut_off(self, is_cut_off: bool) -> None:
        """Take it that the fleet is not heard, or is again."""
        if is_cut_off != self._is_cut_off:
            self._is_cut_off = is_cut_off
            if is_cut_off:
                self._probe_again(one for one in self.series.values() if not one.passed)
            self._gate.be_apart(is_cut_off)

    def _tell(self, vantage: Vantage, is_doubtful: bool) -> None:
        """Hear of the gate's doubt: whatever answers while there is one ends it."""
        if is_doubtful:
            self.all_changed()
        self.doubt(is_doubtful)

    def changed(self, endpoint: str) -> None:
        """Take it that the truth about an endpoint changed: its next results matter."""
        one = self.series.get(endpoint)
        if one is not None:
            self._probe_again([one])

    def all_changed(self) -> None:
        """Take it that the truth changed for all of them."""
        self._probe_again(self.series.values())

    def _probe_again(self, several: Iterable[ProbedSeries]) -> None:
        for one in several:
            if one.due_s == NOT_DUE:
                self._due(one)

    def _due(self, one: ProbedSeries) -> None:
        now_s, interval_s = self._time.now_s, self._terms.interval_s
        self._begin(one, now_s + (one.phase_s - now_s) % interval_s)

    def _hurry(self, one: ProbedSeries) -> None:
        """Probe now, unless a probe is on its way."""
        if one.due_s == NOT_DUE or one.due_s > self._time.now_s:
            self._begin(one, self._time.now_s)

    def _begin(self, one: ProbedSeries, at_s: float) -> None:
        one.due_s = at_s
        self._time.at(at_s + self._terms.rtt_s, self._look, one, at_s)

    def _look(self, one: ProbedSeries, began_s: float) -> None:
        """Take what a probe has found once a round-trip time has passed."""
        if one.due_s != began_s or self.series.get(one.endpoint) is not one:
            return
        result = self._world.found(self._machine, self._region, one.endpoint, began_s)
        if result is SILENT:
            self._time.at(began_s + self._terms.timeout_s, self._end, one, began_s, result)
        else:
            self._end(one, began_s, result)

    def _end(self, one: ProbedSeries, began_s: float, result: Result) -> None:
        if one.due_s != began_s or self.series.get(one.endpoint) is not one:
            return
        one.due_s = NOT_DUE
        one.passed = result.healthy
        self._gate.take(one, result, began_s)
        if result.healthy != self._world.sees(self._machine, self._region, one.endpoint):
            self._probe_again([one])

    def believe(self, one: ProbedSeries, passed: bool) -> None:
        """Take a result that the gate lets through."""
        if self.series.get(one.endpoint) is not one:
            return
        terms = self._terms
        one.state, one.streak = advance(one.state, one.streak, passed, terms.consecutive_up, terms.consecutive_down)
        self.take(one, passed)
        settled = one.streak >= max(1, terms.consecutive_up) or -one.streak >= max(1, terms.consecutive_down)
        if not settled:
            self._probe_again([one])
