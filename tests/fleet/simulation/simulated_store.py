"""A machine's store as its replica sees it: rows in a dictionary, written as a whole or not at all, on a disk that a
kill does not touch. Writing takes time, in which a machine may be killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lbdns.fleet.replica.fleet_base import FleetBase
from lbdns.fleet.replica.replica_store import StorePlace
from lbdns.fleet.replica.revision_message import Arrived, ObjectRow, StreamEntry
from lbdns.fleet.replica.state_sum import moved_sum, row_sum, rows_sum
from lbdns.model.fleet_mark import FleetMark
from tests.fleet.simulation.revision_oracle import RevisionOracle

WRITES_S: Final = 0.01
OBJECTS: Final = "objects"


@dataclass(slots=True)
class StoreDisk:
    """What lies on the disk."""

    rows: dict[str, ObjectRow] = field(default_factory=dict)
    revision: int = 0
    sum: int = 0
    mark: FleetMark | None = None
    copies: int = 0


class SimulatedStore:
    """A ReplicaStore on a disk; `writing` is held by whoever changes it."""

    def __init__(self, machine: str, disk: StoreDisk, oracle: RevisionOracle) -> None:
        self.disk = disk
        self.writing = asyncio.Lock()
        self._machine = machine
        self._oracle = oracle

    @contextlib.asynccontextmanager
    async def _write(self) -> AsyncIterator[None]:
        async with self.writing:
            await asyncio.sleep(WRITES_S)
            yield

    async def place(self) -> StorePlace:
        """Return where it stands."""
        disk = self.disk
        return StorePlace(disk.mark, disk.revision, disk.sum, not disk.rows and not disk.revision)

    async def take(self, generation: str, arrived: Sequence[Arrived]) -> StorePlace:
        """Store entries that follow on what it has."""
        async with self._write():
            mark = self.disk.mark
            known = mark.sequence if mark is not None and mark.generation == generation else 0
            for one in arrived:
                if one.sequence > known:
                    self.commit(one.entry, FleetMark(generation, one.sequence))
        return await self.place()

    async def replace(self, generation: str, base: FleetBase, arrived: Sequence[Arrived]) -> StorePlace:
        """Store a base and what follows in place of all."""
        async with self._write():
            rows = {row[0]: row for row in base.objects}
            mark = FleetMark(generation, base.as_of)
            self.disk = StoreDisk(rows, base.revision, rows_sum(OBJECTS, rows.values()), mark, self.disk.copies + 1)
            self._oracle.store(self._machine, base.revision, f"{self.disk.sum:x}")
            for one in arrived:
                self.commit(one.entry, FleetMark(generation, one.sequence))
        return await self.place()

    async def begin(self, mark: FleetMark) -> None:
        """Note what it begins with."""
        async with self._write():
            self.disk.mark = mark

    async def dump(self, id: str, by: str) -> FleetBase:
        """Return all of it."""
        async with self._write():
            disk = self.disk
            assert disk.mark is not None
            rows = tuple(disk.rows.values())
            return FleetBase(id, by, disk.mark.sequence, disk.revision, disk.sum, "account", objects=rows)

    async def may_replace(self) -> bool:
        """Nobody said so."""
        return False

    def sum_after(self, changes: Iterable[ObjectRow | str]) -> int:
        """Return the sum after changes."""
        gone = come = 0
        rows = self.disk.rows
        for change in changes:
            before = rows.get(change if isinstance(change, str) else change[0])
            gone += 0 if before is None else row_sum(OBJECTS, before)
            come += 0 if isinstance(change, str) else row_sum(OBJECTS, change)
        return moved_sum(self.disk.sum, gone, come)

    def commit(self, entry: StreamEntry, mark: FleetMark) -> None:
        """Store an entry, at once."""
        disk = self.disk
        for revision in entry.revisions:
            total = self.sum_after(revision.changes)
            for change in revision.changes:
                if isinstance(change, str):
                    disk.rows.pop(change, None)
                else:
                    disk.rows[change[0]] = change
            disk.sum, disk.revision = total, revision.number
            self._oracle.store(self._machine, revision.number, f"{total:x}")
        disk.mark = mark
