"""A fleet that is played: its machines' statuses in memory, for tests of what asks and shows them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.config.examined import Loaded
from lbdns.fleet.asking import FleetQuestion
from lbdns.fleet.fleet_problems import fleet_report
from lbdns.model.fleet_report import FleetReport, MachineStatus, RosterRow
from lbdns.processes.supervisor.fleet_operations import FleetDesk

AMS = MachineStatus(
    "AMS-1", "0.1.0", "WEU", "AMS", revision=7, served=7, up_s=3600.0, heard=("FRA-1", "NYC-1"), known=2
)
FRA = dataclasses.replace(AMS, name="FRA-1", pop="FRA", heard=("AMS-1", "NYC-1"))
NYC = dataclasses.replace(AMS, name="NYC-1", pop="JFK", region="ENAM", revision=6, served=6, heard=("AMS-1", "FRA-1"))
EXPLAINED = {
    "name": "www.example.com",
    "type": "A",
    "rcode": "NOERROR",
    "answer": ["www.example.com. 30 IN A 192.0.2.10"],
    "ttl": 30,
    "scope": None,
    "steps": [{"stage": "zone", "text": "example.com"}],
}


class PlayedFleet:
    """Stands for the running server AMS-1: a fleet of three, and what was asked of whom."""

    def __init__(self) -> None:
        """Begin with all heard."""
        self.own = AMS
        self.rows = [RosterRow(FRA, 0.4, True, 3000.0), RosterRow(NYC, 0.4, True, 60.0)]
        self.is_in_fleet = True
        self.statuses: dict[str, Any] = {}
        self.asked: list[tuple[str, str, Mapping[str, Any]]] = []
        self._desk = FleetDesk(lambda: self if self.is_in_fleet else None, self.here)

    def lose(self, name: str, age_s: float) -> None:
        """Hear a machine no more."""
        self.rows = [
            RosterRow(row.status, age_s, False, age_s) if row.status.name == name else row for row in self.rows
        ]

    def report(self) -> FleetReport:
        """Return how the machines stand."""
        return fleet_report(self.own, self.rows)

    async def ask(self, machine: str, question: FleetQuestion) -> Any:
        """Answer for another machine."""
        if not next(row.is_heard for row in self.rows if row.status.name == machine):
            raise LbdnsError(f"{machine} does not answer")
        return await self._answer(machine, question.op, question.request)

    async def forget(self, machine: str) -> None:
        """Know a machine no more."""
        self.rows = [row for row in self.rows if row.status.name != machine]

    async def here(self, op: str, request: Mapping[str, Any]) -> Any:
        """Answer for this machine."""
        return await self._answer(AMS.name, op, request)

    async def _answer(self, machine: str, op: str, request: Mapping[str, Any]) -> Any:
        self.asked.append((machine, op, request))
        if op == "status" and machine in self.statuses:
            return self.statuses[machine]
        return EXPLAINED if op == "explain" else {"of": machine}

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Store a change."""
        await asyncio.to_thread(commit)

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the operations."""
        table = {"fleet": self._desk.show, "fleet_ask": self._desk.ask, "fleet_forget": self._desk.forget}
        return await table[op](request) if op in table else await self.here(op, request)

    def in_force(self) -> Any:
        """Raise LbdnsError: nothing is served."""
        raise LbdnsError("nothing is served yet")
