"""What load balancers may answer: judges what responders want signed, and says what they will want."""

from __future__ import annotations

from collections.abc import Callable

from lbdns.dnssec.signer.asked_lately import Subject
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
        self._checks: tuple[RequestCheck, ...] = ()
        self._subject: Subject | None = None  # of the request that was judged last

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing more to look at now."""
        return self._filling.is_idle

    def follow(self, snapshot: Snapshot, table: HealthTable) -> None:
        """Go by another generation from now on."""
        self._content = content = SignedContent(snapshot, table, self._content)
        # A responder that has not taken this one up yet asks by the one before.
        self._checks = RequestCheck(content), *self._checks[:1]
        self._subject = None
        self._filling.follow(content, self._elapsed_s())

    def judge(self, wanted: Unsigned) -> Verdict:
        """Return what becomes of a request: granted where this generation may answer so, or the one before."""
        self._subject = None
        for place, check in enumerate(self._checks):
            verdict, subject = check.judge(wanted)
            if verdict is not Verdict.REFUSED:
                self._subject = subject if place == 0 else None
                return verdict
        return Verdict.REFUSED

    def noted(self, wanted: Unsigned) -> None:
        """Hear of a request that was granted, the last that was judged: its load balancer is asked."""
        if self._subject is not None:
            self._filling.asked(self._subject, self._elapsed_s())

    def following(self) -> tuple[Unsigned, Verdict] | None:
        """Return what is to be in the table next, None where all is there that is known to be wanted now, or enough was
        looked at."""
        return self._filling.following(self._elapsed_s())
