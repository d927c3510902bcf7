"""A machine's probes: their results follow the truth, at the times of the interval, through the product's thresholds.

Only what can change a series is simulated: its first results, and those after something changed, until its streak is
past its thresholds. What comes in between says what was said before.

The gate is the monitor's, in few words: a failure is *set aside* where the other endpoints that answered last do not
answer now either (the machine doubts itself), and while the fleet is not heard (it is cut off). What is set aside says
nothing; when the doubt, or the cut, is over, it is probed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from lbdns.health.verdict import UNKNOWN, advance
from tests.fleet.simulation.endpoint_world import EndpointWorld
from tests.fleet.simulation.virtual_time import VirtualTime


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


@dataclass(slots=True, eq=False)
class ProbedSeries:
    """One endpoint as a machine probes it: measured state and streak."""

    endpoint: str
    phase_s: float
    state: int = UNKNOWN
    streak: int = 0
    is_due: bool = False
    passed: bool = False
    is_aside: bool = False


WITNESSES_MIN: Final = 2
WITNESSES_MAX: Final = 3


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
        self.take: Callable[[ProbedSeries, bool], None] = lambda series, passed: None
        self.set_aside: Callable[[ProbedSeries], None] = lambda series: None
        self.doubt: Callable[[bool], None] = lambda is_doubtful: None
        self.series: dict[str, ProbedSeries] = {}
        self._is_cut_off = self._is_doubtful = False

    def assign(self, endpoints: Iterable[str]) -> None:
        """Probe these and no others; what begins gives its first result within an interval."""
        wanted = set(endpoints)
        for endpoint in self.series.keys() - wanted:
            del self.series[endpoint]
        for endpoint in sorted(wanted - self.series.keys()):
            share = crc32(f"{self._machine} {endpoint}".encode()) / 2**32
            one = self.series[endpoint] = ProbedSeries(endpoint, share * self._terms.interval_s)
            self._due(one)

    def stop(self) -> None:
        """Forget all of it, as a machine that is killed does."""
        self.series.clear()
        self._is_cut_off = self._is_doubtful = False

    def cut_off(self, is_cut_off: bool) -> None:
        """Take it that the fleet is not heard, or is again."""
        if is_cut_off != self._is_cut_off:
            self._is_cut_off = is_cut_off
            self._end_aside()

    def _end_aside(self) -> None:
        """Probe at once what was set aside, when there is no more reason to."""
        if self._is_cut_off or self._is_doubtful:
            return
        for one in self.series.values():
            if one.is_aside:
                one.is_aside, one.is_due = False, True
                self._time.at(self._time.now_s, self._probe, one)

    def _is_set_aside(self, one: ProbedSeries, passed: bool) -> bool:
        """Look at a result as the gate does."""
        before, one.passed = one.passed, passed
        if passed:
            if self._is_doubtful:
                self._is_doubtful = False
                self.doubt(False)
                self._end_aside()
            return False
        if not self._is_doubtful and before is not passed:
            witnesses = [other for other in self.series.values() if other.passed and other is not one][:WITNESSES_MAX]
            self._is_doubtful = len(witnesses) >= WITNESSES_MIN and not any(map(self._sees, witnesses))
            if self._is_doubtful:
                self.doubt(True)
        return self._is_doubtful or self._is_cut_off

    def _sees(self, one: ProbedSeries) -> bool:
        return self._world.sees(self._machine, self._region, one.endpoint)

    def changed(self, endpoint: str) -> None:
        """Take it that the truth about an endpoint changed: its next results matter."""
        one = self.series.get(endpoint)
        if one is not None and not one.is_due:
            self._due(one)

    def all_changed(self) -> None:
        """Take it that the truth changed for all of them."""
        for one in self.series.values():
            if not one.is_due:
                self._due(one)

    def _due(self, one: ProbedSeries) -> None:
        now_s, interval_s = self._time.now_s, self._terms.interval_s
        one.is_due = True
        self._time.at(now_s + (one.phase_s - now_s) % interval_s, self._probe, one)

    def _probe(self, one: ProbedSeries) -> None:
        if self.series.get(one.endpoint) is not one:
            return
        passed = self._sees(one)
        takes_s = self._terms.rtt_s if passed else self._terms.timeout_s
        self._time.at(self._time.now_s + takes_s, self._result, one, passed)

    def _result(self, one: ProbedSeries, passed: bool) -> None:
        if self.series.get(one.endpoint) is not one:
            return
        terms = self._terms
        one.is_due = False
        if self._is_set_aside(one, passed):
            one.is_aside = True
            self.set_aside(one)
            if passed != self._sees(one):  # else the next one says the same, until the truth changes
                self._due(one)
            return
        one.is_aside = False
        one.state, one.streak = advance(one.state, one.streak, passed, terms.consecutive_up, terms.consecutive_down)
        self.take(one, passed)
        settled = one.streak >= max(1, terms.consecutive_up) or -one.streak >= max(1, terms.consecutive_down)
        if not settled or passed != self._sees(one):
            self._due(one)
