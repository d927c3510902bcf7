"""Many signatures at once: what is to be signed goes to the signer in lots, while the next lot is put together here.

Of each lot one signature a key is verified: where a device signs with another key than it should, or wrongly, nothing
is published.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import counted
from lbdns.dnssec.signature_check import verifies
from lbdns.dnssec.zone_keys import SigningKey

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

    def __init__(self, bulk: BulkSigner, keys: Mapping[int, SigningKey], count: int) -> None:
        """Begin with none over so many RRsets; `keys`: those that sign, by their ids."""
        self.found: list[tuple[bytes, ...]] = [()] * count
        self.made = 0
        self.kept = 0
        self._bulk = bulk
        self._keys = keys
        self._lot = _Lot()
        self._under_way: deque[tuple[_Lot, Future[Sequence[bytes]]]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def want(self, key_id: int, data: bytes, wanted: WantedSignature) -> None:
        """Ask for a key's signature over some bytes. Raises LbdnsError as the signer does, for earlier ones too."""
        self._lot.wanted.append(wanted)
        self._lot.requests.append((key_id, data))
        if len(self._lot.requests) == LOT:
            self._send()

    def finish(self) -> None:
        """Have the rest signed; raises as `want` does."""
        if self._pool is None and self._lot.requests:
            self._deliver(self._lot, lambda: self._bulk(self._lot.requests))
        elif self._lot.requests:
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
        self._under_way.append((self._lot, self._pool.submit(self._bulk, self._lot.requests)))
        self._lot = _Lot()

    def _receive(self) -> None:
        lot, signed = self._under_way.popleft()
        self._deliver(lot, signed.result)

    def _deliver(self, lot: _Lot, signatures: Callable[[], Sequence[bytes]]) -> None:
        found = self.found
        try:
            made = signatures()
            self._check(lot.requests, made)
        except LbdnsError as error:
            if any(wanted.kept is None for wanted in lot.wanted):
                raise
            count = counted(len(lot.wanted), "signature")
            log.warning("%s cannot be made anew yet; those before hold on: %s", count, error)
            for place, _, kept in lot.wanted:
                found[place] += (kept,) if kept else ()
            self.kept += len(lot.wanted)
            return
        for (place, before, _), signature in zip(lot.wanted, made, strict=True):
            found[place] += (before + signature,)
        self.made += len(lot.wanted)

    def _check(self, requests: Sequence[tuple[int, bytes]], made: Sequence[bytes]) -> None:
        """Look at one signature of each key; raises LbdnsError where it is none of that key."""
        if len(made) != len(requests):
            raise LbdnsError(f"the signer gave {counted(len(made), 'signature')} where {len(requests)} were wanted")
        looked_at: set[int] = set()
        for (key_id, data), signature in zip(requests, made, strict=True):
            if key_id not in looked_at:
                looked_at.add(key_id)
                key = self._keys[key_id]
                if not verifies(key, data, signature):
                    raise LbdnsError(f"the signer gave a signature that is none of key {key.tag}: nothing is signed")


class _Lot:
    """What is asked for at once: `wanted` and `requests` go by pairs."""

    def __init__(self) -> None:
        self.wanted: list[WantedSignature] = []
        self.requests: list[tuple[int, bytes]] = []
