"""The columns of steering altered where a pool or a load balancer is another, as long as no row moves.

A load balancer's row may get another TTL, other flags and another policy's number; a pool's rows, and its endpoints',
may say other addresses and weights; load balancers may come, their rows behind the others (steering_append.py), or go:
then their rows are free, nothing leads to them, and those that come next have them. What moves rows or makes other
lists is compiled anew, and so is everything where there are rules: what these come to rests on all that they refer to.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress, count
from operator import attrgetter, is_not
from typing import Final, TypeVar

from lbdns.base.memo import Sequel, shared_ends
from lbdns.mapped.columns import COLUMNS, NONE_32
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.snapshot.compile.balancer_rows import BalancerRow, balancer_row
from lbdns.snapshot.compile.compile_memo import CompileMemo
from lbdns.snapshot.compile.pool_rows import ENDPOINT_PARTS, POOL_PARTS, PoolRow, pool_row
from lbdns.snapshot.compile.steering_append import AppendedRows
from lbdns.snapshot.compile.steering_columns import Steering, SteeringBasis
from lbdns.snapshot.compile.zone_columns import BY_NAME, Placed
from lbdns.steering.kernel.numbers import LB_APEX, LB_GIVES_CNAME, SELECT_SET
from lbdns.steering.policies.context import Context

PATCHED_MAX: Final = 1000
"""Load balancers and pools that are others, beyond which all is compiled anew."""
COME_MAX: Final = 100
"""Load balancers that are new, beyond which all is compiled anew."""
GONE_SHARE: Final = 8
GONE_MIN: Final = 16
"""Load balancers that have gone since all was compiled, beyond which it is again: one in GONE_SHARE of the rows, and
GONE_MIN in any case. Each may leave lists, places and a text that nothing leads to."""
Key = TypeVar("Key")
Kept = TypeVar("Kept")
_KEYS: Final = attrgetter("keys")
_TEXTS: Final = ("name", "names", "targets", "hashed", "hashed_as_fallback", "gives_cname")
"""What a pool's row has beyond its own columns: with another, other rows are others."""


def patched(steering: Steering, basis: SteeringBasis, pools: Mapping[str, Pool], memo: CompileMemo) -> Steering | None:
    """Return the columns on another basis, altered where that is another; None where they are to be compiled anew.

    What `memo` keeps is brought up to date where they are altered.
    """
    before = steering.basis
    if steering.has_rules or basis.viewed is not None or not basis.surrounds_alike(before):
        return None
    gone, come, balancers = _differences(before.balancers, basis.balancers)
    changed_pools = _positions(before.pools, basis.pools)
    if balancers is None or changed_pools is None or len(come) > COME_MAX:
        return None
    if steering.gone + len(gone) > max(GONE_MIN, len(steering.balancers) // GONE_SHARE):
        return None
    return _Patch(steering, basis, pools, memo, gone, come).apply(balancers, changed_pools)


def _differences(
    before: Sequence[LoadBalancer], now: Sequence[LoadBalancer]
) -> tuple[Sequence[int], Sequence[int], list[int] | None]:
    """Return the positions of the load balancers that are no more, under their names and types; of those that were not
    there before; and, of the others among themselves, where they are other objects, None where they differ too much."""
    first, last = shared_ends(before, now)
    were = [(one.label, one.type) for one in before[first : len(before) - last]]
    are = [(one.label, one.type) for one in now[first : len(now) - last]]
    kept = {*were}.intersection(are)
    gone = [at for at, key in enumerate(were, first) if key not in kept]
    come = [at for at, key in enumerate(are, first) if key not in kept]
    stay = [before[at] for at, key in enumerate(were, first) if key in kept]
    positions = _positions(stay, [now[at] for at, key in enumerate(are, first) if key in kept])
    return gone, come, None if positions is None else [first + at for at in positions]


def without(those: Sequence[Kept], gone: Sequence[int]) -> Sequence[Kept]:
    """Return a sequence without what stands at some positions, in order."""
    if not gone:
        return those
    left = list(those)
    for at in reversed(gone):
        del left[at]
    return left


def _positions(before: Sequence[object], now: Sequence[object]) -> list[int] | None:
    """Return where two sequences have other objects; None where they are of other lengths, or differ too much."""
    if len(before) != len(now):
        return None
    found = [*compress(count(), map(is_not, before, now))]
    return found if len(found) <= PATCHED_MAX else None


class _Patch:
    """One change of columns: nothing is altered before all of it is known to be possible."""

    def __init__(
        self,
        steering: Steering,
        basis: SteeringBasis,
        pools: Mapping[str, Pool],
        memo: CompileMemo,
        gone: Sequence[int],
        come: Sequence[int],
    ) -> None:
        """`gone`: the positions of load balancers that are no more; `come`: of those that were not there before."""
        self._steering = steering
        self._gone = gone
        self._come = come
        self._kept = without(steering.basis.balancers, gone), without(basis.balancers, come)
        self._rows = list(without(steering.rows, gone))
        self._free = [*steering.free, *(steering.rows[at] for at in gone)]
        self._basis = basis
        self._memo = memo
        self._context = Context(basis.site, basis.index.units, pools, memo.parts, lambda: False)
        self._made: dict[str, array[int]] = {}
        self._texts = b""
        self._placed: Sequence[Placed] = steering.placed
        self._pools: Sequence[PoolRow] = ()

    def apply(self, balancers: Sequence[int], pools: Sequence[int]) -> Steering | None:
        """Return what comes of load balancers and pools that are others, by their positions."""
        before, basis, memo = self._steering.basis, self._basis, self._memo
        rows = {at: self._row(self._kept[0][at], self._kept[1][at]) for at in balancers}
        known = memo.pools.of_all(before.pools, pool_row)
        self._pools = memo.pools.of_all(basis.pools, pool_row)
        if not all(_is_alike(known[at], self._pools[at]) for at in pools):
            return None
        if None in rows.values() or not self._hold(pools, rows):
            return None
        for at, row in rows.items():
            if row is not None:
                self._put_balancer(at, row)
                memo.balancers.drop(self._kept[0][at])
                memo.keep_row(self._kept[1][at], row)
        families = dict(self._steering.families)
        for at in pools:
            self._put_pool(at, self._pools[at])
            families[self._pools[at].name] = self._pools[at].families
        self._put_slots(pools)
        self._set_free()
        of_rows = self._of_rows(balancers)
        appended = self._append(of_rows)
        if appended is None:
            return None
        made = {name: memoryview(column).toreadonly() for name, column in self._made.items()}
        steering = replace(
            self._steering,
            basis=basis,
            columns={**self._steering.columns, **made},
            balancers=of_rows,
            families=families,
            placed=self._placed,
            rows=self._rows,
            free=tuple(self._free),
            gone=self._steering.gone + len(self._gone),
        )
        for at, row in zip(self._come, appended, strict=True):
            memo.keep_row(basis.balancers[at], row)
            steering.note_reader(self._rows[at], row)
        return replace(steering, blob=memoryview(self._texts)) if appended else steering

    def _set_free(self) -> None:
        """Have the rows of load balancers that are no more say nothing."""
        for at in self._gone:
            row = self._steering.rows[at]
            self._memo.balancers.drop(self._steering.basis.balancers[at])
            self._column("lb_slot")[row] = NONE_32
            self._column("lb_text")[row] = 0

    def _of_rows(self, changed: Sequence[int]) -> list[LoadBalancer]:
        """Return the load balancer of each row; of a free one, that which it was of. `changed`: where those are others
        that stay."""
        found = list(self._steering.balancers)
        for at in changed:
            found[self._rows[at]] = self._kept[1][at]
        return found

    def _append(self, of_rows: list[LoadBalancer]) -> list[BalancerRow] | None:
        """Give rows to the load balancers that come, in `of_rows` too, and return them; None where that cannot be."""
        memo, there = self._memo, self._steering.balancers
        placed = list(without(self._steering.placed, self._gone)) if self._gone or self._come else []
        if not self._come:
            self._place(placed)
            return []
        if not self._rows:
            return None
        readers = self._steering.readers(memo.balancers)
        rows = AppendedRows(
            self._steering,
            self._basis,
            self._pools,
            lambda row: memo.balancers.find(there[row]),
            self._column,
            self._look,
        )
        made = []
        for at in self._come:
            balancer = self._basis.balancers[at]
            row = balancer_row(balancer, self._context)
            if balancer.has_rules or row.planned.select == SELECT_SET:
                return None
            alike = (at for name, _ in row.reads.pools[:1] for at in readers.get(name, ()) if at < len(there))
            number = rows.append(balancer, row, self._flags(balancer, row.owner), alike, self._free)
            if number is None:
                return None
            self._rows.insert(at, number)
            of_rows[number : number + 1] = [balancer]
            placed.insert(at, (BY_NAME, row.owner, balancer.type, number))
            made.append(row)
        self._texts = bytes(rows.texts)
        self._place(placed)
        return made

    def _place(self, placed: list[Placed]) -> None:
        """Have load balancers stand where they do now, told as the sequel of where they stood."""
        if not self._gone and not self._come:
            return
        before, now = self._steering.placed, placed
        first = min([*self._gone[:1], *self._come[:1]])
        last = min(len(some) - those[-1] - 1 for some, those in ((before, self._gone), (now, self._come)) if those)
        last = min(last, len(before) - first, len(now) - first)
        self._placed = Sequel.of(before, first, now[first : len(now) - last], last)

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
        read = {row for pool in pools for row in readers.get(self._basis.pools[pool].name, ())}
        read.difference_update([self._rows[at] for at in planned], self._free)
        plans = (self._memo.balancers.find(self._steering.balancers[row]) for row in read)
        return all(plan is not None and plan.reads.hold(self._context) for plan in plans)

    def _put_balancer(self, at: int, row: BalancerRow) -> None:
        planned = row.planned
        flags = planned.flags | self._flags(self._kept[1][at], row.owner)
        for name, value in (("lb_flags", flags), ("lb_ttl", planned.ttl), ("lb_policy", planned.policy)):
            self._column(name)[self._rows[at]] = value

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

    def _put_slots(self, changed: Sequence[int]) -> None:
        """Have the slots that the rows lead to now; `changed`: the positions of the pools that are others."""
        slots, before = self._basis.slots, self._steering.basis.slots
        changes = slots.since(before)
        if slots.endpoint is not before.endpoint or slots.pool is not before.pool:
            moved = None if changes is None else {*changes.pool, *(pool for pool, *_ in changes.endpoint)}
            if moved is not None and moved <= {self._pools[at].name for at in changed}:
                for at in changed:
                    self._put_slots_of(at)
            else:
                self._put_all("pool_slot", map(slots.pool.__getitem__, [one.name for one in self._basis.pools]))
                keys = chain.from_iterable(map(_KEYS, self._pools))
                self._put_all("endpoint_slot", map(slots.endpoint.__getitem__, keys))
        known = None if changes is None else changes.load_balancer
        if _are_others(before.load_balancer, slots.load_balancer, known):
            for row, one in zip(self._rows, self._kept[1], strict=True):
                self._column("lb_slot")[row] = slots.load_balancer[one.label, one.type]

    def _put_slots_of(self, at: int) -> None:
        """Have the slots of one pool, and of its endpoints, which stand where they stood."""
        slots, row = self._basis.slots, self._pools[at]
        self._column("pool_slot")[at] = slots.pool[row.name]
        start = self._steering.columns["pool_endpoint_start"][at]
        mine = array(COLUMNS["endpoint_slot"], map(slots.endpoint.__getitem__, row.keys))
        self._column("endpoint_slot")[start : start + len(mine)] = mine

    def _put_all(self, name: str, values: Iterable[int]) -> None:
        self._made[name] = array(COLUMNS[name], values)

    def _look(self, name: str) -> Sequence[int]:
        """Return a column to look into, altered or not."""
        return self._made[name] if name in self._made else self._steering.columns[name]

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


def _are_others(before: Mapping[Key, int], now: Mapping[Key, int], changed: Iterable[Key] | None) -> bool:
    """Whether any key that is in both has another slot now; `changed`: the keys that may, where they are known."""
    if before is now:
        return False
    keys = (key for key, _ in before.items() ^ now.items()) if changed is None else changed
    return any(key in before and key in now for key in keys)
