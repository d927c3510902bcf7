"""Machines of a fleet in one process: real stores and managers, real replicas, and a bus that is played."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.fleet.replica.fleet_replica import FleetReplica, ReplicaPhase
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.fleet_rows import StateLedger
from lbdns.manage.store.fleet_store import FleetStore
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Done
from lbdns.manage.store.sqlite import Store
from lbdns.model.settings import Settings
from tests.fleet.played_bus import PlayedBus, PlayedHub

WAIT_S = 20.0
FLEET = "f00"


class Machine:
    """One machine; `start` brings up its replica."""

    def __init__(self, work: Path, hub: PlayedHub, name: str, is_hub: bool = False, within_s: float = 0.3) -> None:
        self.name, self.directory, self.is_hub, self.within_s = name, work / name, is_hub, within_s
        self.bus = PlayedBus(hub, name)
        self.store = Store(self.directory)
        self.manager = StoreManager(self.store, Settings(state=self.directory))
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join the fleet; on the loop."""
        self.side = FleetStore(self.manager, FLEET, self.name, self.directory / "fleet")
        ids = itertools.count()
        self.replica = FleetReplica(
            self.bus, self.side, self.name, lambda: f"{self.name}-{next(ids)}", self.is_hub, within_s=self.within_s
        )
        self.side.attach(self.replica)
        self.task = asyncio.create_task(self.replica.run())

    async def stop(self) -> None:
        """Leave, as a process that ends."""
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
            self.side.detach()

    async def restart(self) -> None:
        """End, and begin again from what is on the disk."""
        await self.stop()
        self.store.close()
        self.store = Store(self.directory)
        self.manager = StoreManager(self.store, Settings(state=self.directory))
        self.start()

    def pool(self, name: str, **more: Any) -> Awaitable[Done[Item]]:
        """Create a pool."""
        body = {"name": name, "origins": [{"name": "e", "address": "192.0.2.1"}], **more}
        return self.do(lambda edit: edit.create(Kind.POOL, body))

    def do(self, make: Callable[[Edit], Any], **options: Any) -> Awaitable[Done[Any]]:
        """Change something."""
        return self.manager.change("ann", "test", make, **options)

    @property
    def names(self) -> list[str]:
        """The pools' names."""
        return [item.name for item in self.manager.state.all(Kind.POOL).values()]

    @property
    def follows(self) -> bool:
        """Whether it has come into the fleet."""
        return self.replica.phase is ReplicaPhase.FOLLOWING

    def rows(self) -> list[tuple[Any, ...]]:
        """Return what it has stored: objects, tokens, and which revision is the newest."""
        with self.store.reading() as connection:
            objects = "id, kind, zone_id, body, created_on, modified_on, revision, disabled_at, is_local"
            found: list[tuple[Any, ...]] = list(connection.execute(f"SELECT {objects} FROM objects ORDER BY position"))
            found += connection.execute("SELECT * FROM tokens ORDER BY id")
            found += connection.execute("SELECT max(number) FROM revisions")
        return found


@contextlib.asynccontextmanager
async def fleet(work: Path, *names: str, hub: PlayedHub | None = None) -> AsyncIterator[list[Machine]]:
    """Yield machines that are in a fleet, which the first of them began."""
    hub = hub or PlayedHub()
    machines = [Machine(work, hub, name, is_hub=name is names[0]) for name in names]
    try:
        for one in machines:
            one.start()
        await until(lambda: all(one.follows for one in machines))
        yield machines
    finally:
        for one in machines:
            await one.stop()
            one.store.close()


async def until(holds: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(wait_s):
        while not holds():
            await asyncio.sleep(0.002)


async def alike(machines: Iterable[Machine]) -> None:
    """Wait until all machines have taken all that is in the stream, and hold them to have the same."""
    machines = list(machines)
    hub = machines[0].bus.hub

    def newest() -> int:
        return max((one.sequence for one in hub.messages if one.subject == "cfg.rev"), default=0)

    def is_settled() -> bool:
        marks = {one.store.mark for one in machines}
        settled = all(one.follows and one.manager.state.revision == one.store.head for one in machines)
        return settled and len(marks) == 1 and f" {newest()}]" in marks.pop()

    with contextlib.suppress(TimeoutError):
        await until(lambda: is_settled() and all(one.rows() == machines[0].rows() for one in machines))
    first, *others = (one.rows() for one in machines)
    for rows in others:
        assert rows == first
    for one in machines:
        assert is_settled(), [(it.replica.phase, it.replica.problem, it.store.mark) for it in machines]
        assert sorted(item.id for item in one.manager.state) == sorted(item.id for item in one.store.load())
        assert one.side._ledger.total() == StateLedger(one.store).total()
