"""Rows of load balancers that come: columns go on where they end, and what stands there stays; a free row is filled.

A load balancer that is planned like another, over the same first pool, has its lists and tries. Another one has lists
of its own where it does not tell places apart, those that stand there already where they are equal. All else is
compiled anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from lbdns.mapped.blob import encoded_text
from lbdns.mapped.columns import COLUMNS
from lbdns.model.balancer import LoadBalancer
from lbdns.snapshot.compile.balancer_rows import BalancerRow, PlannedRow
from lbdns.snapshot.compile.place_classes import PlaceColumns
from lbdns.snapshot.compile.pool_rows import PoolRow
from lbdns.snapshot.compile.row_numbers import RowNumbers, append_rows
from lbdns.snapshot.compile.steering_columns import Steering, SteeringBasis
from lbdns.steering.kernel.numbers import NO_RULES, NO_TRIE, SELECT_NEAREST
from lbdns.steering.policies.plan import Candidates

BALANCER_COLUMNS: Final = tuple(name for name in COLUMNS if name.startswith("lb_"))
"""Those that have a row for each load balancer."""
ALIKE_MAX: Final = 256
"""Load balancers over a pool that are looked at for one that is planned alike."""
Column = Callable[[str], "array[int]"]


class AppendedRows:
    """Appends rows to columns, of which `column` gives one by its name to be altered, `look` one to be looked into.

    What is not altered need not be written again.
    """

    def __init__(
        self,
        steering: Steering,
        basis: SteeringBasis,
        pools: Sequence[PoolRow],
        rows: Callable[[int], BalancerRow | None],
        column: Column,
        look: Callable[[str], Sequence[int]],
    ) -> None:
        """`pools`: as they are now; `rows`: gives that of a load balancer that was there before, by its number."""
        self._steering, self._basis, self._pools = steering, basis, pools
        self._rows, self._column, self._look = rows, column, look
        self._index: Mapping[str, int] = {row.name: index for index, row in enumerate(pools)}
        self.texts = bytearray(steering.blob)

    def append(
        self, balancer: LoadBalancer, row: BalancerRow, flags: int, readers: Iterable[int], free: list[int]
    ) -> int | None:
        """Append a load balancer, or put it into a row that is free, and return its row; None where all is to be
        compiled anew: what was appended is of no use then.

        `flags`: those beside its plan's; `readers`: the rows of those that look at its first pool; `free`: rows that
        are free, of which one that is taken is taken out.
        """
        places = self._alike(row, readers) or self._own(row.planned)
        if places is None:
            return None
        planned, number = row.planned, free.pop() if free else len(self._column("lb_select"))
        columns: Any = _Columns(self._column)
        fallback = self._index[planned.fallback_pool]
        numbers = RowNumbers(planned.select, planned.flags, planned.ttl, fallback, planned.policy, places)
        append_rows(columns, [numbers], [flags])
        self._column("lb_hit_start").append(len(self._steering.columns.get("hit_slot", ())))
        self._column("lb_slot").append(self._basis.slots.load_balancer[balancer.label, balancer.type])
        self._column("lb_rules").append(NO_RULES)
        self._column("lb_text").append(len(self.texts))
        self.texts += encoded_text(balancer.label)
        if number < len(self._column("lb_select")) - 1:
            for name in BALANCER_COLUMNS:
                self._column(name)[number] = self._column(name).pop()
        return number

    def _alike(self, row: BalancerRow, readers: Iterable[int]) -> PlaceColumns | None:
        """Return what leads from places to lists of a load balancer that is planned just so."""
        wanted = row.planned
        for at, _ in zip(readers, range(ALIKE_MAX), strict=False):
            known = self._rows(at)
            if known is None or known.reads.many_partitions is not row.reads.many_partitions:
                continue
            there = known.planned
            if (there.select, there.is_sticky, there.fallback_pool) != (
                wanted.select,
                wanted.is_sticky,
                wanted.fallback_pool,
            ):
                continue
            if there.cut is wanted.cut and there.lists == wanted.lists:
                names = ("lb_resolver_trie", "lb_ecs_trie", "lb_pop_class", "lb_lists", "lb_ecs_lists")
                return PlaceColumns(*(self._look(name)[at] for name in names))
        return None

    def _own(self, planned: PlannedRow) -> PlaceColumns | None:
        """Return the same for lists of its own; None where it tells places apart."""
        if planned.cut is not None or planned.select == SELECT_NEAREST:
            return None
        numbers = [self._list(candidates, planned) for candidates in planned.lists]
        lists = self._segment(numbers[0])
        return PlaceColumns(NO_TRIE, NO_TRIE, 1, lists, lists)

    def _list(self, candidates: Candidates, planned: PlannedRow) -> int:
        """Return the number of a candidate list, appended where none is equal."""
        pools = [self._index[name] for name, _ in candidates]
        flags = self._pools[self._index[planned.fallback_pool]].hashed_as_fallback[planned.is_sticky]
        for pool in pools:
            flags |= self._pools[pool].hashed[planned.is_sticky]
        counts, of_flags, first, there = map(self._values, ("list_count", "list_flags", "list_start", "member_pool"))
        weights = self._values("member_weight")
        wanted = np.array([weight for _, weight in candidates], weights.dtype)
        found = np.flatnonzero((counts == len(pools)) & (of_flags == flags))
        for number in found[there[first[found]] == pools[0]].tolist() if pools else found.tolist():
            those = slice(first[number], first[number] + len(pools))
            if there[those].tolist() == pools and np.array_equal(weights[those], wanted):
                return int(number)
        del counts, of_flags, first, there, weights  # columns cannot grow while they are looked into
        starts, members = self._column("list_start"), self._column("member_pool")
        starts.append(len(members))
        self._column("list_count").append(len(pools))
        self._column("list_flags").append(flags)
        members.extend(pools)
        self._column("member_weight").extend(wanted.tolist())
        return len(starts) - 1

    def _segment(self, number: int) -> int:
        """Return where the two classes of who does not tell places apart lead to a list, appended where none do."""
        tries, starts, lists = map(self._values, ("lb_resolver_trie", "lb_lists", "class_list"))
        those = starts[tries == NO_TRIE].astype(np.intp)
        found = those[(lists[those] == number) & (lists[those + 1] == number)]
        del tries, starts, lists  # columns cannot grow while they are looked into
        if len(found):
            return int(found.min())
        classes = self._column("class_list")
        classes.extend((number, number))
        return len(classes) - 2

    def _values(self, name: str) -> Any:
        return np.frombuffer(self._look(name), COLUMNS[name])  # type: ignore[call-overload]  # it wants a buffer


class _Columns(dict[str, "array[int]"]):
    """Columns by name, each made when it is asked for."""

    def __init__(self, column: Column) -> None:
        self._column_of = column

    def __missing__(self, name: str) -> array[int]:
        return self._column_of(name)
