"""What a load balancer may answer: in the health of now, and in one that a single flip makes of it.

A flip is one endpoint that goes up or down, wherever the load balancer's pools have its address, each of those pools
with it or not: how many endpoints a pool needs is not among the columns, and an operator may order a pool up or down.
So these are all the answers that the next change can lead to: the endpoint gone or back, and the pool that takes over.

Which pools get any of the queries follows from the lists that places lead to (`DecidingRows`) and from the kernel's
`reason_against`; what chance, the source address or round-trip times decide is left open:

| select   | pools                                                            | fallback                   |
|----------|------------------------------------------------------------------|----------------------------|
| first    | the first available one, those behind it while it may be shed     | where each may be shed     |
| others   | each available one (of weight, where they are weighted)           | where each may be shed     |
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lbdns.dnssec.signer.deciding_rows import DecidingRow, DecidingRows
from lbdns.dnssec.signer.pool_answers import PoolAnswers, PoolPart, SteeredKind
from lbdns.dnssec.signer.supposed_health import SupposedHealth
from lbdns.mapped.columns import ADDRESS_BYTES
from lbdns.snapshot.lookup.steered_data import SteeredData, endpoint_target
from lbdns.steering.kernel.decide import reason_against
from lbdns.steering.kernel.numbers import (
    BYTE_COUNTS,
    ENDPOINT_HOSTNAME,
    LB_FIXED,
    LB_STICKY,
    PASSED_SHED,
    POOL_ENABLED,
    POOL_MONITORED,
    RULE_KIND_CNAME,
    SELECT_FIRST,
    SELECT_WEIGHTED,
)
from lbdns.steering.kernel.view import Decision, Query

NEAR_MAX: Final = 512
"""Answers one flip away that are made ready for a load balancer; more of them are signed on demand."""
SHED_ALWAYS: Final = 1 << 32
"""The threshold of a pool that all queries are shed from."""
ROWS_MAX: Final = 64
"""Of what rules and pool sets make of a load balancer: with more, what is one flip away is signed on demand."""


class Given(NamedTuple):
    """One answer: its TTL as decided, before any hostname's resolution shortens it, and the data, None for none."""

    ttl: int
    data: SteeredData | None


class Sets(NamedTuple):
    """What a load balancer may answer now, and what else after one flip, the likelier first."""

    now: tuple[Given, ...]
    near: tuple[Given, ...]


class _Reached(NamedTuple):
    """Who gets a query: a pool, as the fallback or not, None where nobody does."""

    pool: int
    is_fallback: bool


class _Flip(NamedTuple):
    """Slots of endpoints and of pools that change, and the pools whose answers hang on those endpoints."""

    endpoint_slots: tuple[int, ...]
    pool_slots: tuple[int, ...]
    pools: frozenset[int]


class SteeredSets:
    """Works out what load balancers of a snapshot may answer in a health that is held; the same ones once."""

    def __init__(self, health: SupposedHealth, rows: DecidingRows) -> None:
        """Begin with nothing worked out."""
        self._health = health
        self._view = health.view
        self._columns = health.columns
        self._rows = rows
        self._pools = PoolAnswers(health.view, health.columns)
        self._query, self._decision = Query(), Decision()
        self._query.draw_fixed = True
        self._sets: dict[tuple[tuple[DecidingRow, ...], SteeredKind], Sets] = {}
        self._outcomes: dict[tuple[_Reached, int, SteeredKind], Outcomes] = {}

    def forget(self) -> None:
        """Let go of what hangs on health: it is another one now."""
        self._sets.clear()
        self._outcomes.clear()

    def of(self, load_balancer: int, kind: SteeredKind, name: bytes) -> Sets:
        """Return what a load balancer may answer to queries of a kind for a name (lower-case wire form)."""
        rows = self.rows_of(load_balancer, kind, name)
        found = self._sets.get((rows, kind))
        if found is None:
            now = dict.fromkeys(given for row in rows for given in self._now(row, kind))
            near: dict[Given, None] = {}
            for row in rows[:ROWS_MAX]:
                near.update(dict.fromkeys(given for given in self._near(row, kind) if given not in now))
            found = self._sets[rows, kind] = Sets(tuple(now), tuple(near)[:NEAR_MAX])
        return found

    def rows_of(self, load_balancer: int, kind: SteeredKind, name: bytes) -> tuple[DecidingRow, ...]:
        """Return the rows that may decide such queries."""
        return self._rows.of(load_balancer, RULE_KIND_CNAME if kind.wants_cname else kind.family, name)

    def pools_of(self, rows: Iterable[DecidingRow]) -> frozenset[int]:
        """Return the pools whose health these rows' answers hang on."""
        return frozenset(pool for row in rows for pool in self._candidates(row))

    def _candidates(self, row: DecidingRow) -> dict[int, None]:
        """Return the pools of a row's lists, in order."""
        columns = self._columns
        found: dict[int, None] = {}
        for one in row.lists:
            start = columns["list_start"][one]
            found.update(dict.fromkeys(columns["member_pool"][start : start + columns["list_count"][one]]))
        return found

    def _now(self, row: DecidingRow, kind: SteeredKind) -> Iterator[Given]:
        """Yield what a row answers in the health that is held."""
        if row.flags & LB_FIXED:
            yield Given(row.ttl, None)
            return
        for reached in self._reached(row, kind):
            for data in self._kept_outcomes(reached, row, kind):
                yield Given(row.ttl, data)

    def _near(self, row: DecidingRow, kind: SteeredKind) -> Iterator[Given]:
        """Yield what a row answers after any one flip."""
        for flip in self._flips(row, kind):
            with self._health.flipped(flip.endpoint_slots, flip.pool_slots):
                for reached in self._reached(row, kind):
                    if reached is not None and reached.pool in flip.pools:
                        outcomes = self._fresh_outcomes(reached, row, kind)
                    else:
                        outcomes = self._kept_outcomes(reached, row, kind)
                    for data in outcomes:
                        yield Given(row.ttl, data)

    def _flips(self, row: DecidingRow, kind: SteeredKind) -> Iterator[_Flip]:
        """Yield the flips that a row's answers may hang on, those of pools that are reached now first."""
        reached = {one.pool for one in self._reached(row, kind) if one is not None}
        pools = sorted(filter(self._is_watched, self._candidates(row)), key=lambda pool: pool not in reached)
        places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
        for pool in pools:
            for endpoint in self._watched_endpoints(pool):
                places[self._address(endpoint)].append((pool, self._columns["endpoint_slot"][endpoint]))
        for stands in places.values():
            those = frozenset(pool for pool, _ in stands)
            slots = tuple(slot for _, slot in stands)
            pool_slots = tuple(self._columns["pool_slot"][pool] for pool in sorted(those))
            yield _Flip(slots, (), those)
            yield _Flip(slots, pool_slots, those)
            for pool, slot in stands if len(those) > 1 else ():
                yield _Flip((slot,), (), frozenset((pool,)))
                yield _Flip((slot,), (self._columns["pool_slot"][pool],), frozenset((pool,)))
                yield _Flip(slots, (self._columns["pool_slot"][pool],), those)
        for pool in pools:
            yield _Flip((), (self._columns["pool_slot"][pool],), frozenset())

    def _is_watched(self, pool: int) -> bool:
        """Return whether a pool's health counts: a monitor looks after it, or an operator forced its state."""
        state = self._view.pool_state[self._columns["pool_slot"][pool]]
        flags = self._columns["pool_flags"][pool]
        return bool(flags & POOL_ENABLED and (flags & POOL_MONITORED or state & BYTE_COUNTS))

    def _watched_endpoints(self, pool: int) -> Iterator[int]:
        columns = self._columns
        first = columns["pool_endpoint_start"][pool]
        for endpoint in range(first, first + columns["pool_endpoint_count"][pool]):
            counts = self._view.endpoint_state[columns["endpoint_slot"][endpoint]] & BYTE_COUNTS
            if columns["endpoint_enabled"][endpoint] and (columns["pool_flags"][pool] & POOL_MONITORED or counts):
                yield endpoint

    def _address(self, endpoint: int) -> bytes:
        """Return what an endpoint is known by in other pools: its address, or its hostname."""
        if self._columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME:
            return endpoint_target(self._columns, endpoint)
        families = bytes((self._columns["endpoint_families"][endpoint],))
        at = endpoint * ADDRESS_BYTES
        return families + bytes(self._columns["endpoint_address"][at : at + ADDRESS_BYTES])

    def _reached(self, row: DecidingRow, kind: SteeredKind) -> list[_Reached | None]:
        """Return who may get a query, by the table above."""
        columns = self._columns
        self._decision.lb, self._query.family = self._rows.number_of(row), kind.family
        found: dict[_Reached | None, None] = {}
        for one in row.lists:
            is_certain = False
            start = columns["list_start"][one]
            for member in range(start, start + columns["list_count"][one]):
                pool = columns["member_pool"][member]
                if row.select == SELECT_WEIGHTED and not columns["member_weight"][member]:
                    continue
                shed = self._shed_threshold(row, pool)
                if shed >= SHED_ALWAYS or not self._is_available(pool):
                    continue
                found[_Reached(pool, is_fallback=False)] = None
                is_certain = is_certain or not shed
                if is_certain and row.select == SELECT_FIRST:
                    break
            if not is_certain:
                is_enabled = columns["pool_flags"][row.fallback] & POOL_ENABLED
                found[_Reached(row.fallback, is_fallback=True) if is_enabled else None] = None
        return list(found)

    def _is_available(self, pool: int) -> bool:
        """Return whether a pool may have a query that is not shed from it."""
        return reason_against(self._view, self._query, self._decision, pool) in (0, PASSED_SHED)

    def _shed_threshold(self, row: DecidingRow, pool: int) -> int:
        return int(self._columns["pool_shed_threshold"][2 * pool + (1 if row.flags & LB_STICKY else 0)])

    def _kept_outcomes(self, reached: _Reached | None, row: DecidingRow, kind: SteeredKind) -> Outcomes:
        """Return what is answered by whom in the health that is held; worked out once for rows whose flags agree."""
        if reached is None:
            return NO_RECORDS
        key = reached, row.flags, kind
        found = self._outcomes.get(key)
        if found is None:
            found = self._outcomes[key] = self._fresh_outcomes(reached, row, kind)
        return found

    def _fresh_outcomes(self, reached: _Reached, row: DecidingRow, kind: SteeredKind) -> Outcomes:
        return self._pools.outcomes(PoolPart(reached.pool, reached.is_fallback, self._rows.number_of(row)), kind)


Outcomes = tuple[SteeredData | None, ...]
NO_RECORDS: Final[Outcomes] = (None,)
