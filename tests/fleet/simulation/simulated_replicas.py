"""Replicas of a fleet in virtual time: the product's `FleetReplica` at each machine, writers who race, and faults.

Each change says what it saw: it sets a key that is its writer's own, and a counter that all share to one more than it
was. So two changes that were both acknowledged and made of the same state would show: the counter is the number of
changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from lbdns.fleet.bus.fleet_bus import BusError, OutcomeUnknown, SequenceMoved
from lbdns.fleet.bus.subjects import REVISION
from lbdns.fleet.fleet_document import decode_document
from lbdns.fleet.replica.fleet_replica import FleetReplica
from lbdns.fleet.replica.revision_message import (
    ObjectRow,
    SentRevision,
    StreamEntry,
    decode_entry,
    encode_entry,
)
from tests.fleet.simulation.endpoint_world import EndpointWorld
from tests.fleet.simulation.fault_player import FaultPlayer
from tests.fleet.simulation.fault_schedule import HUB, Fault
from tests.fleet.simulation.revision_oracle import RevisionOracle
from tests.fleet.simulation.simulated_bus import SimulatedBus, SimulatedHub
from tests.fleet.simulation.simulated_store import SimulatedStore, StoreDisk
from tests.fleet.simulation.stepped_threads import SteppedLoop
from tests.fleet.simulation.stored_machine import StoredMachine
from tests.fleet.simulation.virtual_loop import InlineLoop, LoopTime, run
from tests.fleet.simulation.virtual_network import VirtualNetwork

TRIES_MAX: Final = 8
NEWER_S: Final = 2.0
COUNTER: Final = "counter"


def object_row(id: str, body: object, revision: int) -> ObjectRow:
    """Return a row of the store."""
    return id, "pool", "", json.dumps(body), "", "", revision, "", 0


class ReplicaOutcome(NamedTuple):
    """What a simulation came to: what is wrong, and how many changes callers were told are made, are not, may be."""

    wrong: tuple[str, ...]
    acknowledged_count: int
    refused_count: int
    unknown_count: int
    message_count: int


class ReplicatedMachine:
    """One machine: its store's disk, and while it runs its replica."""

    def __init__(self, name: str, fleet: SimulatedReplicas, is_first: bool) -> None:
        self.name = name
        self.disk = StoreDisk()
        self._fleet = fleet
        self._is_first = is_first
        self._running: asyncio.Task[None] | None = None
        self._writers: set[asyncio.Task[None]] = set()
        self._store: SimulatedStore | None = None
        self._replica: FleetReplica | None = None

    @staticmethod
    def change_of(entry: StreamEntry, revision: SentRevision) -> str:
        """Return which change a revision of the stream is."""
        return entry.id

    @property
    def stands(self) -> tuple[int, str]:
        """Its newest revision, and what tells its objects from others."""
        disk = self.disk if self._store is None else self._store.disk
        return disk.revision, f"{disk.sum:x}"

    @property
    def count(self) -> int:
        """How many changes it counts."""
        disk = self.disk if self._store is None else self._store.disk
        return int(disk.rows[COUNTER][3]) if COUNTER in disk.rows else 0

    @property
    def phase(self) -> str:
        """What its replica is at."""
        return "killed" if self._replica is None else f"{self._replica.phase.value} {self._replica.problem}".strip()

    def start(self) -> None:
        """Start with what lies on the disk."""
        fleet = self._fleet
        bus = SimulatedBus(self.name, fleet.time, fleet.network, fleet.hub)
        self._store = SimulatedStore(self.name, self.disk, fleet.oracle)
        self._replica = FleetReplica(bus, self._store, self.name, fleet.new_id, self._is_first)
        self._running = asyncio.create_task(self._replica.run())

    def kill(self) -> None:
        """End it, wherever it stands: what was on its way to the hub arrives all the same."""
        if self._store is not None:
            self.disk = self._store.disk
        for task in (self._running, *self._writers):
            if task is not None:
                task.cancel()
        self._running = self._store = self._replica = None

    def write(self) -> None:
        """Take a caller's change."""
        if self._replica is not None and self._store is not None:
            task = asyncio.create_task(self._write(self._replica, self._store))
            self._writers.add(task)
            task.add_done_callback(self._writers.discard)

    async def _write(self, replica: FleetReplica, store: SimulatedStore) -> None:
        """Make a change as a store's manager does: on the newest state, anew where another machine was first."""
        oracle = self._fleet.oracle
        for _ in range(TRIES_MAX):
            entry = self._entry(store)
            try:
                async with store.writing:
                    entry = self._entry(store)
                    mark = await replica.append(entry, encode_entry(entry), store.disk.mark)
                    await asyncio.sleep(self._fleet.chance.choice((0.0, 0.005, 0.5)))
                    store.commit(entry, mark)
                oracle.acknowledge(entry.id, entry.revision)
                return
            except SequenceMoved:
                oracle.refuse(entry.id)
                await replica.newer(entry.follows, NEWER_S)
            except OutcomeUnknown:
                oracle.unknown.add(entry.id)
                return
            except BusError:
                oracle.refuse(entry.id)
                return

    def _entry(self, store: SimulatedStore) -> StreamEntry:
        disk = store.disk
        number = disk.revision + 1
        before = json.loads(disk.rows[COUNTER][3]) if COUNTER in disk.rows else 0
        changes = [object_row(COUNTER, before + 1, number)]
        own = f"{self.name}-{self._fleet.chance.randrange(4)}"
        if own in disk.rows and self._fleet.chance.random() < 0.3:
            changes_all: tuple[ObjectRow | str, ...] = (*changes, own)
        else:
            changes_all = (*changes, object_row(own, number, number))
        revision = SentRevision(number, "2027-01-15T00:00:00Z", "somebody", "a change", changes_all)
        follows = disk.mark.sequence if disk.mark is not None else 0
        total = store.sum_after(changes_all)
        return StreamEntry(self._fleet.new_id(), self.name, follows, number, total, (revision,))


class SimulatedReplicas:
    """The fleet."""

    def __init__(self, seed: int, machine_count: int, loop: InlineLoop, work: Path | None) -> None:
        """`work`: where the stores of the product lie; None: stores that are played."""
        self.chance = random.Random(f"{seed} replicas")
        self.time = LoopTime(loop)
        names = [f"M{number:04d}" for number in range(machine_count)]
        self.network = VirtualNetwork(self.time, [*names, HUB], random.Random(f"{seed} network"), HUB)
        self.hub = SimulatedHub(self.time, self.network)
        self.oracle = RevisionOracle()
        self.machines: dict[str, ReplicatedMachine | StoredMachine] = {}
        for name in names:
            is_first = name == names[0]
            self.machines[name] = (
                ReplicatedMachine(name, self, is_first) if work is None else StoredMachine(name, self, is_first, work)
            )
        self._number = 0

    def new_id(self) -> str:
        """Return an id that nobody else has."""
        self._number += 1
        return f"id-{self._number}"

    async def live(self, faults: Iterable[Fault], hours: float) -> list[str]:
        """Live through a schedule; returns what is wrong in the end."""
        for machine in self.machines.values():
            machine.start()
        await asyncio.sleep(1.0)
        FaultPlayer(self.time, self.network, EndpointWorld(self.time, (), ()), self).play(faults)
        await asyncio.sleep(hours * 3600.0)
        for _ in range(60):  # an append's outcome may take as long to be known
            await asyncio.sleep(1.0)
        found = self.oracle.end(self._history(), {one.name: one.stands for one in self.machines.values()})
        newest = max((one.stands[0] for one in self.machines.values()), default=0)
        found += [
            f"{one.name} counts {one.count} changes of {newest}"
            for one in self.machines.values()
            if one.count != newest
        ]
        for machine in self.machines.values():
            if not machine.phase.startswith("following"):
                found.append(f"{machine.name} is {machine.phase}")
            machine.kill()
        await asyncio.sleep(1.0)
        return found

    def _history(self) -> dict[int, str]:
        found: dict[int, str] = {}
        change_of = next(iter(self.machines.values())).change_of
        for one in self.hub.history:
            if one.subject != REVISION:
                continue
            entry = decode_entry(decode_document(one.data))
            for revision in entry.revisions:
                if revision.number in found:
                    self.oracle.wrong.append(f"the stream has revision {revision.number} twice")
                found[revision.number] = change_of(entry, revision)
        return found

    # -- what faults do --

    def before_change(self) -> None:
        """Nobody watches."""

    def turn_clock(self, machine: str, by_s: float) -> None:
        """Replicas read no time of day."""

    def kill(self, node: str) -> None:
        """Kill a machine, or the hub."""
        if node == HUB:
            self.network.change((HUB,), "cut", 1)
        else:
            self.machines[node].kill()

    def start(self, node: str) -> None:
        """Start it again."""
        if node == HUB:
            self.network.change((HUB,), "cut", -1)
        else:
            self.machines[node].start()

    def write(self, machine: str) -> None:
        """Ask a machine for a change."""
        self.machines[machine].write()

    def order(self, machine: str, pattern: str, state: str) -> None:
        """Orders are no revisions."""


def simulate_replicas(
    seed: int, machine_count: int, faults: Iterable[Fault], hours: float, work: Path | None = None
) -> ReplicaOutcome:
    """Return what replicas come to that live through a schedule; `work`: with the product's stores there."""

    async def main() -> ReplicaOutcome:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, InlineLoop)
        fleet = SimulatedReplicas(seed, machine_count, loop, work)
        wrong = await fleet.live(faults, hours)
        oracle = fleet.oracle
        counts = len(oracle.acknowledged), len(oracle.refused), len(oracle.unknown), fleet.network.sent_count
        return ReplicaOutcome(tuple(wrong), *counts)

    logger = logging.getLogger("lbdns.fleet")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # of what a lost bus does it tells as it should, thousands of times
    try:
        return run(main(), InlineLoop if work is None else SteppedLoop)
    finally:
        logger.setLevel(before)
