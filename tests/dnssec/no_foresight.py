"""A foresight that knows no configuration, for tests of what is beside it."""

from __future__ import annotations

from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot


class NoForesight:
    """Grants whatever is of a zone's name or below, and wants nothing by itself."""

    is_idle = True

    def follow(self, snapshot: Snapshot, table: HealthTable) -> None:
        """Leave it."""

    def judge(self, wanted: Unsigned) -> Verdict:
        """Grant it."""
        return Verdict.LASTING

    def noted(self, wanted: Unsigned) -> None:
        """Leave it."""

    def following(self) -> tuple[Unsigned, Verdict] | None:
        """Return nothing."""
        return None
