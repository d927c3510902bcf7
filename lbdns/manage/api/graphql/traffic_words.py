"""The words of rows, and what each is of a sample and of a cell of the history; what samples stand for together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lbdns.base.words import Health
from lbdns.health.verdict import pool_word
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.row_filter import Row
from lbdns.telemetry.samples import SampledDecision, TrafficSample
from lbdns.telemetry.tally import rcode_name

ANSWERED: Final = frozenset({"answer", "fixed response"})
"""What a load balancer's decision came to where nothing was wrong."""

_Word = Callable[[TrafficSample, NodeFacts], Any]


def _decided(value: Callable[[SampledDecision], Any], otherwise: Any = "") -> _Word:
    return lambda sample, facts: otherwise if sample.decision is None else value(sample.decision)


def balancer_words(sample: TrafficSample) -> tuple[str, str]:
    """Return the name and view of the load balancer that answered; "" where none did."""
    balancer = sample.decision.load_balancer if sample.decision is not None else None
    return (balancer.name, balancer.view) if balancer is not None else ("", "")


def zone_of(sample: TrafficSample, facts: NodeFacts) -> str:
    """Return the id of the zone that a query is of."""
    name, view = balancer_words(sample)
    return facts.balancer_zone(name, view) if name else facts.name_zone(sample.name, sample.view)


def _endpoints(decision: SampledDecision) -> tuple[str, ...]:
    return tuple(key[1] for key in decision.endpoints)


def _is_up(word: str) -> int:
    """Tell whether a pool of a state is healthy, 0 or 1: one that nobody looks after is."""
    return int(word not in (Health.CRITICAL, Health.UNRESOLVED))


def _error(outcome: str) -> str:
    return "" if outcome in ANSWERED else outcome


SAMPLE_WORDS: Final[Mapping[str, _Word]] = {
    "time": lambda sample, facts: sample.unix_ns / 1e9,
    "interval": lambda sample, facts: sample.interval,
    "zone": zone_of,
    "load_balancer": lambda sample, facts: balancer_words(sample)[0],
    "view": lambda sample, facts: balancer_words(sample)[1],
    "region": lambda sample, facts: sample.region,
    "pop": lambda sample, facts: sample.pop,
    "pool": _decided(lambda one: one.pool),
    "pool_position": _decided(lambda one: one.pool_position or 0, 0),
    "pool_up": _decided(lambda one: _is_up(pool_word(one.pool_state)), 0),
    "pool_rtt_ms": _decided(lambda one: round(one.rtt_ms or 0), 0),
    "endpoints": _decided(_endpoints, ()),
    "endpoint": _decided(lambda one: (_endpoints(one) or ("",))[0]),
    "endpoint_count": _decided(lambda one: one.endpoint_count, 0),
    "error": _decided(lambda one: _error(one.outcome)),
    "qname": lambda sample, facts: sample.name.removesuffix("."),
    "qtype": lambda sample, facts: sample.type,
    "rcode": lambda sample, facts: rcode_name(sample.rcode),
    "transport": lambda sample, facts: sample.transport,
    "ip_version": lambda sample, facts: sample.resolver.version if sample.resolver is not None else 0,
    "resolver_network": lambda sample, facts: str(sample.resolver or ""),
}
"""What each word is of a sample."""

CELL_WORDS: Final[Mapping[str, tuple[tuple[str, ...], Callable[..., Any]]]] = {
    "load_balancer": (("load_balancer",), str),
    "view": (("view",), str),
    "region": (("region",), str),
    "pop": (("pop",), str),
    "pool": (("pool",), str),
    "pool_up": (("pool_state",), _is_up),
    "endpoints": (("endpoints",), tuple),
    "endpoint": (("endpoints",), lambda names: names[0] if names else ""),
    "endpoint_count": (("endpoints",), len),
    "error": (("reason",), _error),
    "rule": (("rule",), str),
    "qtype": (("qtype",), str),
    "rcode": (("rcode",), str),
    "time": (("time",), int),
}
"""What each word is of the dimensions of a cell."""

BalancerStep = tuple[int, str, str]
"""When a step of time begins (unix seconds), and a load balancer's name and view: "" for what none answered."""


class WeighedSamples:
    """Samples, each with its share of all those of its load balancer in its step of time.

    What it stands for is that share of what the counters have: in a burst fewer are written than intervals say.
    """

    def __init__(self, step_s: int) -> None:
        """Begin without any; `step_s`: how long a step is."""
        self.weights: dict[BalancerStep, float] = {}
        self._step_s = step_s
        self._rows: list[tuple[BalancerStep, Row]] = []

    def add(self, sample: TrafficSample, row: Row | None) -> None:
        """Take a sample; `row` is what it is shown as, None where it is not looked for."""
        key = (sample.unix_ns // 1_000_000_000 // self._step_s * self._step_s, *balancer_words(sample))
        self.weights[key] = self.weights.get(key, 0.0) + sample.interval
        if row is not None:
            self._rows.append((key, row))

    def rows(self, counted: Mapping[BalancerStep, float]) -> Iterator[Row]:
        """Yield the rows with what they stand for, by what the counters have."""
        for key, row in self._rows:
            count = row["interval"] / self.weights[key] * counted.get(key, self.weights[key])
            yield {**row, "count": count, "samples": 1, "inexact": count if count > 1 else 0}
