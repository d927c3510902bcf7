"""Another machine as this one has it: all that it observes, as far as that has been told without a gap."""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import Final, NamedTuple

from lbdns.fleet.observing.health_news import HealthNews, OrderNews
from lbdns.fleet.observing.observation import DIGEST_MASK, Observation, ObservedEntry, entry_digest

HELD_MAX: Final = 256  # messages that overtook others
LIVES_MAX: Final = 8
LATE_S: Final = 3.0
"""Nothing of a former life is still on its way so long after the last that was heard of the present one."""
LINGER_S: Final = 5.0
"""What a vantage point said stands as long after it looks no longer: a renamed pool must not change an answer between
its going under one name and its coming under the other."""
CARRY_S: Final = 60.0
"""The same after its monitor worker began anew, which has to probe everything first."""
ENTRIES_HELD_MAX: Final = 1_000_000


class RemoteChange(NamedTuple):
    """What a vantage point of another machine says now: `seen` None: nothing, any more.

    `is_turn`: it said another state before. `is_quiet`: it looks no longer, and what it said stands for a moment.
    """

    vantage: str
    key: bytes
    seen: Observation | None
    is_turn: bool = False
    is_quiet: bool = False


class Neighbour:
    """One other machine."""

    __slots__ = (
        "_beat",
        "_epoch",
        "_former",
        "_heard_s",
        "_held",
        "_leaving",
        "_newest",
        "digest",
        "doubtful",
        "is_whole",
        "is_wrong",
        "leaving_due_s",
        "machine",
        "orders",
        "sequence",
        "shown_doubtful",
        "table",
        "vantages",
    )

    def __init__(self, machine: str) -> None:
        """Begin with a machine of which nothing is known."""
        self.machine = machine
        self.vantages: tuple[tuple[str, str], ...] = ()
        self.doubtful: dict[str, float] = {}  # since when a vantage point believes itself cut off
        self.shown_doubtful: dict[str, float] = {}
        self.table: dict[tuple[str, bytes], Observation] = {}
        self.sequence = 0
        self.digest = 0
        self.orders = 0
        self.is_whole = False
        self.is_wrong = False  # something else is known than it told, and no message is on its way
        self.leaving_due_s = float("inf")
        self._beat: HealthNews | OrderNews | None = None  # the newest message, where that was a heartbeat
        self._epoch: int | None = None
        self._heard_s = float("-inf")  # when something of the present life was heard
        self._newest = 0, 0  # sequence and digest of the newest message
        self._former: deque[int] = deque(maxlen=LIVES_MAX)
        self._held: dict[int, HealthNews] = {}
        self._leaving: dict[tuple[str, bytes], tuple[float, Observation]] = {}

    def is_of_this_life(self, message: HealthNews, now_s: float) -> bool:
        """Whether a message is of the machine's present life, or begins another; False: it is late.

        Who speaks on from a former life once the present one is silent is one of two machines that had the name.
        """
        if message.epoch not in self._former or self._epoch is None:
            return True
        return message.epoch > self._epoch or now_s - self._heard_s >= LATE_S

    def repeats(self, message: HealthNews | OrderNews, now_s: float) -> bool:
        """Whether a message says what the one before it said, and that all is known here: a sign of life alone."""
        if not self.is_whole or not (message is self._beat or message == self._beat):
            return False
        self._beat = message  # who has the same one again next time need not compare it
        self._heard_s = now_s
        return True

    def take(self, message: HealthNews, now_s: float) -> list[RemoteChange]:
        """Take a message; return what changed by it."""
        changes = self._begin(message, now_s)
        if message.entries:
            if message.sequence > self.sequence and len(self._held) < HELD_MAX:
                self._held[message.sequence] = message
            changes += self._take_held(now_s)
        self._note_head(message, now_s)
        return changes

    def take_whole(self, message: HealthNews, now_s: float) -> list[RemoteChange]:
        """Take all that the machine observes; return what changed by it."""
        changes = self._begin(message, now_s)
        if message.sequence < self.sequence or len(message.entries) > ENTRIES_HELD_MAX:
            return changes
        wanted = {(one.vantage, one.key): one.seen for one in message.entries if one.seen is not None}
        for at in [at for at in self.table if at not in wanted]:
            changes += self._leave(at, now_s + LINGER_S)
        for at, seen in wanted.items():
            if self.table.get(at) != seen:
                changes.append(self._put(at, seen))
        self.sequence, self.digest = message.sequence, message.digest
        changes += self._take_held(now_s)
        self._note_head(message, now_s)
        return changes

    def _begin(self, message: HealthNews, now_s: float) -> list[RemoteChange]:
        """Begin with the machine's next life, where the message is of it."""
        self._heard_s = now_s
        if message.epoch == self._epoch:
            return []
        if self._epoch is not None:
            self._former.append(self._epoch)
        if message.epoch in self._former:
            self._former.remove(message.epoch)
        self._epoch = message.epoch
        self.sequence = self.digest = 0
        self._newest = 0, 0
        self._held.clear()
        changes = []
        for at in list(self.table):
            changes += self._leave(at, now_s + CARRY_S)
        return changes

    def _take_held(self, now_s: float) -> list[RemoteChange]:
        changes: list[RemoteChange] = []
        while (message := self._held.pop(self.sequence + 1, None)) is not None:
            self.sequence = message.sequence
            for one in message.entries:
                changes += self._take_entry(one, now_s)
        for late in [number for number in self._held if number <= self.sequence]:
            del self._held[late]
        return changes

    def _take_entry(self, entry: ObservedEntry, now_s: float) -> list[RemoteChange]:
        at = entry.vantage, entry.key
        known = self.table.get(at)
        if known is not None:
            self.digest = (self.digest - entry_digest(*at, known)) & DIGEST_MASK
        if entry.seen is None:
            return self._leave(at, now_s + LINGER_S)
        self.digest = (self.digest + entry_digest(*at, entry.seen)) & DIGEST_MASK
        return [self._put(at, entry.seen)]

    def _put(self, at: tuple[str, bytes], seen: Observation) -> RemoteChange:
        left = self._leaving.pop(at, None)
        known = self.table.get(at) or (left[1] if left is not None else None)
        self.table[at] = seen
        return RemoteChange(*at, seen, is_turn=known is not None and known.state != seen.state)

    def _leave(self, at: tuple[str, bytes], due_s: float) -> list[RemoteChange]:
        known = self.table.pop(at, None)
        if known is None:
            return []
        self._leaving[at] = due_s, known
        self.leaving_due_s = min(self.leaving_due_s, due_s)
        return [RemoteChange(*at, known, is_quiet=True)]

    def end_leaving(self, now_s: float) -> list[RemoteChange]:
        """Return what nobody there looks at any more, since long enough."""
        over = [at for at, (due_s, _) in self._leaving.items() if now_s >= due_s]
        for at in over:
            del self._leaving[at]
        self.leaving_due_s = min((due_s for due_s, _ in self._leaving.values()), default=float("inf"))
        return [RemoteChange(*at, None) for at in over]

    def said_of(self, keys: Set[bytes]) -> list[RemoteChange]:
        """Return what the machine says of these, as changes."""
        if len(self.table) < len(keys) * len(self.vantages):
            return [RemoteChange(*at, seen) for at, seen in self.table.items() if at[1] in keys]
        wanted = [(vantage, key) for vantage, _ in self.vantages for key in keys]
        return [RemoteChange(*at, self.table[at]) for at in wanted if at in self.table]

    def nothing_more(self) -> list[RemoteChange]:
        """Return the changes that follow where the machine is known no longer."""
        gone = [*self.table, *self._leaving]
        self.table, self._leaving = {}, {}
        return [RemoteChange(*at, None) for at in gone]

    def _note_head(self, message: HealthNews, now_s: float) -> None:
        """Take what the message says of the machine itself, and see whether all is known of it; one that was overtaken
        says nothing of either."""
        is_late = message.sequence < self._newest[0]
        if not is_late:
            self._beat = None if message.entries else message
            self._newest = message.sequence, message.digest
            self._note_words(message, now_s)
        is_all = self._newest[0] == self.sequence
        self.is_whole = is_all and self._newest[1] == self.digest
        self.is_wrong = is_all and not self.is_whole

    def _note_words(self, message: HealthNews, now_s: float) -> None:
        self.vantages = tuple([one[:2] for one in message.vantages])
        doubtful = {one.name for one in message.vantages if one.is_doubtful}
        if doubtful != self.doubtful.keys():
            self.doubtful = {name: self.doubtful.get(name, now_s) for name in sorted(doubtful)}
        self.orders = message.orders
