"""Room for connections: who may be connected, and who gives way to a newcomer where there is no room.

    WAITING   nothing whole has come: neither a handshake nor a first message, or only a part of the next; or nothing
              that says whose it is, where that counts
    IDLE      spoke, was answered, and says nothing now
    SENDING   a long message is on its way
    READING   has an answer to read, and does not
    BUSY      is being answered

In this order they give way, but for those that wait while they have less than their part of the places: who has just
come shall have time to speak, even where all others have spoken. Within a stage goes one of the block of networks that
has most connections at it, of the network in it that has most, who has been there longest (of those SENDING, who has
been silent longest); nobody who is being answered does. A network has a share of those that wait, so that the others'
places are not its to take: its own oldest one goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from lbdns.base.networks import block_of, link_of, packed_address

WAITING_SHARE: Final = 3
"""A network's: one part in so many of all connections may wait; and while fewer do, it is others who give way."""
WAITING_MIN: Final = 10


class Standing(IntEnum):
    """What a connection is at, in the order in which they give way."""

    WAITING = 0
    IDLE = 1
    SENDING = 2
    READING = 3
    BUSY = 4


class Occupant(Protocol):
    """One connection."""

    def abort(self) -> None:
        """Close it at once."""


class ConnectionRoom:
    """The connections of one server. Not to be called from two threads at once."""

    def __init__(self, connections_max: int) -> None:
        """Begin with nobody."""
        self._connections_max = connections_max
        self._waiting_max = max(connections_max // WAITING_SHARE, WAITING_MIN)
        self._places: dict[Occupant, tuple[Standing, bytes]] = {}
        self._at: dict[Standing, dict[Occupant, None]] = {stage: {} for stage in Standing}
        self._waiting_of: dict[bytes, dict[Occupant, None]] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, occupant: Occupant) -> bool:
        return occupant in self._places

    def at(self, stage: Standing) -> int:
        """Return how many are at a stage."""
        return len(self._at[stage])

    def admit(self, newcomer: Occupant, network: bytes) -> bool:
        """Let a newcomer in, as one that waits; False where nobody gives way."""
        of_network = self._waiting_of.get(network, {})
        if len(of_network) >= self._waiting_max:
            self._end(next(iter(of_network)))
        elif len(self) >= self._connections_max and not self.give_way():
            return False
        self._enter(newcomer, Standing.WAITING, network)
        return True

    def move(self, occupant: Occupant, stage: Standing) -> None:
        """Note what a connection is at now; one that is not here (any more) stays out."""
        place = self._places.get(occupant)
        if place is None or (place[0] is stage is Standing.WAITING):
            return
        if place[0] is stage:  # it is now who has been there for the shortest
            at_stage = self._at[stage]
            del at_stage[occupant]
            at_stage[occupant] = None
            return
        self.release(occupant)
        self._enter(occupant, stage, place[1])

    def release(self, occupant: Occupant) -> None:
        """Count a connection out; more than once does no harm."""
        place = self._places.pop(occupant, None)
        if place is None:
            return
        stage, network = place
        del self._at[stage][occupant]
        if stage is Standing.WAITING:
            of_network = self._waiting_of[network]
            del of_network[occupant]
            if not of_network:
                del self._waiting_of[network]

    def give_way(self) -> bool:
        """Close the connection whose turn it is; False where all are being answered."""
        stages = [stage for stage in Standing if stage is not Standing.BUSY and self._at[stage]]
        if not stages:
            return False
        may_wait = len(self._at[Standing.WAITING]) < self._connections_max // WAITING_SHARE
        goes = stages[1] if stages[0] is Standing.WAITING and may_wait and len(stages) > 1 else stages[0]
        self._end(self._whose_turn(goes))
        return True

    def _whose_turn(self, stage: Standing) -> Occupant:
        """Return who gives way of those at a stage."""
        left = list(self._at[stage])
        widths: tuple[Callable[[bytes], bytes], ...] = (block_of, bytes)
        for wider in widths:
            held = Counter(wider(self._places[one][1]) for one in left)
            most = max(held.values())
            left = [one for one in left if held[wider(self._places[one][1])] == most]
        return left[0]

    def _enter(self, occupant: Occupant, stage: Standing, network: bytes) -> None:
        self._places[occupant] = stage, network
        self._at[stage][occupant] = None
        if stage is Standing.WAITING:
            self._waiting_of.setdefault(network, {})[occupant] = None

    def _end(self, occupant: Occupant) -> None:
        self.release(occupant)
        occupant.abort()


def network_of(peer: object) -> bytes:
    """Return the network of a peer, as accept(2) names it: of an IP address its /24 or /64, of all others one."""
    if not isinstance(peer, tuple) or not isinstance(peer[0], str):
        return b""
    return link_of(packed_address(peer[0]))
