"""What a load balancer may answer, as far as the signer asks: whether a request may be granted, and what comes next."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot


class Verdict(Enum):
    """What becomes of an RRset that a responder wants signed."""

    REFUSED = "refused"
    """The configuration never answers so: who asks is not what he was."""
    LASTING = "lasting"
    """Of a load balancer's own name: one of few."""
    PASSING = "passing"
    """Of a name that a client chose, below a wildcard: one of any number."""


class Foresight(Protocol):
    """Knows a configuration and its health. All is called in one thread."""

    @property
    def is_idle(self) -> bool:
        """Whether `following` returned nothing because there is nothing, and not because it looked at enough."""

    def follow(self, snapshot: Snapshot, table: HealthTable) -> None:
        """Go by another generation from now on."""

    def judge(self, wanted: Unsigned) -> Verdict:
        """Return what becomes of a request."""

    def noted(self, wanted: Unsigned) -> None:
        """Hear of a request that was granted: its load balancer is asked."""

    def following(self) -> tuple[Unsigned, Verdict] | None:
        """Return what is to be in the table next, None where all is there that is known to be wanted now, or enough was
        looked at for one call."""
