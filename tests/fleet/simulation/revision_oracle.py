"""The naive oracle of revisions: one list of what was acknowledged, one dictionary that everybody must come to.

What must hold of changes, however the network and the machines fared:

1. What was acknowledged is in the stream, once, and everywhere in the end.
2. A revision number means one content: whoever stored it, stored the same.
3. What a machine has is the beginning of the one history, without a gap.
4. What its caller was told had failed is nowhere; of what he was told that nobody knows yet, either is true.
5. Each change was made of the state before it: none undoes what it did not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that a caller asked for: `key` is to become `value`; `counter` is one more than what it saw."""

    id: str
    machine: str
    key: str
    value: str


@dataclass(slots=True)
class RevisionOracle:
    """What callers were told, and what each machine stored."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    """Change id -> revision number."""
    refused: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    stored: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Revision number -> (digest of what was stored, by whom first)."""
    wrong: list[str] = field(default_factory=list)

    def acknowledge(self, change: str, revision: int) -> None:
        """Take it that a caller was told that his change is this revision."""
        if self.acknowledged.setdefault(change, revision) != revision:
            self.wrong.append(f"change {change} was acknowledged as {self.acknowledged[change]} and as {revision}")
        if change in self.refused:
            self.wrong.append(f"change {change} was refused, then acknowledged")
        self.unknown.discard(change)

    def refuse(self, change: str) -> None:
        """Take it that a caller was told that his change was not made."""
        if change in self.acknowledged:
            self.wrong.append(f"change {change} was acknowledged, then refused")
        self.refused.add(change)

    def store(self, machine: str, revision: int, digest: str) -> None:
        """Take it that a machine stored a revision, with the digest of all that it has then."""
        found = self.stored.setdefault(revision, (digest, machine))
        if found[0] != digest:
            self.wrong.append(f"revision {revision} is one thing at {found[1]} and another one at {machine}")

    def end(self, history: Mapping[int, str], machines: Mapping[str, tuple[int, str]]) -> list[str]:
        """Return all that is wrong in the end.

        `history`: revision number -> change id, as the stream has it; `machines`: what each has, its newest revision
        and the digest of all.
        """
        found = list(self.wrong)
        numbers = sorted(history)
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False:
            found.append("the stream's revisions have a gap")
        by_change: dict[str, int] = {}
        for number, change in history.items():
            if change in by_change:
                found.append(f"change {change} is in the stream twice, as {by_change[change]} and {number}")
            by_change[change] = number
        for change, number in self.acknowledged.items():
            if by_change.get(change) != number:
                found.append(
                    f"change {change} was acknowledged as {number}; in the stream it is {by_change.get(change)}"
                )
        found += [f"change {change} was refused, and is in the stream" for change in self.refused & by_change.keys()]
        newest = max(numbers, default=0)
        if len(set(machines.values())) > 1:
            found.append(f"machines differ in the end: {dict(sorted(machines.items()))}")
        for machine, (revision, _) in machines.items():
            if revision != newest:
                found.append(f"{machine} ends at revision {revision}, the stream at {newest}")
        return found
