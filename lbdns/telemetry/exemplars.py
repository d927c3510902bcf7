"""Exemplars: of the busiest load balancers, pools and rules, one decision that was counted, as samples have it.

An exemplar's labels say which sample it is (`sample`: the writer and its number, as the API's samples have them), whose
network it was for (`client`, cut, where that is kept), and the other names of the decision. OpenMetrics 1.0 allows them
128 characters together: what does not fit is left out, the last first.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.view_names import labelled
from lbdns.telemetry.metrics import ServerCollector
from lbdns.telemetry.samples import SampledDecision, SampleReader, TrafficSample

BUSIEST: Final = 20
"""Of each family, so many have an exemplar."""
CHARS_MAX: Final = 128
"""Of the names and values of an exemplar's labels (OpenMetrics 1.0, "Exemplars")."""
FAMILIES: Final = {
    "lbdns_decisions": ("load_balancer", "type"),
    "lbdns_pool_answers": ("pool",),
    "lbdns_rule_hits": ("load_balancer", "type", "rule"),
}
"""The families that have exemplars, and what tells their members apart."""
BY_RESPONDERS: Final = frozenset(
    f"lbdns_{name}"
    for name in (
        "queries",
        "responses",
        "responses_by_path",
        "queries_by_type",
        "location_source",
        "batch_seconds",
        "deferred",
        "dropped",
        "overflows",
        "send_errors",
    )
)
"""What responders count: it begins with the run directory, and outlives who counts."""
BY_SUPERVISOR: Final = frozenset(
    f"lbdns_{name}" for name in ("worker_restarts", "worker_hangs", "reloads", "reload_failures")
)
"""What the supervisor counts: it begins with each."""

Key = tuple[str, ...]


class Exemplars:
    """The last sample of each member of each family; scrapes share it."""

    def __init__(self, run: RunDirectory) -> None:
        """Read the samples of a server's threads."""
        self._reader = SampleReader(run)
        self._lock = threading.Lock()
        self._last: dict[str, dict[Key, Exemplar]] = {family: {} for family in FAMILIES}

    def look(self) -> None:
        """Take what was sampled since the last call."""
        with self._lock:
            for sample in self._reader.read().samples:
                if sample.decision is not None and sample.decision.load_balancer is not None:
                    self._take(sample, sample.decision)

    def _take(self, sample: TrafficSample, decision: SampledDecision) -> None:
        balancer = decision.load_balancer
        assert balancer is not None, "whose decision it was is known"
        name = labelled(balancer.name, balancer.view)
        rule = decision.rules[0] if decision.rules else ""
        about = {"load_balancer": name, "type": balancer.type, "pool": decision.pool, "rule": rule}
        keys: list[tuple[str, Key]] = [("lbdns_decisions", (name, balancer.type))]
        if decision.pool:
            keys.append(("lbdns_pool_answers", (decision.pool,)))
        keys += [("lbdns_rule_hits", (name, balancer.type, one)) for one in decision.rules]
        for family, key in keys:
            labels = _labels(sample, {word: one for word, one in about.items() if word not in FAMILIES[family]})
            self._last[family][key] = Exemplar(labels, 1.0, sample.unix_ns / 1e9)

    def of(self, family: str, busiest: Iterable[Key]) -> Mapping[Key, Exemplar]:
        """Return the exemplars of some members, and forget those of all others."""
        with self._lock:
            kept = {key: self._last[family][key] for key in busiest if key in self._last[family]}
            self._last[family] = dict(kept)
        return kept


def _labels(sample: TrafficSample, about: Mapping[str, str]) -> dict[str, str]:
    client = sample.ecs or sample.resolver
    wanted = {"sample": f"{sample.writer}:{sample.number}", "client": str(client) if client else "", **about}
    labels: dict[str, str] = {}
    chars = 0
    for word, value in wanted.items():
        chars += len(word) + len(value)
        if chars > CHARS_MAX:
            break
        if value:
            labels[word] = value
    return labels


class OpenMetricsCollector(Collector):
    """The metrics as OpenMetrics has them: with exemplars, and since when the server's own counters count.

    Counters of load balancers, pools and endpoints say nothing of that: their names come and go.
    """

    def __init__(self, plain: ServerCollector, exemplars: Exemplars, began: Callable[[], Mapping[str, float]]) -> None:
        """Show what `plain` does; `began`: since when counters count, by family, in unix seconds."""
        self._plain = plain
        self._exemplars = exemplars
        self._began = began

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families."""
        with contextlib.suppress(OSError):  # a run directory that is just being made anew
            self._exemplars.look()
        began = self._began()
        for family in self._plain.collect():
            if family.name in FAMILIES:
                family.samples = self._with_exemplars(family)
            elif family.name in began:
                family.samples = list(_with_created(family, began[family.name]))
            yield family

    def _with_exemplars(self, family: Metric) -> list[Sample]:
        words = FAMILIES[family.name]
        keys = [tuple(one.labels[word] for word in words) for one in family.samples]
        ranked = sorted(range(len(keys)), key=lambda place: -family.samples[place].value)
        found = self._exemplars.of(family.name, [keys[place] for place in ranked[:BUSIEST]])
        return [
            one._replace(exemplar=found[key]) if key in found else one
            for key, one in zip(keys, family.samples, strict=True)
        ]


def _with_created(family: Metric, created: float) -> Iterator[Sample]:
    """Yield the samples of a family, behind each member's since when it counts."""
    last = len(family.samples) - 1
    for place, one in enumerate(family.samples):
        yield one
        if family.type == "counter" or place == last:
            labels = one.labels if family.type == "counter" else {}
            yield Sample(f"{family.name}_created", labels, created, None, None)


def counting_since(counting_s: float, started_s: float) -> dict[str, float]:
    """Return since when the server's own counters count, by family: 0 for one that is not known, which is left out."""
    found = dict.fromkeys(BY_RESPONDERS, counting_s) | dict.fromkeys(BY_SUPERVISOR, started_s)
    return {family: since_s for family, since_s in found.items() if since_s}
