"""Signatures end, and keys change: what is served is published anew when some of them are to be made anew. And what was
refused for want of the signer, or of the token that has its keys, is tried again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.dnssec.snapshot_signing import SnapshotSigner, ZoneSigner
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.mapped.snapshot_file import RENEWAL, SIGNED, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.publish.last_served import last_served
from lbdns.publish.publisher import Published

LOOK_S: Final = 60.0
"""How often, at most, the time of day is looked at: it may be set."""
RETRY_S: Final = 60.0
"""After a publication that was refused."""

log = logging.getLogger("lbdns.processes")


class NotedSigner:
    """A signer, and whether it lacked at its last use: it was away, or could not sign."""

    def __init__(self, signer: ZoneSigner) -> None:
        self._signer = signer
        self.is_lacking = False

    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        """Return the keys of zones by apex; raises LbdnsError."""
        self.is_lacking = True
        found = self._signer.zone_keys()
        self.is_lacking = False
        return found

    def key_problems(self) -> Mapping[bytes, str]:
        """Return the zones whose keys cannot be read, with the reason."""
        return self._signer.key_problems()

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> Sequence[bytes]:
        """Return signatures; raises LbdnsError."""
        self.is_lacking = True
        made = self._signer.sign_in_bulk(wanted)
        self.is_lacking = False
        return made


class Resigning:
    """Signs the zones of one server, generation by generation."""

    def __init__(self, signer: ZoneSigner, state_dir: Path, scratch: Path) -> None:
        """Sign by `signer`; what was served last lies in `state_dir`, and is unpacked in `scratch`."""
        self._signer = signer
        self._noted = NotedSigner(signer)
        self._is_waiting = False
        self._state_dir = state_dir
        self._scratch = scratch
        self._zone_signing = ZoneSigning()
        self._is_seeded = False

    def signing(self, configuration: Configuration) -> SnapshotSigner | None:
        """Return what signs a configuration's zones, None where none is to be; raises LbdnsError where that cannot be
        told."""
        keys = self._noted.zone_keys()
        if not keys and not self._signer.key_problems():
            return None
        if not self._is_seeded:
            self._seed()
        dnssec = configuration.settings.dnssec
        return SnapshotSigner(self._zone_signing, keys, dnssec, self._noted, int(time.time()))

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

    def note(self, is_served: bool) -> None:
        """Take it that what lies on disk now is served, or was refused just now: for want of the signer, perhaps."""
        self._is_waiting = not is_served and self._noted.is_lacking
        self._noted.is_lacking = False

    async def watch(
        self,
        in_force: Callable[[], Published],
        republish: Callable[[str], Awaitable[str]],
        reload: Callable[[str], Awaitable[str]],
    ) -> None:
        """Have what is in force published anew whenever signatures are due, or it does not have the keys that it is to
        have, and what lies on disk read again where the signer was lacking for it. `republish` and `reload` take the
        reason, and return what was wrong, "" for nothing."""
        while True:
            published = in_force()
            left_s = renewal_left_s(published.snapshot, time.time())
            cause = "signatures are made anew" if left_s <= 0 else ""
            if self._has_other_keys(published):
                cause = "keys are others than those that are served"
            if cause:
                if await republish(cause):
                    await asyncio.sleep(RETRY_S)
                continue
            await asyncio.sleep(min(left_s, LOOK_S))
            if self._is_waiting:
                await reload("what could not be signed is tried again")

    def _has_other_keys(self, published: Published) -> bool:
        """Return whether a zone is served with other keys than it is to have: a publication for them was refused, or
        what was served last began as it was compiled."""
        try:
            keys, problems = self._signer.zone_keys(), self._signer.key_problems()
        except LbdnsError:
            return False  # it is not known which they are
        served = {zone.apex for zone in published.configuration.zones} - problems.keys()
        found = {bytes.fromhex(apex): digest for apex, digest, _ in published.snapshot.meta[SIGNED]}
        wanted = {apex: one.digest for apex, one in keys.items()}
        return any(found.get(apex) != wanted.get(apex) for apex in served)


def renewal_left_s(snapshot: Snapshot, now_s: float) -> float:
    """Return in how many seconds a signature of a snapshot is to be made anew, 0 or less for now; infinity where it has
    none. `now_s`: unix."""
    renewal_s = int(snapshot.meta[RENEWAL])
    return renewal_s - now_s if renewal_s else float("inf")
