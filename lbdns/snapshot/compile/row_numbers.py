"""A load balancer's row as the columns have it: numbers alone, so that rows which steer alike are equal."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.compile.balancer_rows import PlannedRow
from lbdns.snapshot.compile.place_classes import PlaceClasses, PlaceColumns
from lbdns.snapshot.compile.pool_rows import PoolRow
from lbdns.steering.kernel.numbers import LB_APEX, LB_FIXED, NO_TRIE, SELECT_FIRST
from lbdns.steering.policies.plan import Candidates

Columns = dict[str, "array[int]"]


class RowNumbers(NamedTuple):
    """The columns lb_* of a row, those left out that tell which load balancer it is of."""

    select: int
    flags: int
    ttl: int
    fallback: int
    policy: int
    places: PlaceColumns


NO_PLACES = PlaceColumns(NO_TRIE, NO_TRIE, 0, 0, 0)


def append_rows(columns: Columns, rows: Sequence[RowNumbers], flags: Sequence[int]) -> None:
    """Append rows, each with flags beside its own."""
    columns["lb_select"].extend([row.select for row in rows])
    columns["lb_flags"].extend([row.flags | more for row, more in zip(rows, flags, strict=True)])
    columns["lb_ttl"].extend([row.ttl for row in rows])
    columns["lb_fallback"].extend([row.fallback for row in rows])
    columns["lb_policy"].extend([row.policy for row in rows])
    columns["lb_resolver_trie"].extend([row.places.resolver_trie for row in rows])
    columns["lb_ecs_trie"].extend([row.places.ecs_trie for row in rows])
    columns["lb_pop_class"].extend([row.places.pop_class for row in rows])
    columns["lb_lists"].extend([row.places.lists for row in rows])
    columns["lb_ecs_lists"].extend([row.places.ecs_lists for row in rows])


class Numbering:
    """Turns planned rows into numbers; lists of candidates that are equal are stored once."""

    def __init__(self, columns: Columns, pools: Sequence[PoolRow], classes: PlaceClasses) -> None:
        self.classes = classes
        self._columns = columns
        self._pools = pools
        self._lists: dict[int, dict[Candidates, int]] = {}  # by hashing flags
        self._pool_index: Mapping[str, int] = {row.name: index for index, row in enumerate(pools)}
        self._cname_pools = {row.name for row in pools if row.gives_cname}
        # Plain dictionaries: one that found numbers by itself would be in a circle with this object, and all that is
        # compiled here would stay, as nothing looks for circles after a large change.
        self._numbers_of: dict[tuple[bool, int], dict[Candidates, int]] = {}

    def steering(self, row: PlannedRow, is_apex: bool) -> RowNumbers:
        """Return the row of what a policy planned."""
        hashed = row.is_sticky, self._pools[self._pool_index[row.fallback_pool]].hashed_as_fallback[row.is_sticky]
        known = self._numbers_of.get(hashed)
        if known is None:
            known = self._numbers_of[hashed] = {}
        numbers = []
        for candidates in row.lists:
            number = known.get(candidates)
            if number is None:
                number = known[candidates] = self._number_list(candidates, *hashed)
            numbers.append(number)
        return self.leading(row, is_apex, numbers)

    def leading(self, row: PlannedRow, is_apex: bool, numbers: Sequence[int]) -> RowNumbers:
        """Return the row whose place classes lead to `numbers`, one for each of its plan's lists."""
        places = self.classes.columns(row.select, row.cut, numbers)
        flags = row.flags | LB_APEX if is_apex else row.flags
        return RowNumbers(row.select, flags, row.ttl, self._pool_index[row.fallback_pool], row.policy, places)

    def fixed(self, ttl: int) -> RowNumbers:
        """Return the row of an answer without records: its TTL is all that counts."""
        return RowNumbers(SELECT_FIRST, LB_FIXED, ttl, 0, 0, NO_PLACES)

    def gives_cname(self, load_balancer: LoadBalancer) -> bool:
        """Return whether any pool of a load balancer has an endpoint that is answered as a CNAME."""
        is_asked = load_balancer.type == "A" and self._cname_pools
        return bool(is_asked) and not self._cname_pools.isdisjoint(load_balancer.pool_names())

    def _number_list(self, candidates: Candidates, is_sticky: bool, fallback_hashes: int) -> int:
        """Return the number of a candidate list, stored once per hashing flags."""
        pools = [self._pool_index[name] for name, _ in candidates]
        flags = fallback_hashes
        for pool in pools:
            flags |= self._pools[pool].hashed[is_sticky]
        lists = self._lists.setdefault(flags, {})
        number = lists.get(candidates)
        if number is None:
            columns = self._columns
            number = lists[candidates] = len(columns["list_start"])
            columns["list_start"].append(len(columns["member_pool"]))
            columns["list_count"].append(len(candidates))
            columns["list_flags"].append(flags)
            columns["member_pool"].extend(pools)
            columns["member_weight"].extend([weight for _, weight in candidates])
        return number
