"""One machine: its clocks, its probes, its judge, and its disk; it is killed and started with what lay there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from tests.fleet.simulation.judge import EVERYBODY, Judge, Published
from tests.fleet.simulation.virtual_clocks import VirtualClocks
from tests.fleet.simulation.virtual_network import VirtualNetwork
from tests.fleet.simulation.virtual_prober import ProbedSeries, VirtualProber
from tests.fleet.simulation.virtual_time import VirtualTime

SOON_S: Final = 0.001
"""A tick comes so much after it is due: clocks are read in steps."""

MakeJudge = Callable[[str, object, float, float], Judge]
"""Makes the judge of a machine from its name, what lay on its disk (None: nothing), and its two clocks."""


class SimulatedMachine:
    """One of a fleet; `published` is told its verdicts, `hearers` are those who hear what it tells everybody."""

    def __init__(
        self,
        name: str,
        time: VirtualTime,
        network: VirtualNetwork,
        clocks: VirtualClocks,
        prober: VirtualProber,
        make_judge: MakeJudge,
        others: Mapping[str, SimulatedMachine],
        hearers: Sequence[SimulatedMachine],
        published: Callable[[str, Published], None],
    ) -> None:
        self.name = name
        self.clocks = clocks
        self.prober = prober
        prober.take = self._take_result
        prober.set_aside = self._set_aside
        prober.doubt = self._doubt
        self.judge: Judge | None = None
        self.disk: object = None
        self._due_s = float("inf")
        self._checks: Iterable[str] | None = None
        self._time = time
        self._network = network
        self._make_judge = make_judge
        self._others = others
        self._hearers = hearers
        self._published = published

    def start(self) -> None:
        """Start with what lies on the disk."""
        self.clocks.boot()
        judge = self.judge = self._make_judge(self.name, self.disk, self.clocks.monotonic_s(), self.clocks.wall_s())
        self._due_s = float("inf")
        self._settle(judge)

    def kill(self) -> None:
        """End it, wherever it stands."""
        if self.judge is not None:
            self.disk = self.judge.kept(self.clocks.monotonic_s(), self.clocks.wall_s())
        self.judge = self._checks = None
        self.prober.stop()

    def _take_result(self, series: ProbedSeries, passed: bool) -> None:
        """Take a result of its probes."""
        if self.judge is not None:
            self.judge.result(series, passed, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(self.judge)

    def _set_aside(self, series: ProbedSeries) -> None:
        if self.judge is not None:
            self.judge.set_aside(series, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(self.judge)

    def _doubt(self, is_doubtful: bool) -> None:
        if self.judge is not None:
            self.judge.doubt(is_doubtful, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(self.judge)

    def order(self, pattern: str, state: str, why: str) -> None:
        """Take an operator's order."""
        if self.judge is not None:
            self.judge.order(pattern, state, why, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(self.judge)

    def _tick(self, judge: Judge, due_s: float) -> None:
        if self.judge is not judge or due_s != self._due_s:
            return
        self._due_s = float("inf")
        judge.tick(self.clocks.monotonic_s(), self.clocks.wall_s())
        self._settle(judge)

    def _schedule(self, judge: Judge) -> None:
        due_s = max(self.clocks.true_s(judge.next_due_s), self._time.now_s) + SOON_S
        if due_s < self._due_s:
            self._due_s = due_s
            self._time.repeat_at(due_s, self._tick, judge, due_s)

    def hear_beats(self, beats: Iterable[Any]) -> None:
        """Take heartbeats of many machines at once."""
        if self.judge is not None:
            self.judge.hear_beats(beats, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(self.judge)

    def _take(self, sender: str, subject: str, data: Any) -> None:
        judge = self.judge
        if judge is not None:
            judge.take(sender, subject, data, self.clocks.monotonic_s(), self.clocks.wall_s())
            self._settle(judge)

    def _settle(self, judge: Judge) -> None:
        sent, published = judge.said()
        checks = judge.checks
        if checks is not self._checks:
            self._checks = checks
            self.prober.assign(checks)
        self.prober.cut_off(judge.is_cut_off)
        for verdict in published:
            self._published(self.name, verdict)
        for message in sent:
            for other in self._hearers if message.to == EVERYBODY else (self._others[message.to],):
                if other is not self:
                    arguments: tuple[Any, ...] = (self.name, message.subject, message.data)
                    self._network.send(self.name, other.name, message.repeats, other._take, *arguments)
        self._schedule(judge)
