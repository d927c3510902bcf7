"""Rates: what two reads of the counters differ by, as plain values for `lbdns top` and other programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lbdns import __version__
from lbdns.base.errors import LbdnsError
from lbdns.mapped.counter_words import DATAGRAMS, DEFERRED_COUNT, DROPPED_COUNT, OVERFLOWS, SEND_ERRORS, TCP_MESSAGES
from lbdns.model.pool import Pool
from lbdns.telemetry.report import endpoint_row, endpoint_word, pool_word, silent_s
from lbdns.telemetry.server_facts import ServerFacts
from lbdns.telemetry.tally import Counted, Sample, Tally, Words

INTERVAL_MAX_S = 60.0
LIMIT_MAX = 1000
LIMIT = 20

Figures = dict[str, Any]


async def answer_counters(tally: Tally, facts: Callable[[], ServerFacts], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report over the next `interval_s` seconds, or with 0 of the totals now; raises LbdnsError."""
    interval_s, limit = request.get("interval_s", 0), request.get("limit", LIMIT)
    if not isinstance(interval_s, int | float) or not 0 <= interval_s <= INTERVAL_MAX_S:
        raise LbdnsError(f"interval_s is 0 to {INTERVAL_MAX_S:.0f} seconds")
    if not isinstance(limit, int) or not 0 <= limit <= LIMIT_MAX:
        raise LbdnsError(f"limit is 0 to {LIMIT_MAX}")
    before = None
    if interval_s:
        before = await asyncio.to_thread(tally.read)
        await asyncio.sleep(interval_s)
    return await asyncio.to_thread(lambda: rates_report(facts(), before, tally.read(), limit))


def rates_report(facts: ServerFacts, before: Sample | None, after: Sample, limit: int) -> dict[str, Any]:
    """Return counts since the start and rates between two reads; the `limit` busiest load balancers, rules and
    pools.

    Each figure is {"total", "per_s"}; `per_s` is None, as is `interval_s`, where there is no read `before`.
    """
    seconds = after.at_s - before.at_s if before else None

    def figure(total: int, total_before: int) -> Figures:
        return {"total": total, "per_s": None if seconds is None else max(total - total_before, 0) / seconds}

    def word(number: int) -> Figures:
        return figure(after.word(number), before.word(number) if before else 0)

    def group(now: dict[str, int], then: dict[str, int]) -> dict[str, Figures]:
        return {name: figure(count, then.get(name, 0)) for name, count in now.items() if count}

    slow, slow_before = after.replies - after.fast_replies, before.replies - before.fast_replies if before else 0
    return {
        "version": __version__,
        "generation": facts.published.generation,
        "started": facts.started_at,
        "responders": facts.responder_count,
        "restarts": facts.restarts,
        "reload_failures": facts.reload_failures,
        "fast_path": facts.is_fast,
        "monitor": {"silent_s": silent_s(facts.published.table.columns)},
        "interval_s": seconds,
        "queries": {"udp": word(DATAGRAMS), "tcp": word(TCP_MESSAGES)},
        "replies": {
            "fast": figure(after.fast_replies, before.fast_replies if before else 0),
            "slow": figure(slow, slow_before),
        },
        "deferred": word(DEFERRED_COUNT),
        "dropped": word(DROPPED_COUNT),
        "overflows": word(OVERFLOWS),
        "send_errors": word(SEND_ERRORS),
        "rcodes": group(after.rcodes(), before.rcodes() if before else {}),
        "types": group(after.types(), before.types() if before else {}),
        "location_sources": group(after.sources(), before.sources() if before else {}),
        "load_balancers": _load_balancers(before, after, seconds, limit),
        "rules": _rules(before, after, seconds, limit),
        "pools": _pools(facts, before, after, seconds, limit),
    }


def _load_balancers(before: Sample | None, after: Sample, seconds: float | None, limit: int) -> list[dict[str, Any]]:
    counted = after.load_balancers
    added = counted.since(before.load_balancers) if before else None
    return [
        {
            "name": counted.names.keys[place][0],
            "type": counted.names.keys[place][1],
            **_figures(counted, added, place, seconds),
        }
        for place in _busiest(counted, added, limit)
    ]


def _rules(before: Sample | None, after: Sample, seconds: float | None, limit: int) -> list[dict[str, Any]]:
    counted = after.rules
    added = counted.since(before.rules) if before else None
    rows = []
    for place in _busiest(counted, added, limit):
        load_balancer, kind, rule = counted.names.keys[place]
        rows.append(
            {"load_balancer": load_balancer, "type": kind, "rule": rule, **_figures(counted, added, place, seconds)}
        )
    return rows


def _pools(
    facts: ServerFacts, before: Sample | None, after: Sample, seconds: float | None, limit: int
) -> list[dict[str, Any]]:
    counted, endpoints = after.pools, after.endpoints
    added = counted.since(before.pools) if before else None
    endpoints_added = endpoints.since(before.endpoints) if before else None
    configured = facts.published.configuration.pools
    rows = []
    for place in _busiest(counted, added, limit):
        pool = configured.get(counted.names.keys[place][0])
        if pool is not None:  # None: a reload came between the reads and this
            row = {"name": pool.name, "state": pool_word(pool, facts.published)}
            row |= _figures(counted, added, place, seconds)
            rows.append(row | {"endpoints": _endpoints(pool, facts, endpoints, endpoints_added, seconds)})
    return rows


def _endpoints(
    pool: Pool, facts: ServerFacts, counted: Counted, added: Words | None, seconds: float | None
) -> list[dict[str, Any]]:
    rows = []
    for endpoint in pool.origins:
        place = counted.names.index.get(pool.endpoint_key(endpoint))
        if place is not None:
            row = {"name": endpoint.name, "address": endpoint.address}
            row["state"] = endpoint_word(pool, endpoint, endpoint_row(pool, endpoint, facts.published).state)
            rows.append(row | _figures(counted, added, place, seconds))
    return rows


def _figures(counted: Counted, added: Words | None, place: int, seconds: float | None) -> Figures:
    per_s = None if added is None or seconds is None else int(added[place]) / seconds
    return {"total": int(counted.counts[place]), "per_s": per_s}


def _busiest(counted: Counted, added: Words | None, limit: int) -> list[int]:
    """Return the places of the busiest, by rate, then by total, then in the order of the files."""
    totals = counted.counts.astype(np.int64)
    order = np.lexsort((-totals, -(totals if added is None else added.astype(np.int64))))
    places: list[int] = order[:limit].tolist()
    return places
