"""What the draws of a decision may come to, and how likely each is: by `decide` itself, asked for each way they fall.

Nothing here steers. A random choice falls on intervals of its draw, one for each that can be chosen, so that their ends
are found by halving. Draws are opened one after the other:

    shed?  each pool of the list that sheds by draw, or does not   `pool_shed_threshold` of a view of its own
    pool   where pools are weighted                                every draw of `decide` is one number
    picks  where endpoints are weighted, or one leads by CNAME     every draw of `pick_endpoints` is one number
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, TypeVar

from lbdns.answer.serving_view import ServingView
from lbdns.steering.kernel.decide import decide
from lbdns.steering.kernel.endpoints import list_answers, pick_endpoints
from lbdns.steering.kernel.hashing import mix64
from lbdns.steering.kernel.numbers import (
    FAMILY_NAMED,
    LB_GIVES_CNAME,
    LB_STICKY,
    LIST_HASHED,
    LOW_32,
    MODE_ALL,
    MODE_WEIGHTED,
    NO_POOL,
    OUTCOME_FIXED,
    OUTCOME_NO_POOL,
    POOL_HASH,
    SELECT_NEAREST,
    SELECT_WEIGHTED,
    SHED_BY_HASH,
)
from lbdns.steering.kernel.view import Decision, Query, View

DRAWN: Final = 1 << 32
"""What a draw of 32 bits is one of."""
SHEDDING_MAX: Final = 6
"""Pools of one weighted list that shed by draw and are opened each way; a list with more is asked SAMPLED times."""
SAMPLED: Final = 4096
KNOWN_MAX: Final = 100_000
"""Decisions whose shares are kept; beyond these all are forgotten."""
NO_RECORDS: Final = "no records"
"""In place of a pool: a rule answers without records, or no pool can answer."""
EndpointName = tuple[str, str]
"""A pool's name and its endpoint's."""
NO_ENDPOINT: Final = -1
_Value = TypeVar("_Value")
_Picked = tuple[int, bool]
"""A pool's index or NO_POOL, and whether it serves as the fallback pool."""
_Parts = tuple[tuple[int, float], ...]
"""Endpoints of one answer by index, and the part of its clients that each gets."""


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What a query comes to: how likely each pool answers it (NO_RECORDS among them), and each endpoint gets its
    client: clients take any address of an answer alike. Two are the same where one object is both."""

    pools: dict[str, float]
    endpoints: dict[EndpointName, float]


class Lots:
    """The decisions of one view with all their draws open; what came of one is kept for those that hang on the same."""

    def __init__(self, view: ServingView) -> None:
        """Open the draws of a view."""
        columns = view.columns
        self._view = view
        self._shed, self._answers = (bytearray(columns[name]) for name in ("pool_shed_threshold", "pool_max_answers"))
        self._thresholds = memoryview(self._shed).cast("Q")
        self._drawn = {
            index: threshold / DRAWN
            for index, threshold in enumerate(self._thresholds)
            if threshold and columns["pool_shed_policy"][index] != SHED_BY_HASH
        }
        for index in self._drawn:
            self._thresholds[index] = 0
        # Which of all answers are kept is drawn evenly: clients come to all of them alike.
        for pool, flags in enumerate(columns["pool_flags"]):
            if not flags & POOL_HASH:
                self._answers[pool] = 0
        own = {"pool_shed_threshold": self._thresholds, "pool_max_answers": memoryview(self._answers)}
        self._open = View({**columns, **own}, view.table.columns, view.region_index)
        self._decision = Decision()
        self._known: dict[tuple[int | bool, ...], Shares] = {}

    def shares_of(self, query: Query, decision: Decision) -> Shares:
        """Return what a query comes to that `decision` was made for, by whatever draws."""
        if decision.outcome == OUTCOME_FIXED:
            return self._once((OUTCOME_FIXED,), lambda: Shares({NO_RECORDS: 1.0}, {}))
        columns, lb = self._view.columns, decision.lb
        hashed = columns["list_flags"][decision.pool_list] & (LIST_HASHED << query.family)
        hashed |= columns["lb_flags"][lb] & LB_STICKY
        place = decision.place_class if columns["lb_select"][lb] == SELECT_NEAREST else 0
        key = (lb, query.family, query.wants_cname, decision.pool_list, place, decision.hash_key if hashed else 0)
        return self._once(key, lambda: self._opened(query, lb, decision.pool_list))

    def _once(self, key: tuple[int | bool, ...], make: Callable[[], Shares]) -> Shares:
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[key] = make()
        return found

    def _opened(self, query: Query, lb: int, pool_list: int) -> Shares:
        fixed, base = query.draw_fixed, query.draw_base
        query.draw_fixed = True
        try:
            pools: dict[str, float] = {}
            endpoints: dict[EndpointName, float] = {}
            for picked, likely in self._pools(query, lb, pool_list):
                pool = "" if picked[0] == NO_POOL else self._view.text("pool_text", picked[0])
                for parts, share in self._endpoints(query, lb, picked):
                    # A pool that has nothing of the family sends nobody anywhere.
                    name = pool if parts else NO_RECORDS
                    pools[name] = pools.get(name, 0.0) + likely * share
                    for endpoint, part in parts:
                        at = name, self._view.text("endpoint_text", endpoint)
                        endpoints[at] = endpoints.get(at, 0.0) + likely * share * part
            return Shares(pools, endpoints)
        finally:
            query.draw_fixed, query.draw_base = fixed, base

    # --- pools ---

    def _pools(self, query: Query, lb: int, pool_list: int) -> list[tuple[_Picked, float]]:
        """Return the pools that a query may come to, and how likely each is."""
        columns = self._view.columns
        start = columns["list_start"][pool_list]
        members = columns["member_pool"][start : start + columns["list_count"][pool_list]]
        sticky = bool(columns["lb_flags"][lb] & LB_STICKY)
        shed = {pool * 2 + sticky: self._drawn.get(pool * 2 + sticky, 0.0) for pool in members}
        shed = {index: likely for index, likely in shed.items() if likely}
        if columns["lb_select"][lb] != SELECT_WEIGHTED:
            return [*_merged(self._in_turn(query, shed, 1.0, sticky))]
        if len(shed) > SHEDDING_MAX:
            return [*_merged(self._sampled(query))]
        return [*_merged(self._each_way(query, shed))]

    def _in_turn(
        self, query: Query, shed: dict[int, float], likely: float, sticky: bool
    ) -> Iterator[tuple[_Picked, float]]:
        """Yield the pools that one of which is best answers by: it does unless it sheds, and then the next best."""
        done: list[int] = []
        try:
            while likely > 0.0:
                picked = self._decided(query, 0)
                index = picked[0] * 2 + sticky
                chance = 0.0 if picked[1] or index in done else shed.get(index, 0.0)
                yield picked, likely * (1.0 - chance)
                likely *= chance
                if chance:
                    self._thresholds[index] = DRAWN
                    done.append(index)
        finally:
            self._keep_all(done)

    def _each_way(self, query: Query, shed: dict[int, float]) -> Iterator[tuple[_Picked, float]]:
        """Yield the pools of a weighted list, with and without each of those that may shed the query."""
        for ways in product((False, True), repeat=len(shed)):
            likely = 1.0
            for (index, chance), is_shed in zip(shed.items(), ways, strict=True):
                self._thresholds[index] = DRAWN if is_shed else 0
                likely *= chance if is_shed else 1.0 - chance
            if likely:
                for picked, share in _spread(lambda drawn: self._decided(query, drawn)):
                    yield picked, likely * share
        self._keep_all(shed)

    def _sampled(self, query: Query) -> Iterator[tuple[_Picked, float]]:
        """Yield the pools that a fixed set of draws comes to: the same for every query and configuration."""
        query.draw_fixed = False
        for number in range(SAMPLED):
            query.draw_base = mix64(number + 1)
            decide(self._view.steering, query, self._decision)
            yield self._picked(), 1.0 / SAMPLED
        query.draw_fixed = True

    def _keep_all(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            self._thresholds[index] = 0

    def _decided(self, query: Query, drawn: int) -> _Picked:
        query.draw_base = drawn << 32
        decide(self._open, query, self._decision)
        return self._picked()

    def _picked(self) -> _Picked:
        decision = self._decision
        return (NO_POOL, False) if decision.outcome == OUTCOME_NO_POOL else (decision.pool, bool(decision.is_fallback))

    # --- endpoints ---

    def _endpoints(self, query: Query, lb: int, picked: _Picked) -> list[tuple[_Parts, float]]:
        """Return the endpoints that may answer of a pool, and how likely each answer is."""
        pool, is_fallback = picked
        decision = self._decision
        if pool == NO_POOL:
            return [((), 1.0)]

        def parts_at(drawn: int) -> tuple[int, _Parts]:
            query.draw_base = drawn << 32
            decision.pool, decision.is_fallback = pool, is_fallback
            decision.mode, decision.pick_count = MODE_ALL, 0
            pick_endpoints(self._open, query, decision)
            # Who leads lies together; the answer that follows from it need not.
            lead = decision.picks[0] if decision.pick_count else NO_ENDPOINT
            list_answers(self._open, query, decision)
            return lead, _parts_of(query, decision)

        _, first = parts_at(0)
        gives_cname = self._view.columns["lb_flags"][lb] & LB_GIVES_CNAME
        if decision.mode != MODE_WEIGHTED and not (decision.mode == MODE_ALL and gives_cname):
            return [(first, 1.0)]
        return [(parts, likely) for (_, parts), likely in _spread(parts_at)]


def _parts_of(query: Query, decision: Decision) -> _Parts:
    """Return the part of the clients that each endpoint of an answer gets, in the answer's order: one of as many as it
    has addresses."""
    owners = decision.picked()
    if decision.mode == MODE_ALL and query.family != FAMILY_NAMED and not decision.is_alias:
        owners = [decision.owners[index] for index in range(decision.address_count)]
    parts: dict[int, float] = {}
    for owner in owners:
        parts[owner] = parts.get(owner, 0.0) + 1.0 / len(owners)
    return tuple(parts.items())


def _merged(found: Iterable[tuple[_Value, float]]) -> Iterator[tuple[_Value, float]]:
    together: dict[_Value, float] = {}
    for value, likely in found:
        together[value] = together.get(value, 0.0) + likely
    return ((value, likely) for value, likely in together.items() if likely > 0.0)


def _spread(at: Callable[[int], _Value]) -> list[tuple[_Value, float]]:
    """Return what a draw of 32 bits may come to, and how likely; what comes of it lies together for each value."""
    found: list[tuple[_Value, float]] = []
    waiting = [(0, at(0), LOW_32, at(LOW_32))]
    while waiting:
        low, of_low, high, of_high = waiting.pop()
        if of_low == of_high:
            found.append((of_low, (high - low + 1) / DRAWN))
        elif high - low == 1:
            found += [(of_low, 1 / DRAWN), (of_high, 1 / DRAWN)]
        else:
            middle = (low + high) // 2
            of_middle = at(middle)
            waiting.append((middle + 1, at(middle + 1), high, of_high))
            waiting.append((low, of_low, middle, of_middle))
    return [*_merged(found)]
