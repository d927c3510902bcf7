"""On which terms this machine takes part in a fleet's health, for its monitor worker."""

from __future__ import annotations

from dataclasses import dataclass

from lbdns.model.bus_access import BusAccess


@dataclass(frozen=True, slots=True)
class FleetTerms:
    """`access`: how the bus is reached, and what this machine is called; `probe_from`: how many vantage points of a
    region probe the same thing, None for all of them."""

    access: BusAccess
    probe_from: int | None = 3

    @property
    def machine(self) -> str:
        """What this machine is called."""
        return self.access.machine
