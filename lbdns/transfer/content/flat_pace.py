"""When what load balancers answer is put anew into what others get of their zones: when it is otherwise, and not at any
time.

    otherwise, and FLAT_PACE_S after it was put there last -> due
    a day after it was put there last, signatures among it -> due
"""

from __future__ import annotations

from typing import Final

from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.lookup.name_rows import TRANSFER_FLAT
from lbdns.transfer.content.kept_answers import is_unmeasured
from lbdns.transfer.content.transfer_content import TransferContent

FLAT_PACE_S: Final = 30.0
"""Between two serials of a zone that rise for what load balancers answer."""
FIRST_S: Final = 5.0
"""After a start, before the first: health is not measured yet. While nothing of it is, FLAT_PACE_S."""
LOOK_S: Final = 30.0
"""Between two looks at what nothing in the health table's states tells, as figures of round-trip times."""
RENEWAL_S: Final = 86_400.0
CHANGED: Final = "load balancers answer otherwise than their zones are transferred"
RENEWED: Final = "signatures of what load balancers answer are looked at"
_STATES: Final = ("endpoint_state", "pool_state", "resolved_version")


class FlatPace:
    """Looks at one server's load balancers; times are seconds of CLOCK_MONOTONIC."""

    def __init__(self, content: TransferContent, now_s: float) -> None:
        """Begin as what is served begins."""
        self._content = content
        self._began_s = now_s
        self._may_s = now_s + FIRST_S
        self._looked_s = self._put_s = now_s
        self._states: list[bytes] = []
        self._answers: object = None

    def cause(self, snapshot: Snapshot, table: HealthTable, now_s: float) -> str:
        """Return why what is in force is to be published anew, "" where it is not: the publication that follows has
        what load balancers answer then."""
        if not has_flat(snapshot):
            return ""
        answers = self._content.round.answers
        if answers is not self._answers and answers != self._answers:  # another configuration put others there
            if self._answers is not None:
                self._may_s = max(self._may_s, now_s + FLAT_PACE_S)
            self._answers, self._put_s = answers, now_s
        if now_s < self._may_s or (now_s < self._began_s + FLAT_PACE_S and is_unmeasured(table)):
            return ""
        cause = CHANGED if self._is_otherwise(snapshot, table, now_s) else ""
        if not cause and now_s >= self._put_s + RENEWAL_S:
            cause = RENEWED
        if cause:
            self._may_s, self._put_s = now_s + FLAT_PACE_S, now_s
            self._content.is_flat_due = True
            self._answers = None  # those that come are of this turn
        return cause

    def _is_otherwise(self, snapshot: Snapshot, table: HealthTable, now_s: float) -> bool:
        """Look, where something in the health table is another, or it is long ago."""
        states = [bytes(table.columns[name]) for name in _STATES]
        if states == self._states and now_s < self._looked_s + LOOK_S:
            return False
        self._states, self._looked_s = states, now_s
        return self._content.has_other_answers(snapshot, table)


def has_flat(snapshot: Snapshot) -> bool:
    """Whether others get any zone with what its load balancers answer; a microsecond, or ten of 100,000 zones."""
    return TRANSFER_FLAT in bytes(snapshot.columns["zone_transfer"])
