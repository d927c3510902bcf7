"""Signatures end: what is served is published anew when some of them are to be made anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.snapshot_signing import SnapshotSigner, ZoneSigner
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.mapped.snapshot_file import RENEWAL, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.publish.last_served import last_served

LOOK_S: Final = 60.0
"""How often, at most, the time of day is looked at: it may be set."""
RETRY_S: Final = 60.0
"""After a publication that was refused."""

log = logging.getLogger("lbdns.processes")


class Resigning:
    """Signs the zones of one server, generation by generation."""

    def __init__(self, signer: ZoneSigner, state_dir: Path, scratch: Path) -> None:
        """Sign by `signer`; what was served last lies in `state_dir`, and is unpacked in `scratch`."""
        self._signer = signer
        self._state_dir = state_dir
        self._scratch = scratch
        self._zone_signing = ZoneSigning()
        self._is_seeded = False

    def signing(self, configuration: Configuration) -> SnapshotSigner | None:
        """Return what signs a configuration's zones, None where none is to be; raises LbdnsError where that cannot be
        told."""
        keys = self._signer.zone_keys()
        if not keys and not self._signer.key_problems():
            return None
        if not self._is_seeded:
            self._seed()
        dnssec = configuration.settings.dnssec
        return SnapshotSigner(self._zone_signing, keys, dnssec, self._signer, int(time.time()))

    def seed(self, snapshot: Snapshot) -> None:
        """Take the signatures of a snapshot, which an earlier start left in force."""
        self._is_seeded = True
        self._zone_signing.seed(snapshot)

    def _seed(self) -> None:
        """Take the signatures of what was served last: those that hold need not be made again."""
        self._is_seeded = True
        try:
            kept = last_served(self._state_dir)
            if kept is not None:
                self._zone_signing.seed(kept.compiled(self._scratch)[0])
        except LbdnsError as error:
            log.warning("signatures of what was served last cannot be read, so all are made anew: %s", error)

    async def watch(self, in_force: Callable[[], Snapshot], republish: Callable[[str], Awaitable[str]]) -> None:
        """Have what is in force published anew whenever signatures are due; `republish` takes the reason, and returns
        what was wrong, "" for nothing."""
        while True:
            left_s = renewal_left_s(in_force(), time.time())
            if left_s > 0:
                await asyncio.sleep(min(left_s, LOOK_S))
            elif await republish("signatures are made anew"):
                await asyncio.sleep(RETRY_S)


def renewal_left_s(snapshot: Snapshot, now_s: float) -> float:
    """Return in how many seconds a signature of a snapshot is to be made anew, 0 or less for now; infinity where it has
    none. `now_s`: unix."""
    renewal_s = int(snapshot.meta[RENEWAL])
    return renewal_s - now_s if renewal_s else float("inf")
