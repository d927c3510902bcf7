"""What a fault is: put in, held, taken out, and what must hold of the server meanwhile and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from tests.faults.rig import KINDS, Rig


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that must hold, whether it does, and the figure; `times` its bound, of a time that does not."""

    what: str
    holds: bool
    figure: str
    times: float = 0.0

    def is_met(self, slack: float) -> bool:
        """Whether it holds where times may be `slack` times their bounds: other work on the machine makes all later."""
        return self.holds or 0.0 < self.times <= slack


class Fault:
    """One fault in one server. A subclass is a row of tests/faults/table.py.

        inject -> (held) -> while_held, where it is the only one -> heal -> afterwards

    What holds whatever the fault is, no subclass says: right answers, none lost beyond `may_lose`, none later than
    `late_s`, no traceback, a server that is whole again, and a change that is served then.
    """

    row: ClassVar[int]
    """The row of the issue's table that says what must hold."""
    what: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = KINDS
    """What the server may serve: files, a store."""
    may_lose: ClassVar[int] = 0
    """Queries over UDP that it may cost."""
    breaks_connections: ClassVar[bool] = False
    """Whether TCP connections may end with a process."""
    late_s: ClassVar[float] = 0.5
    """The latest answer that it excuses, in seconds."""
    hold_s: ClassVar[float] = 2.0
    recovers_s: ClassVar[float] = 10.0
    """The time in which the server must be whole again, once the fault is gone."""
    log_lines: ClassVar[int] = 200
    """How many lines it may write."""

    def __init__(self, rig: Rig, random: Random) -> None:
        """Draw from `random` what is left open."""
        self.rig = rig
        self.random = random

    def __str__(self) -> str:
        return self.what

    @classmethod
    def why_not_here(cls) -> str:
        """Return what this machine lacks for it, "" for nothing."""
        return ""

    @classmethod
    def environment(cls) -> Mapping[str, str]:
        """Return what the server must have in its environment from the start."""
        return {}

    def inject(self) -> None:
        """Put it in."""
        raise LookupError(f"{type(self).__name__} does nothing")

    def heal(self) -> None:
        """Take it out, where it does not end by itself."""

    def while_held(self) -> list[Seen]:
        """Return what holds while it is there; asked where it is the only one."""
        return []

    def afterwards(self) -> list[Seen]:
        """Return what holds once all is healed."""
        return []


def took(what: str, seconds: float, limit_s: float) -> Seen:
    """Return that something was in time, or not."""
    holds = seconds <= limit_s
    return Seen(what, holds, f"{seconds:.3g} s (at most {limit_s:.3g})", 0.0 if holds else seconds / limit_s)


def said(rig: Rig, words: str) -> Seen:
    """Return that the log has a line with these words, or not."""
    count = sum(words in line for line in rig.server.log.splitlines())
    return Seen(f"the log says {words!r}", count > 0, f"{count} lines")
