"""Many signatures at once: what is to be signed goes to the signer in lots, while the next lot is put together here."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted

BulkSigner = Callable[[Sequence[tuple[int, bytes]]], Sequence[bytes]]
"""Signs for (id of the key, bytes) each: the signature in DNSSEC's wire form (RFC 6605 section 4, RFC 8080 section 4).

Raises LbdnsError where it cannot. It is called from one thread at a time, not always the same.
"""
LOT: Final = 4096
"""Signatures that are asked for at once."""
LOTS_UNDER_WAY: Final = 3

log = logging.getLogger("lbdns.dnssec")


class WantedSignature(NamedTuple):
    """A signature that is wanted over the RRset at a place of a list: `before` goes before it as the RRSIG's rdata.
    `kept`: an RRSIG's that may stand in for it as long as none is to be had, None where there is none."""

    place: int
    before: bytes
    kept: bytes | None


class BulkSigning:
    """Collects what is wanted and hands it on; `finish` waits for all of it.

    `found`: the RRSIG rdata over each RRset, by its place in a list.
    """

    def __init__(self, bulk: BulkSigner, count: int) -> None:
        """Begin with none over so many RRsets."""
        self.found: list[tuple[bytes, ...]] = [()] * count
        self.made = 0
        self.kept = 0
        self._bulk = bulk
        self._lot: list[WantedSignature] = []
        self._requests: list[tuple[int, bytes]] = []
        self._under_way: deque[tuple[list[WantedSignature], Future[Sequence[bytes]]]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def want(self, key_id: int, data: bytes, wanted: WantedSignature) -> None:
        """Ask for a key's signature over some bytes. Raises what the signer raises, for earlier ones too."""
        self._lot.append(wanted)
        self._requests.append((key_id, data))
        if len(self._lot) == LOT:
            self._send()

    def finish(self) -> None:
        """Have the rest signed; raises as `want` does."""
        if self._pool is None and self._lot:
            self._deliver(self._lot, lambda: self._bulk(self._requests))
        elif self._lot:
            self._send()
        while self._under_way:
            self._receive()

    def close(self) -> None:
        """Let go of the thread, after `finish` or in its place."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _send(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "bulk signing")
        if len(self._under_way) == LOTS_UNDER_WAY:
            self._receive()
        self._under_way.append((self._lot, self._pool.submit(self._bulk, self._requests)))
        self._lot, self._requests = [], []

    def _receive(self) -> None:
        lot, signed = self._under_way.popleft()
        self._deliver(lot, signed.result)

    def _deliver(self, lot: list[WantedSignature], signatures: Callable[[], Sequence[bytes]]) -> None:
        found = self.found
        try:
            made = signatures()
        except LbdnsError as error:
            if any(wanted.kept is None for wanted in lot):
                raise
            log.warning("%s cannot be made anew yet; those before hold on: %s", counted(len(lot), "signature"), error)
            for place, _, kept in lot:
                found[place] += (kept,) if kept else ()
            self.kept += len(lot)
            return
        for (place, before, _), signature in zip(lot, made, strict=True):
            found[place] += (before + signature,)
        self.made += len(lot)
