"""What compiling a configuration leaves for the next time: most of it is the same then.

Kept is what rests on unchanged inputs alone, and only as long as each compile asks for it. A snapshot that was compiled
with a memo says the same as one compiled without: all but its columns of names are the same, byte for byte, and these
may have rows, and the blob may have texts and record data, in another order. Once load balancers have gone, or come
between others, their rows are in another order as well, and there may be lists that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from typing import Final

from lbdns.base.memo import ByObject, BySequence, Chosen
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.balancer import LoadBalancer
from lbdns.model.pool import Pool
from lbdns.snapshot.compile.balancer_rows import BalancerRow
from lbdns.snapshot.compile.name_columns import NameColumns
from lbdns.snapshot.compile.place_classes import PlaceIndex
from lbdns.snapshot.compile.pool_rows import PoolRow
from lbdns.snapshot.compile.rule_memo import RuleMemo
from lbdns.snapshot.compile.steering_columns import Steering
from lbdns.snapshot.compile.tries import Tries
from lbdns.snapshot.compile.view_zones import ViewedMemo
from lbdns.steering.policies.context import PlanParts, Site

ROWS_BYTES_MAX: Final = 128_000_000
"""Rows of load balancers, and what their plans share, beyond so many bytes are made anew each time."""


class CompileMemo:
    """Kept by whoever compiles again and again, one compile at a time."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.pools: BySequence[Pool, PoolRow] = BySequence()
        self.balancers: ByObject[BalancerRow] = ByObject()
        self.enabled: Chosen[LoadBalancer] = Chosen(attrgetter("enabled"))
        self.rules = RuleMemo()
        self.views = ViewedMemo()
        self.tries = Tries()
        self.parts = PlanParts(self._has_room)
        self.names: NameColumns | None = None
        self.steering: Steering | None = None
        self._rows_bytes = 0
        self._place: tuple[Site, PlaceIndex] | None = None

    @contextmanager
    def compiling(self, site: Site, index: PlaceIndex) -> Iterator[Tries]:
        """Yield where this compile's tries go; what it does not use is dropped at its end."""
        if self._place is None or self._place[0] != site or self._place[1] is not index:
            self._place = (site, index)
            self.balancers.clear()
            self.parts.clear()
            self.tries = Tries()
        self._rows_bytes = 0
        tries = Tries(self.tries)
        with self.balancers.round(), self.parts.round(), self.rules.round():
            yield tries
        self.tries = tries

    def take_mapped(self, snapshot: Snapshot) -> None:
        """Have the columns of the last compile where its snapshot has them mapped, not in this process's memory as
        well."""
        if self.steering is not None:
            self.steering = self.steering.mapped(snapshot)
            self.tries.take_mapped(snapshot)
        if self.names is not None:
            self.names.columns = {name: snapshot.columns[name] for name in self.names.columns}
            self.names.before = None if self.steering is None else self.steering.blob

    def keep_row(self, balancer: object, row: BalancerRow) -> None:
        """Keep a load balancer's row, as long as there is room."""
        if self._has_room(row.size):
            self.balancers.keep(balancer, row)

    def _has_room(self, size: int) -> bool:
        """Return whether so many bytes more may be kept of what this compile makes."""
        self._rows_bytes += size
        return self._rows_bytes <= ROWS_BYTES_MAX
