"""What a pool may answer with whatever the health of its endpoints: the most that a configuration allows.

Health is left out by asking the kernel as for a fallback pool; a hostname has the addresses that it has now, so who
asks for those of a moment ago asks again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lbdns.dns.codes import TYPE_CNAME
from lbdns.dnssec.signer.pool_answers import PoolPart, SteeredKind
from lbdns.snapshot.lookup.steered_data import SteeredData, endpoint_target, steered_data
from lbdns.steering.kernel.endpoints import is_cname, list_addresses, pick_endpoints, reason_against_endpoint
from lbdns.steering.kernel.numbers import ADDRESSES_MAX, FAMILY_NAMED, MODE_ALL
from lbdns.steering.kernel.view import Decision, Query, View


class PoolBounds:
    """Asks the kernel about pools, whatever their health."""

    def __init__(self, view: View, columns: Mapping[str, memoryview]) -> None:
        """Ask about the pools of a snapshot's columns by `view`, which holds them."""
        self._view = view
        self._columns = columns
        self._query, self._decision = Query(), Decision()
        self._query.draw_fixed = True

    def may_give(self, pool: int, row: int, kind: SteeredKind, data: SteeredData) -> bool:
        """Return whether a pool may answer so, decided with a row's flags."""
        able = self.able(PoolPart(pool, True, row), kind)
        if data.type == TYPE_CNAME:
            named = [one for one in able if is_cname(self._view, row, kind.family, one)]
            return data.rdatas in [(endpoint_target(self._columns, one),) for one in named]
        asked = set(data.rdatas)
        if kind.wants_cname or data.type != kind.qtype or not asked or len(asked) != len(data.rdatas):
            return False
        given = [self._given(one, kind) for one in able]
        if self._decision.mode != MODE_ALL:
            return len(asked) == 1 and any(asked <= one for one in given)
        most = self._columns["pool_max_answers"][pool] or ADDRESSES_MAX
        if len(asked) > most:
            return False
        # Who is up gives all that it has, unless that is more than is answered.
        whole: set[bytes] = set().union(*(one for one in given if len(asked) == most or one <= asked))
        return asked <= whole

    def may_be_without(self, pool: int, row: int, kind: SteeredKind) -> bool:
        """Return whether a pool may have nothing to answer with, even where all its endpoints are up."""
        able = self.able(PoolPart(pool, True, row), kind)
        return not able or (kind.wants_cname and not all(is_cname(self._view, row, kind.family, one) for one in able))

    def able(self, part: PoolPart, kind: SteeredKind) -> Sequence[int]:
        """Return the endpoints that may answer, and let the decision have the way in which they do."""
        query, decision = self._query, self._decision
        query.family, query.wants_cname = kind.family, kind.wants_cname
        decision.lb, decision.pool, decision.is_fallback = part.row, part.pool, part.is_fallback
        first = self._columns["pool_endpoint_start"][part.pool]
        those = range(first, first + self._columns["pool_endpoint_count"][part.pool])
        able = [one for one in those if not reason_against_endpoint(self._view, query, decision, one)]
        decision.mode = MODE_ALL
        pick_endpoints(self._view, query, decision)
        return able

    def _given(self, endpoint: int, kind: SteeredKind) -> set[bytes]:
        """Return the data of all that one endpoint answers with."""
        decision = self._decision
        mode = decision.mode
        decision.picks[0], decision.pick_count = endpoint, 1
        decision.mode, decision.is_alias, decision.address_count = MODE_ALL, False, 0
        if kind.family != FAMILY_NAMED:
            decision.address_count = list_addresses(self._view, kind.family, decision)
        data = steered_data(self._columns, kind.qtype, kind.family, decision)
        decision.mode = mode
        return set(data.rdatas) if data is not None else set()
