"""What load balancers may answer: judges what responders want signed, and says what they will want."""

from __future__ import annotations

from collections.abc import Callable

from lbdns.dnssec.signer.filling import Filling, SignaturesKept
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.request_check import RequestCheck
from lbdns.dnssec.signer.signed_content import SignedContent
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot


class SteeredForesight:
    """Foresight (foresight.py) of one snapshot after another."""

    def __init__(self, kept: SignaturesKept, elapsed_s: Callable[[], float]) -> None:
        """Know nothing yet: whatever is wanted is refused. `elapsed_s`: CLOCK_MONOTONIC."""
        self._elapsed_s = elapsed_s
        self._filling = Filling(kept)
        self._content: SignedContent | None = None
        self._check: RequestCheck | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing more to look at now."""
        return self._filling.is_idle

    def follow(self, snapshot: Snapshot, table: HealthTable) -> None:
        """Go by another generation from now on."""
        self._content = content = SignedContent(snapshot, table, self._content)
        self._check = RequestCheck(content)
        self._filling.follow(content, self._elapsed_s())

    def judge(self, wanted: Unsigned) -> Verdict:
        """Return what becomes of a request."""
        return Verdict.REFUSED if self._check is None else self._check.judge(wanted).verdict

    def noted(self, wanted: Unsigned) -> None:
        """Hear of a request that was granted: its load balancer is asked."""
        subject = None if self._check is None else self._check.judge(wanted).subject
        if subject is not None:
            self._filling.asked(subject, self._elapsed_s())

    def following(self) -> tuple[Unsigned, Verdict] | None:
        """Return what is to be in the table next, None where all is there that is known to be wanted now, or enough was
        looked at."""
        return self._filling.following(self._elapsed_s())
