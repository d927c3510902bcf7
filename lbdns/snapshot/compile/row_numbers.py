"""A load balancer's row as the columns have it: numbers alone, so that rows which steer alike are equal."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.compile.balancer_rows import BalancerRow
from lbdns.snapshot.compile.place_classes import PlaceClasses, PlaceColumns
from lbdns.snapshot.compile.pool_rows import PoolRow
from lbdns.steering.kernel.numbers import LB_APEX, LB_FIXED, LB_GIVES_CNAME, NO_TRIE, SELECT_FIRST
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


def append_row(columns: Columns, row: RowNumbers, flags: int = 0) -> None:
    """Append a row, with flags beside its own."""
    columns["lb_select"].append(row.select)
    columns["lb_flags"].append(row.flags | flags)
    columns["lb_ttl"].append(row.ttl)
    columns["lb_fallback"].append(row.fallback)
    columns["lb_policy"].append(row.policy)
    columns["lb_resolver_trie"].append(row.places.resolver_trie)
    columns["lb_ecs_trie"].append(row.places.ecs_trie)
    columns["lb_pop_class"].append(row.places.pop_class)
    columns["lb_lists"].append(row.places.lists)
    columns["lb_ecs_lists"].append(row.places.ecs_lists)


class Numbering:
    """Turns planned rows into numbers; lists of candidates that are equal are stored once."""

    def __init__(self, columns: Columns, pools: Sequence[PoolRow], classes: PlaceClasses) -> None:
        self.classes = classes
        self._columns = columns
        self._pools = pools
        self._lists: dict[tuple[Candidates, int], int] = {}
        self._pool_index: Mapping[str, int] = {row.name: index for index, row in enumerate(pools)}
        self._cname_pools = {row.name for row in pools if row.gives_cname}

    def steering(self, load_balancer: LoadBalancer, row: BalancerRow, is_apex: bool) -> RowNumbers:
        """Return the row of what a policy planned."""
        fallback = self._pool_index[load_balancer.fallback_pool]
        fallback_hashes = self._pools[fallback].hashed_as_fallback[row.is_sticky]
        numbers = [self._list(candidates, row.is_sticky, fallback_hashes) for candidates in row.lists]
        return self.leading(load_balancer, row, is_apex, numbers)

    def leading(
        self, load_balancer: LoadBalancer, row: BalancerRow, is_apex: bool, numbers: Sequence[int]
    ) -> RowNumbers:
        """Return the row whose place classes lead to `numbers`, one for each of its plan's lists."""
        places = self.classes.columns(row.select, row.pop_list, row.cut, numbers)
        fallback = self._pool_index[load_balancer.fallback_pool]
        flags = row.flags | self._place_flags(load_balancer, is_apex)
        return RowNumbers(row.select, flags, load_balancer.ttl, fallback, row.policy, places)

    def fixed(self, load_balancer: LoadBalancer) -> RowNumbers:
        """Return the row of an answer without records: its TTL is all that counts."""
        return RowNumbers(SELECT_FIRST, LB_FIXED, load_balancer.ttl, 0, 0, NO_PLACES)

    def _place_flags(self, load_balancer: LoadBalancer, is_apex: bool) -> int:
        """Return what of a load balancer's flags hangs on the zones and on its pools' endpoints."""
        if is_apex:
            return LB_APEX
        is_asked = load_balancer.type == "A" and self._cname_pools
        return LB_GIVES_CNAME if is_asked and not self._cname_pools.isdisjoint(load_balancer.pool_names()) else 0

    def _list(self, candidates: Candidates, is_sticky: bool, fallback_hashes: int) -> int:
        """Return the number of a candidate list, stored once per hashing flags."""
        pools = [self._pool_index[name] for name, _ in candidates]
        flags = fallback_hashes
        for pool in pools:
            flags |= self._pools[pool].hashed[is_sticky]
        number = self._lists.get((candidates, flags))
        if number is None:
            columns = self._columns
            number = self._lists[candidates, flags] = len(columns["list_start"])
            columns["list_start"].append(len(columns["member_pool"]))
            columns["list_count"].append(len(candidates))
            columns["list_flags"].append(flags)
            columns["member_pool"].extend(pools)
            columns["member_weight"].extend([weight for _, weight in candidates])
        return number
