"""Updates that are being made: whoever hears nothing sends the same again, and it is one update all the same.

The same is what has the same octets, ID and signature among them, from the same address: knsupdate sends it four times,
nsupdate three. What is being made is waited for; whether what comes after that is the same update still is for who
makes them (`lbdns/manage/updates/made_updates.py`), or for the zone's primary, to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from lbdns.transfer.update.update_section import UpdateOutcome

DIGEST_OCTETS: Final = 16

Said = UpdateOutcome | bytes


def update_digest(address: bytes, message: bytes) -> bytes:
    """Return what tells an update from all others: who sent which octets."""
    return blake2b(message, digest_size=DIGEST_OCTETS, key=address).digest()


class UpdatesUnderWay:
    """What will be said of each."""

    def __init__(self) -> None:
        """Begin with none."""
        self._said: dict[bytes, asyncio.Future[Said]] = {}

    def once(self, digest: bytes, make: Callable[[], asyncio.Future[Said]]) -> asyncio.Future[Said]:
        """Return what will be said of an update, which `make` begins unless it is under way; nobody is to cancel it."""
        saying = self._said.get(digest)
        if saying is None:
            saying = make()
            if not saying.done():
                self._said[digest] = saying
                saying.add_done_callback(lambda _: self._said.pop(digest, None))
        return saying

    async def drain(self, grace_s: float) -> None:
        """Wait until something is said of each, at most so long."""
        if self._said:
            await asyncio.wait(tuple(self._said.values()), timeout=grace_s)
