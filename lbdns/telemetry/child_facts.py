"""What is known of the processes that the supervisor keeps, a kind at a time."""

from __future__ import annotations

from typing import NamedTuple


class ChildFacts(NamedTuple):
    """One kind of child processes: its word, how many there are to be, how often one died and was started again, how
    many of those had hung and were killed, how many are alive, and what one is called; how long ago each gave a sign of
    life, None where it has not yet, and whether a spare waits."""

    kind: str
    process_count: int
    restarts: int
    hangs: int
    alive: int
    words: str
    beat_ages_s: tuple[float | None, ...] = ()
    is_spared: bool = False
