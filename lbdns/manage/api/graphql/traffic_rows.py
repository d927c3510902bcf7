"""What is kept of traffic and health, as rows of words: the words that the table of nodes is made from.

| rows           | from                                                                                       |
|----------------|--------------------------------------------------------------------------------------------|
| of one query   | samples that the history keeps; traffic_words.py says how                                  |
| counts         | the history's cells, or its counters where they tell the words apart (CELL_WORDS): a load  |
|                | balancer's add up to what it answered. Where words are of samples alone, these are counted |
| health         | changes of health (health_then.py), each counting one                                      |
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from graphql import GraphQLError

from lbdns.base.errors import LbdnsError
from lbdns.manage.api.frame.auth import Caller
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.graphql.health_then import HealthHistory
from lbdns.manage.api.graphql.node_facts import NodeFacts
from lbdns.manage.api.graphql.node_rows import RowReading
from lbdns.manage.api.graphql.query_bounds import Work
from lbdns.manage.api.graphql.query_execution import QueryContext
from lbdns.manage.api.graphql.row_filter import Row
from lbdns.manage.api.graphql.traffic_words import (
    CELL_WORDS,
    SAMPLE_WORDS,
    BalancerStep,
    WeighedSamples,
    balancer_words,
    zone_of,
)
from lbdns.manage.store.state import State
from lbdns.telemetry.history.history_cells import CellRow
from lbdns.telemetry.history.history_reader import SAMPLES_MAX, HistoryReader
from lbdns.telemetry.history.history_words import MINUTE_S, STEPS
from lbdns.telemetry.samples import TrafficSample

DAY_S: Final = 86_400.0
WINDOW_S: Final = 60.0
"""Samples are read for so long at once, and longer where they are few."""
WINDOW_MAX_S: Final = 3600.0
FEW: Final = 1000
STEPS_OF_SPAN: Final = 1440
"""A span is weighed by the finest steps of which it has at most so many: the history keeps these of it."""
_OF_POOLS: Final = frozenset({"pool", "time"})
"""The dimensions that pools' counters have."""
_OF_RULES: Final = frozenset({"matched", "with_rule"})


class TrafficKept:
    """What one server keeps, for one query."""

    def __init__(self, reader: HistoryReader, facts: NodeFacts, health: HealthHistory, work: Work) -> None:
        self._reader = reader
        self._facts = facts
        self._health = health
        self._work = work

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
            if is_steered and not balancer_words(sample)[0]:
                return None
            if zone_id and zone_of(sample, facts) != zone_id:
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
            for sample in found if newest_first else reversed(found):
                self._work.row()
                yield sample
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
        return self._by_minutes(reading, step_s)

    def _by_minutes(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        """Yield what whole minutes have, and of those that the span cuts what the samples within it stand for; where
        none are kept outside of it, these are whole as well."""
        since_s, until_s = reading.since_s, reading.until_s
        first_s, last_s = since_s // MINUTE_S * MINUTE_S, -(-until_s // MINUTE_S) * MINUTE_S
        edges = []
        if first_s < since_s and self._is_any_sampled(first_s, since_s):
            first_s += MINUTE_S
            edges.append((since_s, min(first_s, until_s)))
        if until_s < last_s and first_s < last_s and self._is_any_sampled(until_s, last_s):
            last_s -= MINUTE_S
            edges.append((max(last_s, since_s), until_s))
        if first_s < last_s:
            yield from self._cells(reading._replace(since_s=first_s, until_s=last_s), step_s)
        for begin_s, end_s in edges:
            yield from self._within_minute(reading._replace(since_s=begin_s, until_s=end_s), step_s)

    def _is_any_sampled(self, since_s: float, until_s: float) -> bool:
        with _told():
            return bool(self._reader.samples(since_s, until_s, 1))

    def _within_minute(self, reading: RowReading, step_s: int) -> Iterator[Row]:
        """Yield what a part of a minute has; of load balancers that have no sample in it, what all of it has."""
        minute_s = reading.since_s // MINUTE_S * MINUTE_S
        weighed = WeighedSamples(MINUTE_S)
        made = self._maker(reading)
        for sample in self._samples(minute_s, minute_s + MINUTE_S, True):
            is_within = reading.since_s <= sample.unix_ns / 1e9 < reading.until_s
            weighed.add(sample, made(sample) if is_within else None)
        counted = self._counters(minute_s, minute_s + MINUTE_S, MINUTE_S)
        yield from weighed.rows(counted)
        if reading.data == "steered":
            whole = reading._replace(since_s=minute_s, until_s=minute_s + MINUTE_S)
            for row in self._cells(whole, step_s):
                if (int(minute_s), row["load_balancer"], row["view"]) not in weighed.weights:
                    yield row

    def _weighed(self, reading: RowReading) -> Iterator[Row]:
        """Yield samples, each with what it stands for: its share of what the counters have of its load balancer, or of
        what none answered, in its minute (or what is kept of it). In a burst fewer are written than intervals say."""
        span_s = reading.until_s - reading.since_s
        step_s = next((step_s for step_s in STEPS if span_s <= step_s * STEPS_OF_SPAN), STEPS[-1])
        since_s = reading.since_s // step_s * step_s
        until_s = -(-reading.until_s // step_s) * step_s
        made = self._maker(reading)
        weighed = WeighedSamples(step_s)
        for sample in self._samples(since_s, until_s, True):
            weighed.add(sample, made(sample))
        yield from weighed.rows(self._counters(since_s, until_s, step_s))

    def _counters(self, since_s: float, until_s: float, step_s: int) -> dict[BalancerStep, float]:
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
    work = Work()
    history = site.in_force.history
    return QueryContext(
        scopes=caller.scopes,
        account_id=site.account_id,
        state=state,
        facts=facts,
        kept=TrafficKept(reader, facts, health, work),
        work=work,
        kept_s=history.days * DAY_S,
        enabled=history.enabled,
    )
