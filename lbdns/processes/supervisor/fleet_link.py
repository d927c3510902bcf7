"""The supervisor's part in a fleet: its connection to the bus, the store's replica, what it says of itself.

    once a second   here.<machine>   how this machine stands, for all who listen
    whenever asked  ask.<machine>    what another machine asks: explain, health, status
    the stream      <-> the store    FleetReplica; only where a store is served

Nothing here is on the road of a query: without the bus, what is stored is served on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.words import FLEET_DIRECTORY
from lbdns.dnssec.signing_facts import SigningFacts
from lbdns.fleet.asking import ANSWER_S, FleetQuestion, decode_answer, encode_question
from lbdns.fleet.bus.fleet_bus import BusUnreached
from lbdns.fleet.bus.nats_bus import NatsBus
from lbdns.fleet.bus.subjects import machine_subject
from lbdns.fleet.fleet_status import STATUS_S, encode_status
from lbdns.fleet.observing.health_news import encode_news, farewell_of
from lbdns.fleet.replica.fleet_replica import FleetReplica, ReplicaPhase
from lbdns.fleet.replica.replica_store import ReplicaStore
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.fleet_report import FleetMode, FleetReport, MachineStatus
from lbdns.model.fleet_terms import BusAccess
from lbdns.processes.supervisor.fleet_operations import AskedFleet
from lbdns.processes.supervisor.fleet_seen import FleetSeen, answer_question
from lbdns.processes.supervisor.signer_child import SignerChild
from lbdns.publish.publisher import Published

HEAR_S: Final = 3.0
"""How long the others are listened to before a stream that was lost is begun anew: one may have a newer store."""
CLOSE_S: Final = 1.0
_ID_BYTES: Final = 16

log = logging.getLogger("lbdns.fleet")


class Linked(Protocol):
    """The server whose link it is."""

    run: RunDirectory
    state_dir: Path
    signer: SignerChild
    fleet: AskedFleet | None

    def in_force(self) -> Published:
        """Return what is served; raises LbdnsError before anything is."""

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the server's operations; raises LbdnsError."""


class StoreSide(ReplicaStore, Protocol):
    """The store of this machine in the fleet."""

    def attach(self, stream: FleetReplica) -> None:
        """Have changes appended to a stream from now on."""

    def detach(self) -> None:
        """Let the store be by itself again."""

    def told(self) -> tuple[int, tuple[str, ...]]:
        """Return the newest revision that is stored, and why it is not served, a sentence each."""


JoinStore = Callable[[str, str, Path], StoreSide]
"""Makes the store's side of a fleet, given the fleet's id, this machine's name, and the fleet's directory."""


class FleetLink:
    """One machine's link to its fleet: an AskedFleet."""

    def __init__(self, server: Linked, access: BusAccess, began_s: float) -> None:
        """Describe it; nothing is connected yet. `began_s`: when the server began, on the monotonic clock."""
        self._server, self._access, self._began_s = server, access, began_s
        self._directory = server.state_dir / FLEET_DIRECTORY
        self.name = access.machine
        self._bus = NatsBus(access)
        self._seen = FleetSeen(self.name, self._directory, lambda: server.run.path, access.fleet_id)
        self._side: StoreSide | None = None
        self._replica: FleetReplica | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connected_s = began_s

    async def start(self) -> None:
        """Connect from now on, in the background."""
        self._bus.start()
        await self._bus.subscribe("here.*", self._seen.take)
        await self._bus.subscribe(machine_subject("ask", self.name), self._asked)
        self._begin(self._tell())

    def follow_with(self, join: JoinStore) -> None:
        """Have the store follow the fleet's stream."""
        if self._side is not None:
            return
        self._side = join(self._access.fleet_id, self.name, self._directory)
        may_begin = self._access.has_begun or not self._access.secret_file
        self._replica = FleetReplica(
            self._bus,
            self._side,
            self.name,
            lambda: secrets.token_hex(_ID_BYTES),
            may_begin,
            self._is_newest,
        )
        self._side.attach(self._replica)
        self._begin(self._replica.run())

    async def close(self, is_leaving: bool = False) -> None:
        """End it; `is_leaving`: for good, which the others are told."""
        if self._side is not None:
            self._side.detach()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        leaving = MachineStatus(self.name, is_leaving=True)
        with contextlib.suppress(TimeoutError, LbdnsError):
            async with asyncio.timeout(CLOSE_S):
                if is_leaving:
                    await self._bus.publish(machine_subject("here", self.name), encode_status(leaving))
                await self._bus.close()
        if is_leaving:
            self._seen.forget(leaving)
        else:
            self._seen.keep()

    def status(self) -> MachineStatus:
        """Return how this machine stands; raises LbdnsError before anything is served."""
        replica = self._replica
        configuration = self._server.in_force().configuration
        served = configuration.store_revision
        revision, mistakes = (served, ()) if self._side is None else self._side.told()
        problem = self._bus.problem
        if not problem and replica is not None and replica.phase is not ReplicaPhase.FOLLOWING:
            problem = replica.problem
        own = MachineStatus(
            self.name,
            mode=FleetMode.FILES if self._side is None and served is None else FleetMode.STORE,
            revision=revision,
            served=served,
            lag=replica.lag if replica is not None else 0,
            mistakes=mistakes,
            up_s=time.monotonic() - self._began_s,
            bus=problem,
        )
        signer = self._server.signer
        return self._seen.own(own, configuration.settings, SigningFacts(signer.statuses, signer.counts))

    def report(self) -> FleetReport:
        """Return the fleet as it is seen from here; raises LbdnsError before anything is served."""
        return self._seen.report(self.status())

    async def ask(self, machine: str, question: FleetQuestion) -> Any:
        """Return what another machine answers; raises LbdnsError."""
        try:
            answer = await self._bus.request(machine_subject("ask", machine), encode_question(question), ANSWER_S)
        except BusUnreached as error:
            raise LbdnsError(f"{machine} does not answer: {error}") from error
        return decode_answer(answer, machine)

    async def forget(self, machine: str) -> None:
        """Say for a machine that is gone what it would say itself as it leaves; raises LbdnsError."""
        if not self._bus.is_connected:
            raise LbdnsError(f"the bus is not reached, so that nobody would hear of it: {self._bus.problem}")
        status = MachineStatus(machine, is_leaving=True)
        await self._bus.publish(machine_subject("here", machine), encode_status(status))
        await self._bus.publish(machine_subject("obs", machine), encode_news(farewell_of(machine)))
        self._seen.forget(status)

    async def _tell(self) -> None:
        """Say once a second how this machine stands."""
        due_s = time.monotonic()
        while True:
            self._seen.stood_still(time.monotonic() - due_s)
            if not self._bus.is_connected:
                self._connected_s = time.monotonic()
            with contextlib.suppress(LbdnsError):  # before anything is served
                await self._bus.publish(machine_subject("here", self.name), encode_status(self.status()))
            due_s = time.monotonic() + STATUS_S
            await asyncio.sleep(STATUS_S)

    def _asked(self, _: str, data: bytes, reply: str) -> None:
        if reply:
            self._begin(self._answer(data, reply))

    async def _answer(self, data: bytes, reply: str) -> None:
        answer = await answer_question(data, self._server.operate)
        with contextlib.suppress(BusUnreached):
            await self._bus.respond(reply, answer)

    def _is_newest(self, revision: int) -> bool:
        """Tell whether no machine that is heard has a newer store, or as new a one and an earlier name."""
        if time.monotonic() - self._connected_s < HEAR_S:
            return False
        rows = self.report().machines
        others = [(row.status.revision or 0, row.status.name) for row in rows if row.is_heard]
        return all(name == self.name or (-theirs, name) > (-revision, self.name) for theirs, name in others)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
