"""Lines of the log that repeat: the first ones go out, the others are counted, and one line says how many they were.

    the same line          the first SAME_MAX within FOLD_S go out
    lines of one kind      (alike but for numbers and what is quoted or filled in) the first ALIKE_MAX

What was held back is told when FOLD_S are over, as often as more of it comes: "repeated 26,879 times in 60 s: ...".
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

FOLD_S: Final = 60.0
SAME_MAX: Final = 5
ALIKE_MAX: Final = 200
KINDS_MAX: Final = 2000
"""Lines and kinds that are counted at a time; beyond it the oldest are told of and forgotten."""
_VALUE: Final = re.compile(r'"[^"]*"|[0-9]+')
_FILLED: Final = re.compile("%[a-z]")


class Line(NamedTuple):
    """What is known of a line when it comes: who says it, how grave it is, what it is made from, and what it says."""

    name: str
    level: int
    template: str
    text: str


class Folded(NamedTuple):
    """Lines that were held back: the last of them, how many, over how long, and whether they were one and the same."""

    line: Line
    held: int
    seconds: float
    is_same: bool

    @property
    def text(self) -> str:
        """What the log says of them."""
        values = "" if self.is_same else ", with other values"
        times = "once" if self.held == 1 else f"{self.held:,} times"
        return f"repeated {times} in {max(self.seconds, 1):.0f} s{values}: {self.line.text}"


@dataclass(slots=True)
class _Count:
    began_s: float
    told: int = 0
    held: int = 0
    last: Line | None = None


class Folding:
    """Counts lines; times are seconds of one clock that never goes back. Not to be called from two threads at once."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._counts: OrderedDict[tuple[str, ...], _Count] = OrderedDict()  # in the order in which they began

    @property
    def holds(self) -> bool:
        """Whether something was held back that is still to be told."""
        return any(count.held for count in self._counts.values())

    def take(self, line: Line, now_s: float) -> bool:
        """Tell whether a line is to go out; it is counted if not. Call `due` before."""
        made_from = line.template if any(map(str.isalpha, _FILLED.sub("", line.template))) else line.text
        kind = line.name, str(line.level), _VALUE.sub("0", made_from)
        return self._passes(("same", *kind, line.text), SAME_MAX, line, now_s) and self._passes(
            ("alike", *kind), ALIKE_MAX, line, now_s
        )

    def due(self, now_s: float) -> list[Folded]:
        """Return what was held back for FOLD_S, and count anew."""
        found: list[Folded] = []
        while self._counts:
            key, count = next(iter(self._counts.items()))
            is_over = now_s - count.began_s >= FOLD_S
            if not is_over and len(self._counts) <= KINDS_MAX:
                break
            found += self._forget(key, now_s)
            if is_over and count.held:  # of what goes on the next one is counted at once
                self._counts[key] = _Count(now_s, told=count.told)
        return found

    def end(self, now_s: float) -> list[Folded]:
        """Return all that was held back."""
        return [folded for key in list(self._counts) for folded in self._forget(key, now_s)]

    def _forget(self, key: tuple[str, ...], now_s: float) -> list[Folded]:
        count = self._counts.pop(key)
        if count.last is None:
            return []
        return [Folded(count.last, count.held, now_s - count.began_s, key[0] == "same")]

    def _passes(self, key: tuple[str, ...], told_max: int, line: Line, now_s: float) -> bool:
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(now_s)
        if count.told < told_max:
            count.told += 1
            return True
        count.held += 1
        count.last = line
        return False
