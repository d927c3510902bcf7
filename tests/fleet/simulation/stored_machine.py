"""A machine with the product's whole road from a change to the stream and back: StoreManager, FleetStore, SQLite.

It is killed as by kill -9: its next life begins with the store's files as they are at that moment.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lbdns.base.kinds import Kind
from lbdns.fleet.replica.fleet_replica import FleetReplica
from lbdns.fleet.replica.revision_message import SentRevision, StreamEntry
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.fleet_store import FleetStore
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.refusals import Unavailable, Unconfirmed
from lbdns.manage.store.sqlite import Revision, Store
from lbdns.manage.store.unreadable import Unreadable
from lbdns.model.settings import Settings
from tests.fleet.simulation.simulated_bus import SimulatedBus
from tests.fleet.simulation.stepped_threads import Lifetime, wait_in_thread

if TYPE_CHECKING:
    from tests.fleet.simulation.simulated_replicas import SimulatedReplicas

FLEET: Final = "f00"
COUNTER: Final = "counter"
WITHIN_S: Final = 4.0
LOOK_S: Final = 0.25
STORE_S: Final = (0.0, 0.005, 0.5)
"""How long it takes from an append that is acknowledged until it is stored."""


class SteppedFleetStore(FleetStore):
    """The product's, in stepped threads."""

    takes_s: float = 0.0

    def _wait_for(self, work: Any) -> Any:
        return wait_in_thread(work)

    def append(self, revisions: Sequence[Revision], dropped: Sequence[Unreadable], given_out: int) -> str:
        """Append, and take a moment before it is stored."""
        mark = super().append(revisions, dropped, given_out)
        wait_in_thread(asyncio.sleep(self.takes_s))
        return mark


class StoredMachine:
    """One machine: the directory of its store, and while it runs all that works on it."""

    def __init__(self, name: str, fleet: SimulatedReplicas, is_first: bool, work: Path) -> None:
        self.name = name
        self._fleet = fleet
        self._is_first = is_first
        self._work = work
        self._number = 0
        self._life: Lifetime | None = None

    @staticmethod
    def change_of(entry: StreamEntry, revision: SentRevision) -> str:
        """Return which change a revision of the stream is."""
        return revision.message

    @property
    def phase(self) -> str:
        """What its replica is at."""
        return "killed" if self._life is None else f"{self._replica.phase.value} {self._replica.problem}".strip()

    @property
    def stands(self) -> tuple[int, str]:
        """Its newest revision, and what tells its objects from others."""
        return self._store.head, f"{self._side._ledger.total():x}"

    @property
    def count(self) -> int:
        """How many changes it counts."""
        return _count(self._manager.state.all(Kind.POOL))

    @property
    def _directory(self) -> Path:
        return self._work / f"{self.name}-{self._number}"

    def start(self) -> None:
        """Start with what lies on the disk."""
        fleet = self._fleet
        self._life = life = Lifetime()
        self._store = Store(self._directory)
        self._manager = StoreManager(self._store, Settings(state=self._directory))
        self._side = SteppedFleetStore(self._manager, FLEET, self.name, self._directory / "fleet")
        bus = SimulatedBus(self.name, fleet.time, fleet.network, fleet.hub)
        self._replica = FleetReplica(bus, self._side, self.name, fleet.new_id, self._is_first, within_s=WITHIN_S)
        self._side.attach(self._replica)
        life.begin(self._replica.run())
        life.begin(self._look(self._store, self._side))

    async def _look(self, store: Store, side: FleetStore) -> None:
        """Have the oracle see what is stored, again and again."""
        while True:
            self._fleet.oracle.store(self.name, store.head, f"{side._ledger.total():x}")
            await asyncio.sleep(LOOK_S)

    def kill(self) -> None:
        """End it, wherever it stands: what was on its way to the hub arrives all the same."""
        life, self._life = self._life, None
        if life is None:
            return
        before = self._directory
        self._number += 1
        shutil.copytree(before, self._directory)
        life.end()
        self._store.close()
        shutil.rmtree(before)

    def write(self) -> None:
        """Take a caller's change."""
        if self._life is not None:
            self._side.takes_s = self._fleet.chance.choice(STORE_S)
            self._life.begin(self._write(self._life, self._fleet.new_id()))

    async def _write(self, life: Lifetime, change: str) -> None:
        oracle, chance = self._fleet.oracle, self._fleet.chance
        own, is_deleted = f"{self.name}-{chance.randrange(4)}".lower(), chance.random() < 0.3

        def make(edit: Edit) -> None:
            pools = edit.state.all(Kind.POOL)
            by_name = {item.name: id for id, item in pools.items()}
            _put(edit, by_name, COUNTER, str(_count(pools) + 1))
            if is_deleted and own in by_name:
                edit.delete(Kind.POOL, by_name[own])
            else:
                _put(edit, by_name, own, change)

        try:
            done = await self._manager.change("somebody", change, make)
        except Unconfirmed:
            oracle.unknown.add(change)
        except Unavailable:
            oracle.refuse(change)
        else:
            if not life.is_over:
                oracle.acknowledge(change, done.revision)


def _put(edit: Edit, by_name: dict[str, str], name: str, text: str) -> None:
    if name in by_name:
        edit.patch(Kind.POOL, by_name[name], {"description": text})
    else:
        origins = [{"name": "e", "address": "192.0.2.1"}]
        edit.create(Kind.POOL, {"name": name, "origins": origins, "description": text})


def _count(pools: Mapping[str, Item]) -> int:
    return next((int(item.body["description"]) for item in pools.values() if item.name == COUNTER), 0)
