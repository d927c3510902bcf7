"""The hub's stream as JetStream keeps one: compare-and-set by subject, duplicates by id for two minutes, purges.

Whatever it acknowledges is on its disk (`sync_interval: always`): a hub that is killed has it again when it is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DUPLICATES_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Kept:
    """One message of the stream."""

    sequence: int
    subject: str
    data: bytes
    id: str


@dataclass(frozen=True, slots=True)
class Moved:
    """An append that was refused: the subject's newest sequence is `newest`, and not what was expected."""

    newest: int


def matches(subject: str, pattern: str) -> bool:
    """Whether a pattern of subjects, which may end with `>`, names one."""
    return subject.startswith(pattern[:-1]) if pattern.endswith(">") else subject == pattern


class StreamHub:
    """The stream; times are the hub's own."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []
        self.last_sequence = 0
        self.octets = 0
        self._newest: dict[str, int] = {}
        self._recent: dict[str, tuple[float, int]] = {}

    def append(self, now_s: float, subject: str, data: bytes, id: str, expected: int | None) -> int | Moved:
        """Keep a message and return its sequence; Moved where `expected` is not the newest of its subject (0: none).

        An id that was there less than two minutes ago is done already; what is expected is looked at before.
        """
        newest = self._newest.get(subject, 0)
        if expected is not None and expected != newest:
            return Moved(newest)
        found = self._recent.get(id)
        if found is not None and now_s - found[0] < DUPLICATES_S:
            return found[1]
        self.last_sequence += 1
        self.kept.append(Kept(self.last_sequence, subject, data, id))
        self.octets += len(data)
        self._newest[subject] = self.last_sequence
        self._recent[id] = now_s, self.last_sequence
        return self.last_sequence

    def after(self, sequence: int, pattern: str = ">") -> list[Kept]:
        """Return the messages behind a sequence whose subject a pattern names, oldest first."""
        low, high = 0, len(self.kept)
        while low < high:
            middle = (low + high) // 2
            if self.kept[middle].sequence <= sequence:
                low = middle + 1
            else:
                high = middle
        return [one for one in self.kept[low:] if matches(one.subject, pattern)]

    def last(self, pattern: str) -> Kept | None:
        """Return the newest message whose subject a pattern names."""
        return next((one for one in reversed(self.kept) if matches(one.subject, pattern)), None)

    def find(self, id: str, after: int) -> Kept | None:
        """Return the message with an id, if it is behind a sequence."""
        return next((one for one in reversed(self.kept) if one.id == id and one.sequence > after), None)

    def purge(self, before: int) -> None:
        """Forget the messages before a sequence; a subject all of whose messages went begins at 0 again."""
        self.kept = [one for one in self.kept if one.sequence >= before]
        there = {one.subject for one in self.kept}
        self._newest = {subject: sequence for subject, sequence in self._newest.items() if subject in there}
