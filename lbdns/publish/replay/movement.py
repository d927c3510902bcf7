"""What moves between two configurations, of queries asked of both: shares of pools compared, never two draws.

A query that pool A answers by 60 % and after the change by 50 % has 10 % that moves, and it moves to the pools that
have more of it then. So a change that changes nothing moves nothing, however random the answers are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from lbdns.dns.name import show_name
from lbdns.publish.replay.cache_use import CacheUse, ScopeChanges
from lbdns.publish.replay.lots import EndpointName, Shares
from lbdns.publish.replay.replayed import CameTo, Replay, Replayed

ROWS_MAX: Final = 200
"""Rows of one table that are told; the rest are counted."""
NAMED_MAX: Final = 10
"""Networks, names and countries that a row names."""
NETWORKS_MAX: Final = 1000
"""Networks of a row that are kept to choose those from."""
LEAST: Final = 1e-9
"""Of a query; less is what rounding leaves."""

Flow = tuple[str, str, float]
"""Pool before, pool after, how much of a query goes this way."""


def flows(before: Shares, after: Shares) -> tuple[Flow, ...]:
    """Return what of a query moves, from which pool to which: what one loses goes to those that win, by what they
    win."""
    if before is after:
        return ()
    names = dict.fromkeys((*before.pools, *after.pools))
    gains = {name: after.pools.get(name, 0.0) - before.pools.get(name, 0.0) for name in names}
    won = sum(gain for gain in gains.values() if gain > LEAST)
    if not won:
        return ()
    return tuple(
        (lost, name, -loss * gain / won)
        for lost, loss in gains.items()
        if loss < -LEAST
        for name, gain in gains.items()
        if gain > LEAST
    )


def endpoint_gain(before: Shares, after: Shares) -> float:
    """Return what of a query other endpoints get."""
    if before is after:
        return 0.0
    return sum(max(0.0, part - before.endpoints.get(name, 0.0)) for name, part in after.endpoints.items())


@dataclass(slots=True)
class _Gathered:
    """One way that queries go, or one change of a code."""

    weight: float = 0.0
    samples: int = 0
    countries: Counter[str] = field(default_factory=Counter)
    networks: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)

    def add(self, asked: Replayed, weight: float) -> None:
        self.weight += weight
        self.samples += 1
        self.countries[asked.country] += weight  # type: ignore[assignment]
        _count(self.networks, str(asked.client), weight)
        _count(self.names, show_name(asked.name), weight)

    def as_dict(self, total: float) -> dict[str, Any]:
        return {
            "share": _share(self.weight, total),
            "queries": round(self.weight, 1),
            "samples": self.samples,
            "countries": [
                {"country": name, "share": _share(weight, self.weight)}
                for name, weight in self.countries.most_common(NAMED_MAX)
            ],
            "networks": [name for name, _ in self.networks.most_common(NAMED_MAX)],
            "names": [name for name, _ in self.names.most_common(NAMED_MAX)],
        }


class Movement:
    """What moves, gathered from query to query; `take` them in the order of their times."""

    def __init__(self, before: Replay, after: Replay) -> None:
        """Ask both; nothing is asked yet."""
        self._before, self._after = before, after
        self._known: dict[tuple[int, int], tuple[tuple[Flow, ...], float, Shares, Shares]] = {}
        self._weight = self._squares = self._moved = self._moved_squares = self._moved_product = 0.0
        self._other_endpoints = 0.0
        self._samples = 0
        self._clients: dict[object, bool] = {}
        self._moves: dict[tuple[str, str, str, str], _Gathered] = {}
        self._codes: dict[tuple[str, str], _Gathered] = {}
        self._gone: dict[str, _Gathered] = {}
        self._new: dict[str, _Gathered] = {}
        self._loads: tuple[dict[EndpointName, float], dict[EndpointName, float]] = {}, {}
        self._caches = CacheUse(), CacheUse()
        self._scopes = ScopeChanges()
        self._times: list[float] = []

    def take_all(self, queries: Iterable[Replayed]) -> None:
        """Take queries, the oldest first."""
        for asked in queries:
            self.take(asked)

    def take(self, asked: Replayed) -> tuple[CameTo, CameTo, float]:
        """Ask one query of both; return what it comes to, and how much of it moves."""
        old, new = self._before.come_to(asked), self._after.come_to(asked)
        ways, other_endpoints = self._compared(old.shares, new.shares)
        moved = sum(part for _, _, part in ways)
        self._count(asked, moved, other_endpoints)
        for source, target, part in ways:
            label, kind = new.balancer or old.balancer or ("", "")
            self._moves.setdefault((label, kind, source, target), _Gathered()).add(asked, asked.weight * part)
        if old.rcode != new.rcode:
            self._codes.setdefault((old.rcode, new.rcode), _Gathered()).add(asked, asked.weight)
        for one, other, rows in ((old, new, self._gone), (new, old, self._new)):
            if one.balancer is not None and other.balancer is None:
                rows.setdefault(show_name(asked.name), _Gathered()).add(asked, asked.weight)
        for outcome, loads, cache in zip((old, new), self._loads, self._caches, strict=True):
            for name, part in outcome.shares.endpoints.items():
                loads[name] = loads.get(name, 0.0) + asked.weight * part
            cache.take(asked, outcome)
        self._scopes.take(asked, old, new)
        return old, new, moved

    def _compared(self, before: Shares, after: Shares) -> tuple[tuple[Flow, ...], float]:
        key = id(before), id(after)
        found = self._known.get(key)
        if found is None or found[2] is not before or found[3] is not after:
            found = self._known[key] = flows(before, after), endpoint_gain(before, after), before, after
        return found[0], found[1]

    def _count(self, asked: Replayed, moved: float, other_endpoints: float) -> None:
        weight = asked.weight
        self._samples += 1
        self._weight += weight
        self._squares += weight * weight
        self._moved += weight * moved
        self._moved_squares += (weight * moved) ** 2
        self._moved_product += weight * weight * moved
        self._other_endpoints += weight * other_endpoints
        client = asked.client
        self._clients[client] = self._clients.get(client, False) or moved > LEAST
        self._times = (
            [min(asked.at_s, *self._times), max(asked.at_s, *self._times)] if self._times else [asked.at_s] * 2
        )

    @property
    def share(self) -> float:
        """The share of queries that another pool answers."""
        return _share(self._moved, self._weight)

    @property
    def error(self) -> float:
        """The standard error of that share, as of a sample of queries that come one by one."""
        if not self._weight:
            return 0.0
        share = self._moved / self._weight
        spread = self._moved_squares - 2 * share * self._moved_product + share * share * self._squares
        return round(math.sqrt(max(0.0, spread)) / self._weight, 6)

    def as_dict(self, span_s: float) -> dict[str, Any]:
        """Return all of it as JSON has it; `span_s`: the seconds that the queries are of."""
        total = self._weight
        moves, more = _rows(self._moves, total, ("load_balancer", "type", "before", "after"))
        codes, _ = _rows(self._codes, total, ("before", "after"))
        endpoints, more_endpoints = self._endpoints(span_s)
        return {
            "samples": self._samples,
            "queries": round(total, 1),
            "clients": {"count": len(self._clients), "moved": sum(self._clients.values())},
            "moved": {
                "share": self.share,
                "error": self.error,
                "endpoints_share": _share(self._other_endpoints, total),
            },
            "moves": moves,
            "more_moves": more,
            "endpoints": endpoints,
            "more_endpoints": more_endpoints,
            "rcodes": codes,
            "balanced_no_longer": _names(self._gone, total),
            "balanced_newly": _names(self._new, total),
            "caches": {
                "before": self._caches[0].as_dict(),
                "after": self._caches[1].as_dict(),
                "scopes": self._scopes.as_list(ROWS_MAX, total) if total else [],
            },
        }

    def _endpoints(self, span_s: float) -> tuple[list[dict[str, Any]], int]:
        """Return the load of each endpoint, those whose load changes most first, and how many more there are."""
        before, after = self._loads
        names = sorted({*before, *after}, key=lambda name: (-abs(after.get(name, 0.0) - before.get(name, 0.0)), name))
        told = [
            {
                "pool": pool,
                "endpoint": endpoint,
                "before_per_s": round(before.get((pool, endpoint), 0.0) / span_s, 4),
                "after_per_s": round(after.get((pool, endpoint), 0.0) / span_s, 4),
                "before_share": _share(before.get((pool, endpoint), 0.0), self._weight),
                "after_share": _share(after.get((pool, endpoint), 0.0), self._weight),
            }
            for pool, endpoint in names[:ROWS_MAX]
        ]
        return told, max(0, len(names) - ROWS_MAX)


def _count(counted: Counter[str], name: str, weight: float) -> None:
    if name in counted or len(counted) < NETWORKS_MAX:
        counted[name] += weight  # type: ignore[assignment]


def _share(part: float, total: float) -> float:
    return round(part / total, 6) if total else 0.0


def _rows(rows: dict[Any, _Gathered], total: float, keys: tuple[str, ...]) -> tuple[list[dict[str, Any]], int]:
    """Return the heaviest rows, and how many more there are."""
    heaviest = sorted(rows.items(), key=lambda one: (-one[1].weight, one[0]))
    told = [{**dict(zip(keys, key, strict=True)), **row.as_dict(total)} for key, row in heaviest[:ROWS_MAX]]
    return told, max(0, len(heaviest) - ROWS_MAX)


def _names(rows: dict[str, _Gathered], total: float) -> list[dict[str, Any]]:
    heaviest = sorted(rows.items(), key=lambda one: (-one[1].weight, one[0]))
    return [{"name": name, "share": _share(row.weight, total)} for name, row in heaviest[:ROWS_MAX]]
