"""What a pool may answer with in a moment, whoever asks: every outcome that draws and hashes can come to.

The kernel says who may answer (`reason_against_endpoint`), in which way (`pick_endpoints`: one endpoint, or all), and
with what (`list_answers`, `list_addresses`). What is drawn or hashed there is gone through here.

| way                          | outcomes                                                            |
|------------------------------|---------------------------------------------------------------------|
| one, by weight or hash       | each endpoint alone, of a hostname each of its addresses alone      |
| all                          | all; each CNAME that may lead alone                                 |
| all, more than ADDRESSES_MAX | those that are listed, whichever endpoint leads                     |
| all, more than `max_answers` | each choice of so many, where these are few; else known on demand   |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

from lbdns.mapped.columns import RESOLVED_MAX
from lbdns.snapshot.lookup.steered_data import SteeredData, steered_data
from lbdns.steering.kernel.endpoints import (
    is_cname,
    list_addresses,
    list_answers,
    pick_endpoints,
    reason_against_endpoint,
)
from lbdns.steering.kernel.numbers import (
    ADDRESSES_MAX,
    ENDPOINT_HOSTNAME,
    FAMILY_NAMED,
    MODE_ALL,
    MODE_WEIGHTED,
    POOL_HAS_HOSTNAME,
)
from lbdns.steering.kernel.view import Decision, Query, View

CHOICES_MAX: Final = 64
"""Of `max_answers` endpoints among more: a pool that allows more choices has them signed on demand."""


class SteeredKind(NamedTuple):
    """What is asked: the type, the family that it is decided in, and whether a CNAME alone is an answer."""

    qtype: int
    family: int
    wants_cname: bool = False


class PoolPart(NamedTuple):
    """A pool's part in decisions: which pool, whether as the fallback, and a row whose flags (LB_APEX, LB_STICKY) the
    decisions are made with."""

    pool: int
    is_fallback: bool
    row: int


class PoolAnswers:
    """Asks the kernel about pools, in the health that its view holds."""

    def __init__(self, view: View, columns: Mapping[str, memoryview]) -> None:
        """Ask about the pools of a snapshot's columns by `view`, which holds them and a health."""
        self._view = view
        self._columns = columns
        self._query, self._decision = Query(), Decision()
        self._query.draw_fixed = True

    def outcomes(self, part: PoolPart, kind: SteeredKind) -> tuple[SteeredData | None, ...]:
        """Return what may be answered: record data in order of their bytes, None for no records."""
        query, decision = self._query, self._decision
        query.family, query.wants_cname = kind.family, kind.wants_cname
        decision.lb, decision.pool, decision.is_fallback = part.row, part.pool, part.is_fallback
        decision.mode = MODE_ALL
        pick_endpoints(self._view, query, decision)
        is_one = decision.mode != MODE_ALL
        first = self._columns["pool_endpoint_start"][part.pool]
        those = range(first, first + self._columns["pool_endpoint_count"][part.pool])
        able = [one for one in those if not reason_against_endpoint(self._view, query, decision, one)]
        if not able:
            return (None,)
        found: dict[SteeredData | None, None] = {}
        aliases = [one for one in able if is_cname(self._view, part.row, kind.family, one)]
        for one in able if is_one else aliases:
            found.update(dict.fromkeys(self._alone(kind, one)))
        if not is_one and len(aliases) < len(able):
            found.update(dict.fromkeys(self._together(part.pool, kind, able, aliases)))
        return tuple(found)

    def _alone(self, kind: SteeredKind, endpoint: int) -> Iterator[SteeredData | None]:
        """Yield what one endpoint answers with where it is the one."""
        decision = self._decision
        several = kind.family != FAMILY_NAMED and self._columns["endpoint_flags"][endpoint] & ENDPOINT_HOSTNAME
        for draw in range(RESOLVED_MAX if several else 1):
            decision.mode, decision.address_draw = MODE_WEIGHTED, draw
            decision.picks[0], decision.pick_count = endpoint, 1
            list_answers(self._view, self._query, decision)
            yield self._data(kind)

    def _together(
        self, pool: int, kind: SteeredKind, able: Sequence[int], aliases: Sequence[int]
    ) -> Iterator[SteeredData | None]:
        """Yield what all of them answer with where no CNAME leads."""
        if kind.wants_cname:
            yield None
            return
        leads = [one for one in able if one not in aliases]
        if not self._columns["pool_flags"][pool] & POOL_HAS_HOSTNAME or kind.family == FAMILY_NAMED:
            leads = leads[:1]  # a pool has no more endpoints than are listed
        for lead in leads:
            self._list(kind, able, able.index(lead))
            data = self._data(kind)
            yield from () if data is None else self._chosen(pool, data)
            if self._decision.address_count < ADDRESSES_MAX:
                return  # all are listed, whoever leads

    def _list(self, kind: SteeredKind, able: Sequence[int], lead: int) -> None:
        """Let the decision be for all that may answer, one of them first."""
        decision = self._decision
        order = [*able[lead:], *able[:lead]]
        decision.mode, decision.is_alias, decision.pick_count = MODE_ALL, False, len(order)
        picks = decision.picks
        for place, endpoint in enumerate(order):
            picks[place] = endpoint
        decision.address_count = 0
        if kind.family != FAMILY_NAMED:
            decision.address_count = list_addresses(self._view, kind.family, decision)

    def _chosen(self, pool: int, data: SteeredData) -> Iterator[SteeredData]:
        """Yield what may be left of an answer by the pool's `max_answers`."""
        most = self._columns["pool_max_answers"][pool]
        if not most or len(data.rdatas) <= most:
            yield data
        elif comb(len(data.rdatas), most) <= CHOICES_MAX:
            for some in combinations(data.rdatas, most):
                yield data._replace(rdatas=some)

    def _data(self, kind: SteeredKind) -> SteeredData | None:
        data = steered_data(self._columns, kind.qtype, kind.family, self._decision)
        return data and data._replace(rdatas=tuple(sorted(data.rdatas)))
