"""What is seen of the servers of a soak every few seconds, and what comes of it: slopes, and a verdict."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.disturbing import Chronicle, Happening
from tests.strain.asking import PIPELINED, Tally, Wrong
from tests.strain.process_tree import Process, size_kib
from tests.strain.subject import Subject
from tests.strain.truth import ROADS, TCP

HOUR_S = 3600.0
WARM_UP_S = 300.0
"""What a process holds in this time after it was first seen says nothing of leaks: caches fill."""
JUDGED_S = 1200.0
"""A process is judged by what it holds where it was seen for so long after that."""
TOLD_EVERY = 12  # samples
CPU_S = 0.5  # the shortest time over which use of the processor is counted: it is told in hundredths of a second
LOSS_BEFORE_S, LOSS_AFTER_S = 3.0, 1.0
"""A query over TCP counts as one whose connection ended with a responder where it was sent in this time around that."""
POINTS_MAX = 400  # of one process's line, for the slope between each two of them

OWN_KIB_PER_HOUR, OWN_SHARE_PER_HOUR = 4096, 0.05
DESCRIPTORS_PER_HOUR = THREADS_PER_HOUR = 2.0
SHARED_KIB_PER_HOUR = 2048
LOG_LINES_PER_HOUR = 20_000


@dataclass(slots=True)
class Sample:
    """One look at one server; times in seconds since the soak began, latencies in milliseconds, sizes in KiB."""

    server: str
    at_s: float
    processes: list[Process]
    latencies_ms: dict[str, list[float]]
    """By road: median, 99th percentile, slowest; none where nothing was answered."""
    answered: int
    lost: int
    wrong: int
    log_lines: int
    run_kib: int
    state_kib: int
    cpu_percent: dict[str, float] = field(default_factory=dict)
    """Of one core, by role."""


class Record:
    """All samples, in memory and as JSON lines in a file."""

    def __init__(self, path: Path) -> None:
        """Begin to write to `path`."""
        self.samples: list[Sample] = []
        self.tallies: dict[str, Tally] = {}
        self._began_s = time.monotonic()
        self._file = path.open("w", buffering=1)
        self._before: dict[str, tuple[float, dict[int, float]]] = {}

    def since_start_s(self, monotonic_s: float) -> float:
        """Return a monotonic time as seconds since the soak began."""
        return monotonic_s - self._began_s

    def look(self, subject: Subject) -> Sample:
        """Take a sample of a server."""
        tally = subject.asker.take()
        self.tallies.setdefault(subject.name, Tally()).add(tally)
        found = subject.processes()
        sample = Sample(
            server=subject.name,
            at_s=round(self.since_start_s(time.monotonic()), 3),
            processes=found,
            latencies_ms={road: _quantiles(tally.latencies_s[road]) for road in ROADS},
            answered=sum(map(len, tally.latencies_s.values())),
            lost=len(tally.lost),
            wrong=tally.counts["wrong"],
            log_lines=subject.server.log.count("\n"),
            run_kib=size_kib(subject.server.run_directory),
            state_kib=size_kib(subject.server.state_dir),
            cpu_percent=self._cpu(subject.name, found),
        )
        self.samples.append(sample)
        self._file.write(json.dumps(asdict(sample)) + "\n")
        return sample

    def _cpu(self, name: str, found: Sequence[Process]) -> dict[str, float]:
        """Return the share of a core by role since the last look, of processes that are there in both."""
        now_s = time.monotonic()
        before_s, used = self._before.get(name, (now_s, {}))
        if used and now_s - before_s < CPU_S:
            return {}
        self._before[name] = (now_s, {one.pid: one.cpu_s for one in found})
        by_role: Counter[str] = Counter()
        for one in found:
            if one.pid in used and now_s > before_s:
                by_role[one.role] += 100.0 * (one.cpu_s - used[one.pid]) / (now_s - before_s)  # type: ignore[assignment]
        return {role: round(share, 2) for role, share in by_role.items()}

    def of(self, server: str) -> list[Sample]:
        """Return a server's samples."""
        return [one for one in self.samples if one.server == server]

    def close(self) -> None:
        """Write no more."""
        self._file.close()


def _quantiles(latencies_s: Sequence[float]) -> list[float]:
    if not latencies_s:
        return []
    return [round(1000.0 * float(one), 3) for one in np.quantile(latencies_s, (0.5, 0.99, 1.0))]


def slope_per_hour(points: Iterable[tuple[float, float]]) -> float:
    """Return the median slope between any two points (Theil and Sen), in units an hour: one jump is no leak."""
    held = list(points)
    held = held[:: max(1, len(held) // POINTS_MAX)]
    x, y = (np.array(one) for one in zip(*held, strict=True))
    first, second = np.triu_indices(len(held), 1)
    apart = x[second] - x[first]
    return float(np.median((y[second] - y[first])[apart > 0] / apart[apart > 0]) * HOUR_S)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One thing that must hold, and whether it does."""

    what: str
    holds: bool
    text: str


def lives(samples: Sequence[Sample]) -> dict[int, list[tuple[float, Process]]]:
    """Return what was seen of each process, by pid, behind its warm-up."""
    seen: dict[int, list[tuple[float, Process]]] = {}
    for sample in samples:
        for one in sample.processes:
            seen.setdefault(one.pid, []).append((sample.at_s, one))
    return {
        pid: [(at_s, one) for at_s, one in points if at_s - points[0][0] >= WARM_UP_S] for pid, points in seen.items()
    }


MEASURES: dict[str, tuple[Callable[[Process], float], Callable[[float], float]]] = {
    "own memory, KiB": (lambda one: one.own_kib, lambda mean: max(OWN_KIB_PER_HOUR, OWN_SHARE_PER_HOUR * mean)),
    "descriptors": (lambda one: one.descriptors, lambda _: DESCRIPTORS_PER_HOUR),
    "threads": (lambda one: one.threads, lambda _: THREADS_PER_HOUR),
}
"""What a process may not hold more and more of: how it is read, and by how much an hour it may rise at a mean value."""


def judge_growth(server: str, samples: Sequence[Sample]) -> list[Judgement]:
    """Hold what each process held against the bounds of MEASURES."""
    judged = []
    for pid, points in lives(samples).items():
        if not points or points[-1][0] - points[0][0] < JUDGED_S:
            continue
        role = points[0][1].role
        for name, (read, bound) in MEASURES.items():
            values = [(at_s, read(one)) for at_s, one in points]
            slope, limit = slope_per_hour(values), bound(statistics.fmean(value for _, value in values))
            text = f"{values[0][1]:.0f} -> {values[-1][1]:.0f}, {slope:+.1f} an hour (at most {limit:.0f})"
            judged.append(Judgement(f"{server}: {role} {pid}: {name}", slope <= limit, text))
    kept = [(one.at_s, float(one.run_kib)) for one in samples if one.at_s >= WARM_UP_S]
    if kept and kept[-1][0] - kept[0][0] >= JUDGED_S:
        slope = slope_per_hour(kept)
        text = f"{kept[0][1]:.0f} -> {kept[-1][1]:.0f}, {slope:+.1f} an hour (at most {SHARED_KIB_PER_HOUR})"
        judged.append(Judgement(f"{server}: shared memory, KiB", slope <= SHARED_KIB_PER_HOUR, text))
    return judged


def judge(record: Record, chronicle: Chronicle, subjects: Sequence[Subject]) -> list[Judgement]:
    """Return everything that must hold of a soak."""
    judged = []
    for subject in subjects:
        samples, tally = record.of(subject.name), record.tallies[subject.name]
        happenings = [one for one in chronicle.happenings if one.server == subject.name]
        judged += judge_answers(subject.name, samples, tally, happenings)
        log = subject.server.log
        faults = log.count("Traceback (most recent call last)")
        judged.append(Judgement(f"{subject.name}: tracebacks in the log", not faults, str(faults)))
        lines = samples[-1].log_lines / max(samples[-1].at_s, 60.0) * HOUR_S
        judged.append(Judgement(f"{subject.name}: log lines an hour", lines <= LOG_LINES_PER_HOUR, f"{lines:,.0f}"))
        judged += judge_growth(subject.name, samples)
    failed = [one for one in chronicle.happenings if one.failed]
    text = "; ".join(f"{one.server}: {one.what}: {one.failed}" for one in failed[:5]) or str(len(chronicle.happenings))
    judged.append(Judgement("what was done could be done", not failed, text))
    return judged


def judge_answers(
    server: str, samples: Sequence[Sample], tally: Tally, happenings: Sequence[Happening]
) -> list[Judgement]:
    """Hold what was answered, lost and wrong against what may be."""
    answered = sum(one.answered for one in samples)
    ending = [one for one in happenings if one.breaks_connections]

    def ended(sent_s: float, road: str) -> bool:
        """Whether a connection that a query came by may have ended with its responder."""
        return road == TCP and any(
            one.began_s - LOSS_BEFORE_S <= sent_s <= one.ended_s + LOSS_AFTER_S for one in ending
        )

    lost = [(road, question) for sent_s, road, question in tally.lost if not ended(sent_s, road)]
    with_connections, most = len(tally.lost) - len(lost), len(ending) * PIPELINED
    roads = Counter(f"{road} {question}" for road, question in lost).most_common(3)
    return [
        Judgement(f"{server}: answered", answered > 0, f"{answered:,}"),
        Judgement(
            f"{server}: wrong answers",
            not tally.counts["wrong"],
            f"{tally.counts['wrong']}{_first_wrong(tally.wrong)}",
        ),
        Judgement(
            f"{server}: lost",
            not lost,
            f"{len(lost)}{''.join(f'; {count} of {what}' for what, count in roads)}",
        ),
        Judgement(
            f"{server}: lost with TCP connections to responders that were killed or stopped ({len(ending)})",
            with_connections <= most,
            f"{with_connections} (at most {most})",
        ),
    ]


def _first_wrong(wrong: Sequence[Wrong]) -> str:
    return f"; the first: {wrong[0].question}: {wrong[0].text}" if wrong else ""


def as_json(judged: Sequence[Judgement], chronicle: Chronicle, record: Record) -> dict[str, Any]:
    """Return the summary for programs."""
    return {
        "holds": all(one.holds for one in judged),
        "judgements": [asdict(one) for one in judged],
        "happenings": [
            asdict(one) | {"began_s": record.since_start_s(one.began_s), "ended_s": record.since_start_s(one.ended_s)}
            for one in chronicle.happenings
        ],
        "lost": {
            name: [(record.since_start_s(sent_s), road, question) for sent_s, road, question in tally.lost]
            for name, tally in record.tallies.items()
        },
        "wrong": {name: [asdict(one) for one in tally.wrong] for name, tally in record.tallies.items()},
    }
