"""Updates that came a moment ago: whoever hears nothing sends the same again, and it is one update all the same.

The same is what has the same octets, ID and signature among them, from the same address: knsupdate sends it four times,
nsupdate three. What is being made is waited for, what was made is answered as it was.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Final

from lbdns.dns.codes import SERVFAIL
from lbdns.transfer.update.update_section import DONE, UpdateOutcome

REMEMBERED_S: Final = 60.0
REMEMBERED_MAX: Final = 20_000
DIGEST_OCTETS: Final = 16

Said = UpdateOutcome | bytes


def update_digest(address: bytes, message: bytes) -> bytes:
    """Return what tells an update from all others: who sent which octets."""
    return blake2b(message, digest_size=DIGEST_OCTETS, key=address).digest()


class RecentUpdates:
    """What was said of each, or will be."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with none; `clock` gives seconds."""
        self._clock = clock
        self._said: OrderedDict[bytes, tuple[float, asyncio.Future[Said]]] = OrderedDict()

    def note_done(self, digests: Iterable[bytes]) -> None:
        """Take updates as made that an earlier run made and may not have answered; called on the event loop."""
        for digest in digests:
            done: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
            done.set_result(DONE)
            self._said[digest] = self._clock(), done

    async def once(self, digest: bytes, make: Callable[[], Awaitable[Said]]) -> Said:
        """Return what is said of an update, which `make` makes unless it is being made or was."""
        self._forget()
        known = self._said.get(digest)
        if known is not None:
            return await asyncio.shield(known[1])
        task: asyncio.Future[Said] = asyncio.ensure_future(make())
        self._said[digest] = self._clock(), task
        said = await asyncio.shield(task)
        if isinstance(said, UpdateOutcome) and said.rcode == SERVFAIL:  # it may be possible when it comes again
            self._said.pop(digest, None)
        return said

    def _forget(self) -> None:
        """Forget those of long ago, and those too many, but none that is being made."""
        before_s = self._clock() - REMEMBERED_S
        while self._said:
            digest, (since_s, said) = next(iter(self._said.items()))
            if not said.done() or (since_s >= before_s and len(self._said) <= REMEMBERED_MAX):
                return
            del self._said[digest]
