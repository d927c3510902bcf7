"""What is kept of traffic and health, as rows of words: the words that the table of nodes is made from.

| rows           | from                                                                                       |
|----------------|--------------------------------------------------------------------------------------------|
| of one query   | samples that the history keeps; words say how (SAMPLE_WORDS)                               |
| counts         | the history's cells, or its counters where they tell the words apart (CELL_WORDS): a load  |
|                | balancer's add up to what it answered. Where words are of samples alone, these are counted |
| health         | changes of health (health_then.py), each counting one                                      |
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from graphql import GraphQLError

from lbdns.base.errors import LbdnsError
from lbdns.base.words import Health
from lbdns.health.verdict import pool_word
from lbdns.manage.api.frame.auth import Caller
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.graphql.health_then import HealthHistory
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.node_rows import RowReading
from lbdns.manage.api.graphql.query_execution import QueryContext
from lbdns.manage.api.graphql.row_filter import Row
from lbdns.manage.store.state import State
from lbdns.telemetry.history.history_cells import CellRow
from lbdns.telemetry.history.history_reader import SAMPLES_MAX, HistoryReader
from lbdns.telemetry.history.history_words import MINUTE_S, STEPS
from lbdns.telemetry.samples import SampledDecision, TrafficSample
from lbdns.telemetry.tally import rcode_name

DAY_S: Final = 86_400.0
WINDOW_S: Final = 60.0
"""Samples are read for so long at once, and longer where they are few."""
WINDOW_MAX_S: Final = 3600.0
FEW: Final = 1000
STEPS_OF_SPAN: Final = 1440
"""A span is weighed by the finest steps of which it has at most so many: the history keeps these of it."""
ANSWERED: Final = frozenset({"answer", "fixed response"})
"""What a load balancer's decision came to where nothing was wrong."""

_Word = Callable[[TrafficSample, NodeFacts], Any]


def _decided(value: Callable[[SampledDecision], Any], otherwise: Any = "") -> _Word:
    return lambda sample, facts: otherwise if sample.decision is None else value(sample.decision)


def _balancer_words(sample: TrafficSample) -> tuple[str, str]:
    balancer = sample.decision.load_balancer if sample.decision is not None else None
    return (balancer.name, balancer.view) if balancer is not None else ("", "")


def _zone(sample: TrafficSample, facts: NodeFacts) -> str:
    name, view = _balancer_words(sample)
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
    "zone": _zone,
    "load_balancer": lambda sample, facts: _balancer_words(sample)[0],
    "view": lambda sample, facts: _balancer_words(sample)[1],
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
_OF_POOLS: Final = frozenset({"pool", "time"})
"""The dimensions that pools' counters have."""
_OF_RULES: Final = frozenset({"matched", "with_rule"})


class TrafficKept:
    """What one server keeps, for one query."""

    def __init__(self, reader: HistoryReader, facts: NodeFacts, health: HealthHistory) -> None:
        self._reader = reader
        self._facts = facts
        self._health = health

    # --- rows ---

    def rows(self, reading: RowReading, newest_first: bool) -> Iterable[Row]:
        """Yield rows in the order of time; raises GraphQLError where the history cannot be read."""
        if reading.since_s >= reading.until_s:
            return ()
        if reading.data == "health":
            found = list(self._health.rows(reading.zone_id, reading.since_s, reading.until_s))
            return found[::-1] if newest_first else found
        return self._sampled(reading, newest_first)

    def _sampled(self, reading: RowReading, newest_first: bool) -> Iterator[Row]:
        made = self._maker(reading)
        for sample in self._samples(reading.since_s, reading.until_s, newest_first):
            row = made(sample)
            if row is not None:
                yield row

    def _maker(self, reading: RowReading) -> Callable[[TrafficSample], Row | None]:
        """Return what makes a sample a row; None where it is not looked for."""
        words = [(word, SAMPLE_WORDS[word]) for word in reading.words | {"time", "interval"}]
        wanted = [(SAMPLE_WORDS[word], values) for word, values in reading.where.items() if word in SAMPLE_WORDS]
        zone_id, facts, is_steered = reading.zone_id, self._facts, reading.data == "steered"

        def made(sample: TrafficSample) -> Row | None:
            if is_steered and not _balancer_words(sample)[0]:
                return None
            if zone_id and _zone(sample, facts) != zone_id:
                return None
            if not all(of(sample, facts) in values for of, values in wanted):
                return None
            return {word: of(sample, facts) for word, of in words}

        return made

    def _samples(self, since_s: float, until_s: float, newest_first: bool) -> Iterator[TrafficSample]:
        with _told():
            kept_since = self._reader.status()["samples"]["since"]
        if kept_since is None:
            return
        since_s = max(since_s, kept_since)
        width_s = WINDOW_S
        while since_s < until_s:
            edge_s = max(until_s - width_s, since_s) if newest_first else min(since_s + width_s, until_s)
            first_s, last_s = (edge_s, until_s) if newest_first else (since_s, edge_s)
            with _told():
                found = self._reader.samples(first_s, last_s, SAMPLES_MAX)
            yield from found if newest_first else reversed(found)
            since_s, until_s = (since_s, edge_s) if newest_first else (edge_s, until_s)
            if len(found) < FEW:
                width_s = min(2 * width_s, WINDOW_MAX_S)

    # --- counts ---

    def step_s(self, reading: RowReading) -> int:
        """Return of how many seconds the rows of `counts` are: 1 where each has the time of what it counts."""
        return MINUTE_S if self._is_of_cells(reading) else 1

    def _is_of_cells(self, reading: RowReading) -> bool:
        """Whether the history's cells tell the words apart; they know no zones of queries without a load balancer."""
        if reading.data == "health" or (reading.data == "answered" and reading.zone_id):
            return False
        known = {*CELL_WORDS, *_OF_RULES} | ({"zone", "pool_rtt_ms"} if reading.data == "steered" else set())
        return reading.words <= known

    def counts(self, reading: RowReading, step_s: int) -> Iterable[Row]:
        """Yield rows with their counts; raises GraphQLError where the history cannot be read."""
        if reading.since_s >= reading.until_s:
            return ()
        if reading.data == "health":
            return ({**row, "count": 1, "samples": 1, "inexact": 0} for row in self.rows(reading, False))
        if not self._is_of_cells(reading):
            return self._weighed(reading)
        if "rule" in reading.words:
            return self._by_rule(reading, step_s)
        return self._cells(reading, step_s)

    def _weighed(self, reading: RowReading) -> Iterator[Row]:
        """Yield samples, each with what it stands for: its share of what the counters have of its load balancer, or of
        what none answered, in its minute (or what is kept of it). In a burst fewer are written than intervals say."""
        span_s = reading.until_s - reading.since_s
        step_s = next((step_s for step_s in STEPS if span_s <= step_s * STEPS_OF_SPAN), STEPS[-1])
        since_s = reading.since_s // step_s * step_s
        until_s = -(-reading.until_s // step_s) * step_s
        made = self._maker(reading)
        weights: dict[tuple[int, str, str], float] = {}
        rows: list[tuple[tuple[int, str, str], Row]] = []
        for sample in self._samples(since_s, until_s, True):
            key = (int(sample.unix_ns // 1_000_000_000 // step_s * step_s), *_balancer_words(sample))
            weights[key] = weights.get(key, 0.0) + sample.interval
            row = made(sample)
            if row is not None:
                rows.append((key, row))
        counted = self._counters(since_s, until_s, step_s) if rows else {}
        for key, row in rows:
            count = row["interval"] / weights[key] * counted.get(key, weights[key])
            yield {**row, "count": count, "samples": 1, "inexact": count if count > 1 else 0}

    def _counters(self, since_s: float, until_s: float, step_s: int) -> dict[tuple[int, str, str], float]:
        """Return what each load balancer answered in each step, and under "" what none did."""
        with _told():
            every = self._reader.cells(since_s, until_s, ("time",), None, step_s)
            steered = self._reader.cells(since_s, until_s, ("time", "load_balancer", "view"), None, step_s)
        found = {(int(str(cell.dimensions["time"])), *_balancer_in(cell)): float(cell.count) for cell in steered}
        for cell in every:
            found[int(str(cell.dimensions["time"])), "", ""] = float(cell.count)
        for (at_s, name, _), count in list(found.items()):
            if name and (at_s, "", "") in found:
                found[at_s, "", ""] -= count
        return found

    def _cells(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        words = (reading.words - _OF_RULES) | ({"load_balancer", "view"} if reading.data == "steered" else set())
        made = {word: CELL_WORDS[word] for word in words if word in CELL_WORDS}
        more = {"pool", "time"} if "pool_rtt_ms" in words else set()
        by = sorted({dimension for dimensions, _ in made.values() for dimension in dimensions} | more)
        for cell in self._counted(reading, by, step_s):
            values = cell.dimensions
            row = {word: make(*(values[name] for name in names)) for word, (names, make) in made.items()}
            if reading.data == "steered":
                if not row["load_balancer"]:
                    continue  # no load balancer answered these
                row["zone"] = self._facts.balancer_zone(row["load_balancer"], row["view"])
                if reading.zone_id and row["zone"] != reading.zone_id:
                    continue
            if "pool_rtt_ms" in words:
                row["pool_rtt_ms"] = round(self._health.rtt_ms(str(values["pool"]), float(str(values["time"]))) or 0)
            inexact, samples = (0, cell.count) if cell.exact else (cell.count, cell.samples)
            yield {**row, "count": cell.count, "samples": samples, "inexact": inexact}

    def _counted(self, reading: RowReading, by: Sequence[str], step_s: int) -> Iterator[CellRow]:
        """Yield the history's counts by some dimensions. Those of a pool that one load balancer alone has are exact, as
        the pool's counter has them."""
        where = self._where(reading, by)
        with _told():
            found = self._reader.cells(reading.since_s, reading.until_s, by, where, step_s)
        if not {"pool"} < set(by) <= {"load_balancer", "view", "pool", "time"}:
            yield from found
            return
        owners: dict[str, tuple[str, str] | None] = {}
        for cell in found:
            pool, balancer = str(cell.dimensions["pool"]), _balancer_in(cell)
            is_own = self._facts.pool_owner(pool) == balancer == owners.get(pool, balancer)
            owners[pool] = balancer if is_own else None
        yield from (cell for cell in found if owners[str(cell.dimensions["pool"])] is None)
        own = {pool: owner for pool, owner in owners.items() if owner is not None}
        of_pools, where = [one for one in by if one in _OF_POOLS], {"pool": frozenset(own)}
        with _told():
            exact = self._reader.cells(reading.since_s, reading.until_s, of_pools, where, step_s)
        for cell in exact:
            name, view = own[str(cell.dimensions["pool"])]
            yield replace(cell, dimensions={**cell.dimensions, "load_balancer": name, "view": view})

    def _where(self, reading: RowReading, by: Iterable[str]) -> dict[str, frozenset[str]]:
        """Return what the history need look for alone; by dimensions that are asked for, lest it be exact no more."""
        return {
            word: values
            for word, values in reading.where.items()
            if word in by and CELL_WORDS.get(word) == ((word,), str)
        }

    def _by_rule(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        """Yield a row for each rule of each load balancer: what matched, beside all that it answered."""
        beside = reading.words - {"rule"} - _OF_RULES
        matched: dict[tuple[Any, ...], dict[str, float]] = {}
        rules: dict[tuple[str, str], set[str]] = {}
        key_words = sorted(beside | {"load_balancer", "view"})
        where = {word: values for word, values in reading.where.items() if word != "rule"}
        every = reading._replace(where=where)
        for row in self._cells(every._replace(words=beside | {"rule"}), step_s):
            if row["rule"]:
                matched.setdefault(tuple(row[word] for word in key_words), {})[row["rule"]] = row["count"]
                rules.setdefault((row["load_balancer"], row["view"]), set()).add(row["rule"])
        for row in self._cells(every._replace(words=beside), step_s):
            found = matched.get(tuple(row[word] for word in key_words), {})
            balancer = row["load_balancer"], row["view"]
            for rule in sorted(rules.get(balancer, set()) | self._facts.rules(*balancer)):
                count = found.get(rule, 0)
                yield {**row, "rule": rule, "count": count, "matched": count, "with_rule": row["count"]}


def _balancer_in(cell: CellRow) -> tuple[str, str]:
    return str(cell.dimensions["load_balancer"]), str(cell.dimensions["view"])


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Have what goes wrong with the history told as an error of the query."""
    try:
        yield
    except LbdnsError as error:
        raise GraphQLError(str(error)) from error


def context_of(site: ApiSite, caller: Caller) -> QueryContext:
    """Return what a caller's query is answered from."""
    state: State = site.state
    reader = HistoryReader(site.settings.state_dir())
    health = HealthHistory(site, state, reader)
    facts = NodeFacts(state, health)
    history = site.in_force.history
    return QueryContext(
        scopes=caller.scopes,
        account_id=site.account_id,
        state=state,
        facts=facts,
        kept=TrafficKept(reader, facts, health),
        kept_s=history.days * DAY_S,
        enabled=history.enabled,
    )
