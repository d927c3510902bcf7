"""How far a store has come in its fleet's stream."""

from __future__ import annotations

from typing import NamedTuple


class FleetMark(NamedTuple):
    """The newest message of the stream that a store has taken: which stream that is, and the message's sequence."""

    generation: str
    sequence: int
