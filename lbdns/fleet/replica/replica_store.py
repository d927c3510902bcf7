"""What the replica needs of the store that it keeps equal to the stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lbdns.fleet.replica.fleet_base import FleetBase
from lbdns.fleet.replica.revision_message import Arrived
from lbdns.model.fleet_mark import FleetMark


class StorePlace(NamedTuple):
    """Where a store stands: what it has taken of a stream, None where it is of none; its newest revision, its sum, and
    whether it has objects."""

    mark: FleetMark | None
    revision: int
    sum: int
    is_empty: bool


class ReplicaStore(Protocol):
    """A store. What changes it is done one after another, also with what is changed here."""

    async def place(self) -> StorePlace:
        """Return where it stands; raises LbdnsError where it cannot be read."""
        ...

    async def take(self, generation: str, arrived: Sequence[Arrived]) -> StorePlace:
        """Store entries that follow on what it has, and serve what can be served of them; returns where it stands then.

        Entries that it has already are passed over. Raises LbdnsError where they cannot be stored.
        """
        ...

    async def replace(self, generation: str, base: FleetBase, arrived: Sequence[Arrived]) -> StorePlace:
        """Store a base and what follows on it in place of all that is there, of which a copy is kept; raises LbdnsError
        with nothing changed."""
        ...

    async def begin(self, mark: FleetMark) -> None:
        """Note that what is stored is what the stream has at a mark: it begins with it."""
        ...

    async def dump(self, id: str, by: str) -> FleetBase:
        """Return all that is stored; raises LbdnsError where it is of no stream."""
        ...

    async def may_replace(self) -> bool:
        """Tell whether an operator said that the fleet's objects may take the place of those that are there."""
        ...
