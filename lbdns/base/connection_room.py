"""Room for connections: who may be connected, and who gives way to a newcomer where there is no room.

    WAITING   nothing whole has come: neither a handshake nor a first message, or only a part of the next; or nothing
              that says whose it is, where that counts
    IDLE      spoke, was answered, and says nothing now
    SENDING   a long message is on its way
    READING   has an answer to read, and does not
    BUSY      is being answered

In this order they give way, within a stage who has been in it longest (of those SENDING, who has been silent longest);
nobody who is being answered does. A network has a share of those that wait, so that the others' places are not its to
take: its own oldest one goes.
"""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import Final, Protocol

WAITING_SHARE: Final = 3
"""A network's: one part in so many of all connections may wait."""
WAITING_MIN: Final = 10
PREFIX_BYTES: Final = {4: 3, 16: 8}
"""Of an address that make a network: /24, /64."""
_MAPPED: Final = bytes(10) + b"\xff\xff"


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
        for stage in Standing:
            if stage is not Standing.BUSY and self._at[stage]:
                self._end(next(iter(self._at[stage])))
                return True
        return False

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
    host = peer[0].partition("%")[0]
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    packed = packed.removeprefix(_MAPPED) if len(packed) == 16 else packed
    return packed[: PREFIX_BYTES[len(packed)]]
