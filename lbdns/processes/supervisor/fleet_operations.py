"""What operators ask of the fleet: how its machines stand, and a question to one; requests are looked at here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest
from lbdns.model.fleet_report import NO_FLEET, FleetReport

if TYPE_CHECKING:
    from lbdns.fleet.asking import FleetQuestion


class AskedFleet(Protocol):
    """The fleet, as who asks it sees it."""

    def report(self) -> FleetReport:
        """Return how the machines stand, as seen from here."""

    async def ask(self, machine: str, question: FleetQuestion) -> Any:
        """Ask another machine; raises LbdnsError."""

    async def forget(self, machine: str) -> None:
        """Have all that hear this one know a machine no more; raises LbdnsError."""


Operate = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class FleetDesk:
    """Takes requests about the fleet that one server is in."""

    def __init__(self, fleet: Callable[[], AskedFleet | None], operate: Operate) -> None:
        """Ask what `fleet` returns, None where this server is in no fleet; `operate` does an operation of this server,
        which answers where it is asked for itself."""
        self._fleet = fleet
        self._operate = operate

    async def show(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """Return the report of the fleet as JSON has it."""
        fleet = self._fleet()
        return (fleet.report() if fleet is not None else NO_FLEET).as_json()

    async def ask(self, request: Mapping[str, Any]) -> Any:
        """Have the machine `machine` do the operation `asked` of ASKABLE with `request`; raises LbdnsError."""
        fleet = self._fleet()
        if fleet is None:
            raise LbdnsError("this server is in no fleet: there is no other machine to ask")
        # Needed by who is in a fleet alone.
        from lbdns.fleet.asking import ASKABLE, FleetQuestion

        op, inner = request.get("asked"), request.get("request") or {}
        if op not in ASKABLE or not isinstance(inner, Mapping):
            raise LbdnsError(f"asked: expected one of {', '.join(ASKABLE)}, with a request")
        report = fleet.report()
        machine = _machine_of(report, request.get("machine"))
        if machine == report.machine:
            return await self._operate(op, inner)
        return await fleet.ask(machine, FleetQuestion(op, inner))

    async def forget(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have the fleet forget `machine`, which is not heard; raises LbdnsError."""
        fleet = self._fleet()
        if fleet is None:
            raise LbdnsError("this server is in no fleet: there is no machine to forget")
        report = fleet.report()
        machine = _machine_of(report, request.get("machine"))
        if any(row.is_heard for row in report.machines if row.status.name == machine):
            raise LbdnsError(f"{machine} is heard: `lbdns fleet leave` there takes it out of the fleet")
        await fleet.forget(machine)
        return {"machine": machine}


def _machine_of(report: FleetReport, named: Any) -> str:
    """Return the name of the machine that a request means, in its own spelling; raises LbdnsError."""
    if not isinstance(named, str) or not named:
        raise LbdnsError("machine: expected the name of a machine of the fleet")
    known = [row.status.name for row in report.machines]
    if named in known:
        return named
    folded = [name for name in known if name.casefold() == named.casefold()]
    if len(folded) == 1:
        return folded[0]
    near = nearest(named, known)
    meant = f'did you mean "{near}"?' if near else f"there are {', '.join(known)}"
    raise LbdnsError(f'the fleet has no machine "{named}"; {meant}')
