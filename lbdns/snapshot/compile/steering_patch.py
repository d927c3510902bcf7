"""The columns of steering altered where a pool or a load balancer is another, as long as no row moves.

A load balancer's row may get another TTL, other flags and another policy's number; a pool's rows, and its endpoints',
may say other addresses and weights; load balancers may come behind the others (steering_append.py). What moves rows or
makes other lists is compiled anew, and so is everything where there are rules: what these come to rests on all that
they refer to.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress, count
from operator import attrgetter, is_not
from typing import Final

from lbdns.mapped.columns import COLUMNS
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.snapshot.compile.balancer_rows import BalancerRow, balancer_row
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.pool_rows import ENDPOINT_PARTS, POOL_PARTS, PoolRow, pool_row
from lbdns.snapshot.compile.steering_append import AppendedRows
from lbdns.snapshot.compile.steering_columns import Steering, SteeringBasis
from lbdns.snapshot.compile.zone_columns import Placed
from lbdns.snapshot.slots import Slots
from lbdns.steering.kernel.numbers import LB_APEX, LB_GIVES_CNAME, SELECT_SET
from lbdns.steering.policies.context import Context

PATCHED_MAX: Final = 1000
"""Load balancers and pools that are others, beyond which all is compiled anew."""
APPENDED_MAX: Final = 100
"""Load balancers that come behind the others, beyond which all is compiled anew."""
_KEYS: Final = attrgetter("keys")
_TEXTS: Final = ("name", "names", "targets", "hashed", "hashed_as_fallback", "gives_cname")
"""What a pool's row has beyond its own columns: with another, other rows are others."""


def patched(steering: Steering, basis: SteeringBasis, pools: Mapping[str, Pool], memo: CompileMemo) -> Steering | None:
    """Return the columns on another basis, altered where that is another; None where they are to be compiled anew.

    What `memo` keeps is brought up to date where they are altered.
    """
    before = steering.basis
    if not (basis.surrounds_alike(before) and basis.viewed is None):
        return None
    there = basis.balancers[: len(before.balancers)]
    balancers, changed_pools = _positions(before.balancers, there), _positions(before.pools, basis.pools)
    if balancers is None or changed_pools is None or steering.has_rules:
        return None
    if len(basis.balancers) - len(there) > APPENDED_MAX:
        return None
    return _Patch(steering, basis, pools, memo).apply(balancers, changed_pools)


def _positions(before: Sequence[object], now: Sequence[object]) -> list[int] | None:
    """Return where two sequences have other objects; None where they are of other lengths, or differ too much."""
    if len(before) != len(now):
        return None
    found = [*compress(count(), map(is_not, before, now))]
    return found if len(found) <= PATCHED_MAX else None


class _Patch:
    """One change of columns: nothing is altered before all of it is known to be possible."""

    def __init__(self, steering: Steering, basis: SteeringBasis, pools: Mapping[str, Pool], memo: CompileMemo) -> None:
        self._steering = steering
        self._basis = basis
        self._memo = memo
        self._context = Context(basis.site, basis.index.units, pools, memo.parts, lambda: False)
        self._made: dict[str, array[int]] = {}
        self._texts, self._placed = bytearray(), list[Placed]()
        self._pools: Sequence[PoolRow] = ()

    def apply(self, balancers: Sequence[int], pools: Sequence[int]) -> Steering | None:
        """Return what comes of load balancers and pools that are others, by their positions."""
        before, basis, memo = self._steering.basis, self._basis, self._memo
        rows = {at: self._row(before.balancers[at], basis.balancers[at]) for at in balancers}
        known = memo.pools.of_all(before.pools, pool_row)
        self._pools = memo.pools.of_all(basis.pools, pool_row)
        if not all(_is_alike(known[at], self._pools[at]) for at in pools):
            return None
        if None in rows.values() or not self._hold(pools, rows):
            return None
        for at, row in rows.items():
            if row is not None:
                self._put_balancer(at, row)
                memo.balancers.drop(before.balancers[at])
                memo.keep_row(basis.balancers[at], row)
        families = dict(self._steering.families)
        for at in pools:
            self._put_pool(at, self._pools[at])
            families[self._pools[at].name] = self._pools[at].families
        self._put_slots()
        appended = self._append()
        if appended is None:
            return None
        made = {name: memoryview(column).toreadonly() for name, column in self._made.items()}
        columns = {**self._steering.columns, **made}
        steering = replace(self._steering, basis=basis, columns=columns, balancers=basis.balancers, families=families)
        if not appended:
            return steering
        for at, row in enumerate(appended, len(before.balancers)):
            memo.keep_row(basis.balancers[at], row)
            steering.note_reader(at, row)
        return replace(steering, blob=memoryview(bytes(self._texts)), placed=self._placed)

    def _append(self) -> list[BalancerRow] | None:
        """Append the load balancers that come behind the others, and return their rows; None where that cannot be."""
        memo, basis, before = self._memo, self._basis, self._steering.basis
        first = len(before.balancers)
        if first == len(basis.balancers):
            return []
        if not first:
            return None
        readers = self._steering.readers(memo.balancers)
        kept = basis.balancers[:first]
        rows = AppendedRows(self._steering, basis, self._pools, lambda at: memo.balancers.find(kept[at]), self._column)
        made = []
        for balancer in basis.balancers[first:]:
            row = balancer_row(balancer, self._context)
            if balancer.has_rules or row.planned.select == SELECT_SET:
                return None
            alike = (at for name, _ in row.reads.pools[:1] for at in readers.get(name, ()) if at < first)
            if not rows.append(balancer, row, self._flags(balancer, row.owner), alike):
                return None
            made.append(row)
        self._texts, self._placed = rows.texts, rows.placed
        return made

    def _row(self, before: LoadBalancer, now: LoadBalancer) -> BalancerRow | None:
        """Return the row of a load balancer, None where it is not that of before with another TTL or policy."""
        known = self._memo.balancers.find(before)
        if known is None or (before.label, before.type) != (now.label, now.type):
            return None
        row = balancer_row(now, self._context)
        old, new = known.planned, row.planned
        kept = old.select, old.lists, old.fallback_pool, old.is_sticky
        if kept != (new.select, new.lists, new.fallback_pool, new.is_sticky) or old.cut is not new.cut:
            return None
        asks_partitions = row.reads.many_partitions is not None or known.reads.many_partitions is not None
        if row.owner != known.owner or now.has_rules or new.select == SELECT_SET or asks_partitions:
            return None
        if not {name for name, _ in row.reads.pools} <= {name for name, _ in known.reads.pools}:
            return None
        return row._replace(planned=new._replace(lists=old.lists))

    def _hold(self, pools: Sequence[int], planned: Collection[int]) -> bool:
        """Whether all load balancers, but those that were planned just now, are planned as before, though some pools
        are others."""
        if not pools:
            return True
        readers = self._steering.readers(self._memo.balancers)
        read = {at for pool in pools for at in readers.get(self._basis.pools[pool].name, ())}
        plans = (self._memo.balancers.find(self._basis.balancers[at]) for at in read.difference(planned))
        return all(plan is not None and plan.reads.hold(self._context) for plan in plans)

    def _put_balancer(self, at: int, row: BalancerRow) -> None:
        planned = row.planned
        flags = planned.flags | self._flags(self._basis.balancers[at], row.owner)
        for name, value in (("lb_flags", flags), ("lb_ttl", planned.ttl), ("lb_policy", planned.policy)):
            self._column(name)[at] = value

    def _flags(self, balancer: LoadBalancer, owner: bytes) -> int:
        """Return the flags of a load balancer that are not its plan's."""
        asked = self._steering.cname_pools if balancer.type == "A" else frozenset()
        is_apex = owner in self._basis.apexes[0]
        gives_cname = bool(asked) and not is_apex and not asked.isdisjoint(balancer.pool_names())
        return (LB_APEX if is_apex else 0) | (LB_GIVES_CNAME if gives_cname else 0)

    def _put_pool(self, at: int, row: PoolRow) -> None:
        start, offset = self._steering.columns["pool_endpoint_start"][at], 0
        for first, rows, those in ((at, 1, POOL_PARTS), (start, len(row.keys), ENDPOINT_PARTS)):
            for name, size in those:
                part = array(COLUMNS[name])
                part.frombytes(row.parts[offset : offset + rows * size])
                offset += rows * size
                width = size // part.itemsize
                self._column(name)[first * width : first * width + len(part)] = part

    def _put_slots(self) -> None:
        """Have the slots that the rows lead to now."""
        slots, before = self._basis.slots, self._steering.basis.slots
        pools = self._basis.pools
        keys = chain.from_iterable(map(_KEYS, self._pools))
        if slots.pool is not before.pool:
            self._put_all("pool_slot", map(slots.pool.__getitem__, [one.name for one in pools]))
        if slots.endpoint is not before.endpoint or slots.pool is not before.pool:
            self._put_all("endpoint_slot", map(slots.endpoint.__getitem__, keys))
        there = self._basis.balancers[: len(self._steering.balancers)]
        if slots.load_balancer is not before.load_balancer:
            self._put_all("lb_slot", map(_slot_of(slots), there))

    def _put_all(self, name: str, values: Iterable[int]) -> None:
        self._made[name] = array(COLUMNS[name], values)

    def _column(self, name: str) -> array[int]:
        """Return a column to alter, a copy of what it was."""
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = array(COLUMNS[name])
            if name in self._steering.columns:
                found.frombytes(self._steering.columns[name].cast("B"))
        return found


def _is_alike(known: PoolRow, made: PoolRow) -> bool:
    """Whether no other row changes with that of a pool."""
    return all(getattr(known, field) == getattr(made, field) for field in _TEXTS)


def _slot_of(slots: Slots) -> Callable[[LoadBalancer], int]:
    return lambda one: slots.load_balancer[one.label, one.type]
