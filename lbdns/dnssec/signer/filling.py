"""In which order what load balancers may answer is signed, before it is asked for.

| whose                       | what                                            | when                        |
|-----------------------------|-------------------------------------------------|-----------------------------|
| asked lately, latest first  | what may be answered now                        | asked first, after a flip,  |
| the same, behind all those  | what may be answered after one flip             | a publication, by the clock |
| not asked, as far as known  | what may be answered now, in a share of a table | once for each snapshot      |

A sweep finds what has to be renewed and what gave way to others; after a flip what was one flip away is there, and what
is one flip away from now is looked for. Names that clients choose below wildcards are made ready when they come again.
Nothing here waits, signs or reads a clock.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lbdns.dnssec.signer.asked_lately import KINDS, NOBODY, AskedLately, Subject
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.signed_content import SignedContent
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.signature_table import SignatureWriter
from lbdns.mapped.signature_words import USED_SHIFT

LATELY_S: Final = 6 * 3600
"""Who was asked within this time has answers made ready."""
ASKED_MAX: Final = 1 << 18
"""So many subjects at most have answers made ready, the first that were asked."""
SWEEP_S: Final = 600
SCAN_S: Final = 1 << USED_SHIFT
"""Readers mark what they sent by shares of time of this length."""
LOOK_S: Final = 0.02
EXAMINED_MAX: Final = 64
"""Answers that are looked at before who asks has a turn."""
UNASKED_SHARE: Final = 4
"""One part in so many of a table is filled for load balancers that nobody is known to have asked."""
CARRIED_MAX: Final = 3
"""So many snapshots are kept at most until it is known who was asked under them, when they follow each other fast."""
CHOSEN_MIN: Final = 2
"""A name that a client chose is made ready from its so manieth request on."""


class SignaturesKept(Protocol):
    """What knows which signatures there are (DemandSigning). `table`: where they are kept, None where there is none."""

    table: SignatureWriter | None

    def kept_slot(self, wanted: Unsigned) -> int | None:
        """Return the slot of a signature over an RRset, None where one of its zone's keys lacks one, or is to be made
        anew."""


class Filling:
    """Says what is to be signed next. `is_idle`: whether there is nothing more to look at now."""

    def __init__(self, kept: SignaturesKept) -> None:
        """Begin with no snapshot."""
        self._kept = kept
        self._content: SignedContent | None = None
        self._asked: AskedLately
        self._table: SignatureWriter | None = None
        self._slot_subject: NDArray[np.int64] = np.zeros(0, np.int64)
        self._slot_put: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._ready: dict[int, frozenset[int]] = {}
        self._by_pool: dict[int, set[int]] = defaultdict(set)
        self._queues: tuple[_Queue, _Queue] = (_Queue(), _Queue())
        self._unasked = 0
        self._unasked_left = 0
        self._pending: deque[tuple[Unsigned, int, bool]] = deque()
        self._awaited: tuple[Unsigned, int] | None = None
        self._carried: deque[Iterator[None]] = deque(maxlen=CARRIED_MAX)
        self._swept_s = self._scanned_s = self._looked_s = 0.0
        self.is_idle = True

    def follow(self, content: SignedContent, now_s: float) -> None:
        """Go by another snapshot: who was asked under the one before is asked lately."""
        if self._content is not None:
            self._carried.append(self._carry(self._content, self._asked, now_s))
        self._content = content
        self._asked = AskedLately(content.columns, content.signed_zones)
        self._ready.clear()
        self._by_pool.clear()
        self._queues = (_Queue(), _Queue())
        self._pending.clear()
        self._awaited = None
        self._unasked = 0
        self._hold_table()
        self._slot_subject[:] = NOBODY
        self.is_idle = False

    def _carry(self, before: SignedContent, asked: AskedLately, now_s: float) -> Iterator[None]:
        """Go on with who was asked under another snapshot, one each step."""
        for number in asked.since(int(now_s) - LATELY_S):
            was = asked.subject(number)
            subject = None if was is None or self._content is None else self._content.same_subject(before, was)
            if subject is not None:
                here = self._asked.number_of(subject)
                self._asked.note(here, *asked.asked(number))
                self._make_ready(here)
            yield

    def asked(self, subject: Subject, now_s: float) -> None:
        """Hear that a responder asked for a subject's signature; what is asked by CNAME is not made ready."""
        if subject.kind not in KINDS:
            return
        number = self._asked.number_of(subject)
        self._asked.note(number, int(now_s))
        if number not in self._ready:
            self._make_ready(number)

    def following(self, now_s: float) -> tuple[Unsigned, Verdict] | None:
        """Return what is to be signed next, and how lasting it is; None where nothing is, or enough was looked at for
        now (`is_idle`)."""
        self.is_idle = True
        if self._content is None:
            return None
        self._look(now_s)
        if self._table is None:
            return None
        self._place_awaited()
        for _ in range(EXAMINED_MAX):
            if self._carried:
                if next(self._carried[0], self) is self:
                    self._carried.popleft()
                continue
            if not self._pending and not self._refill():
                return None
            if not self._pending:
                continue
            wanted, number, is_unasked = self._pending.popleft()
            slot = self._kept.kept_slot(wanted)
            if slot is None:
                self._unasked_left -= is_unasked
                self._awaited = wanted, number
                self.is_idle = False
                return wanted, Verdict.PASSING if self._asked.is_chosen(number) else Verdict.LASTING
            self._place(slot, number, now_s)
        self.is_idle = False
        return None

    # --- what is there ---

    def _hold_table(self) -> None:
        """Have room for whose each slot of the table is."""
        table = self._kept.table
        if table is not self._table:
            self._table = table
            slots = 0 if table is None else table.slots
            self._slot_subject = np.full(slots, NOBODY, np.int64)
            self._slot_put = np.zeros(slots, np.uint32)
            self._unasked_left = slots // UNASKED_SHARE

    def _place_awaited(self) -> None:
        """Know whose the slot is that took what was to be signed last."""
        if self._awaited is None:
            return
        wanted, number = self._awaited
        self._awaited = None
        slot = self._kept.kept_slot(wanted)
        if slot is not None:
            self._slot_subject[slot] = number
            self._slot_put[slot] = self._used(slot)

    def _place(self, slot: int, number: int, now_s: float) -> None:
        """Know whose a slot is that was filled before; where it was sent lately, its subject was asked."""
        self._slot_subject[slot] = number
        used = self._used(slot)
        if used > self._slot_put[slot]:
            self._slot_put[slot] = used
            used_s = used << USED_SHIFT
            if number not in self._ready and used_s >= now_s - LATELY_S:
                self._asked.note(number, used_s)
                self._make_ready(number)

    def _used(self, slot: int) -> int:
        assert self._table is not None
        return int(self._table.columns["signed_used"][slot])

    def _look(self, now_s: float) -> None:
        """See what has changed since the last look: health, the table, what readers sent."""
        assert self._content is not None
        if now_s - self._looked_s < LOOK_S:
            return
        self._looked_s = now_s
        if self._kept.table is not self._table:
            self._hold_table()
            self._requeue(self._ready)
        pools = self._content.changed_pools()
        if pools:
            self._requeue(number for pool in pools for number in self._by_pool[pool])
        if now_s - self._scanned_s >= SCAN_S:
            self._scanned_s = now_s
            self._scan(now_s)
        if now_s - self._swept_s >= SWEEP_S:
            self._swept_s = now_s
            self._sweep(now_s)

    def _scan(self, now_s: float) -> None:
        """Hear from the table who was asked: what was sent since it was put there, or since the last scan."""
        if self._table is None:
            return
        used = np.array(self._table.columns["signed_used"], np.uint32)
        slots = np.flatnonzero((used > self._slot_put) & (self._slot_subject != NOBODY))
        self._slot_put[slots] = used[slots]
        for slot in slots:
            number = int(self._slot_subject[slot])
            self._asked.note(number, int(used[slot]) << USED_SHIFT)
            if number not in self._ready:
                self._make_ready(number)

    def _sweep(self, now_s: float) -> None:
        """Look at all again that was asked lately, and no longer at the others."""
        for number in [one for one in self._ready if self._asked.asked(one).at_s < now_s - LATELY_S]:
            for pool in self._ready.pop(number):
                self._by_pool[pool].discard(number)
        self._requeue(self._ready)

    # --- what is to be there ---

    def _make_ready(self, number: int) -> None:
        """Have a subject's answers made ready from now on."""
        assert self._content is not None
        if self._asked.is_chosen(number) and self._asked.asked(number).times < CHOSEN_MIN:
            return
        subject = self._asked.subject(number)
        if subject is None or len(self._ready) >= ASKED_MAX:
            return
        pools = self._content.pools_of(subject)
        self._ready[number] = pools
        for pool in pools:
            self._by_pool[pool].add(number)
        self._requeue((number,))

    def _requeue(self, numbers: Iterable[int]) -> None:
        for number in tuple(numbers):
            asked = self._asked.asked(number)
            rank = -(asked.at_s >> USED_SHIFT), -asked.times, number
            for queue in self._queues:
                queue.add(rank)

    def _refill(self) -> bool:
        """Take the next subject's answers to look at; return whether there was any subject left."""
        assert self._content is not None
        for is_near, queue in enumerate(self._queues):
            number = queue.take()
            if number is None:
                continue
            subject = self._asked.subject(number)
            if subject is not None and number in self._ready:
                those = self._content.near(subject) if is_near else self._content.now(subject)
                self._pending.extend((one, number, False) for one in those)
            return True
        return self._refill_unasked()

    def _refill_unasked(self) -> bool:
        """The same of the next load balancer that nobody is known to have asked."""
        assert self._content is not None
        if self._unasked >= self._asked.own_count or self._unasked_left <= 0:
            return False
        number = self._unasked
        self._unasked += 1
        subject = None if number in self._ready else self._asked.subject(number)
        if subject is not None:
            self._pending.extend((one, number, True) for one in self._content.now(subject))
        return True


class _Queue:
    """Subjects by rank, each once; one that is added again keeps its place or gets a better one."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []
        self._there: dict[int, tuple[int, int, int]] = {}

    def add(self, rank: tuple[int, int, int]) -> None:
        known = self._there.get(rank[-1])
        if known is None or rank < known:
            self._there[rank[-1]] = rank
            heapq.heappush(self._heap, rank)

    def take(self) -> int | None:
        while self._heap:
            rank = heapq.heappop(self._heap)
            if self._there.get(rank[-1]) == rank:
                del self._there[rank[-1]]
                return rank[-1]
        return None
