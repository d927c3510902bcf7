"""What a publication asks of whoever keeps the serials and journals of zones that are transferred."""

from __future__ import annotations

from typing import Protocol

from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.model.configuration import Configuration
from lbdns.snapshot.compile.transferred_zones import CompiledZones, TransferredZones


class TransferSettling(Protocol):
    """One publication's part of it."""

    def settle(self, compiled: CompiledZones) -> TransferredZones:
        """Return the zones as they are served and transferred; raises LbdnsError where one cannot be signed."""

    def keep(self) -> None:
        """Put on the disk what is to be in force next."""

    def take(self) -> None:
        """Go on from here: it is in force."""

    def abandon(self) -> None:
        """Take back what was kept: it is not to be in force."""


class TransferStage(Protocol):
    """What is transferred of one server's zones."""

    def settling(self, configuration: Configuration, table: HealthTable) -> TransferSettling | None:
        """Return what settles a configuration's zones, None where nobody follows any."""

    def is_last_served(self, configuration: Configuration, snapshot: Snapshot) -> bool:
        """Whether a snapshot that was compiled earlier has the serials that were served last."""
