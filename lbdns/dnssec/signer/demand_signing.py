"""Signatures over RRsets that are made when they are first wanted, and kept in the table.

    wanted --in the table, and to last?--> as it is
              | no
              '--> signed by each of the zone's signers --> table --> whoever wanted it

What is signed stands nowhere in a zone: the TTL and the records of a steered answer, under the name that was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.dns.canonical import RRSIG_HEAD, signed_data, signed_labels
from lbdns.dns.name import is_at_or_below
from lbdns.dnssec.signature_times import SignatureTimes, SigningPolicy
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.unsigned import Unsigned
from lbdns.dnssec.zone_keys import SigningKey, ZoneKeys
from lbdns.mapped.signature_lookup import rrset_key
from lbdns.mapped.signature_table import SignatureWriter, Signed
from lbdns.mapped.signature_words import USED_SHIFT

_MODULUS: Final = 1 << 32


class KeyHolder(Protocol):
    """Who has the keys of zones."""

    def zones(self) -> Mapping[bytes, ZoneKeys]:
        """Return the public side of the keys of each signed zone, by its apex."""

    def sign(self, key_id: int, data: bytes | memoryview) -> bytes:
        """Return the signature of a key in DNSSEC's wire form; raises LbdnsError where there is no such key, or it
        cannot be used now."""


@dataclass(slots=True)
class DemandCounts:
    """How many signatures were made, found in the table, refused and not made for another reason."""

    made: int = 0
    found: int = 0
    refused: int = 0
    failed: int = 0


class DemandSigning:
    """Has signatures made. `counts`: since it began; `problem`: why the last that was not made was not, "" where the
    last was."""

    def __init__(
        self,
        keys: KeyHolder,
        terms: Callable[[bytes], SigningPolicy],
        unix_s: Callable[[], float],
        elapsed_s: Callable[[], float],
    ) -> None:
        """Sign with the keys of `keys`, on the `terms` of each zone; clocks: the time of day, and CLOCK_MONOTONIC."""
        self._keys = keys
        self._terms = terms
        self._unix_s = unix_s
        self._elapsed_s = elapsed_s
        self._times: dict[bytes, SignatureTimes] = {}
        self.table: SignatureWriter | None = None
        self.counts = DemandCounts()
        self.problem = ""

    def signatures(self, wanted: Unsigned, verdict: Verdict, is_asked: bool = True) -> tuple[bytes, ...]:
        """Return the data of the RRSIG records over an RRset, by each key that its zone is signed by; none where that
        is refused, or cannot be.

        `is_asked`: somebody is to be sent it now; else it is marked as sent before, so that who sends it is seen.
        """
        keys = self._keys.zones().get(wanted.apex)
        if verdict is Verdict.REFUSED or keys is None or not is_at_or_below(wanted.owner, wanted.apex):
            self.counts.refused += 1
            return ()
        unix_s = int(self._unix_s())
        try:
            given = tuple(self._signature(wanted, key, verdict, unix_s, is_asked) for key in keys.zone_signers)
        except LbdnsError as error:
            self.counts.failed += 1
            self.problem = str(error)
            return ()
        self.problem = ""
        head = RRSIG_HEAD.size
        return tuple(rdata[:head] + wanted.apex + rdata[head:] for rdata in given)

    def kept_slot(self, wanted: Unsigned) -> int | None:
        """Return the slot of the signature over an RRset by its zone's first key, None where one by any of its keys is
        not in the table, or is to be made anew."""
        keys, table = self._keys.zones().get(wanted.apex), self.table
        if keys is None or table is None:
            return None
        times = self._times_of(wanted.apex, int(self._unix_s()))
        first: int | None = None
        for key in keys.zone_signers:
            slot = table.find(*self._key_of(table, wanted, key))
            kept = None if slot is None else table.read(slot)
            if kept is None or is_due(kept, times):
                return None
            first = slot if first is None else first
        return first

    def _key_of(self, table: SignatureWriter, wanted: Unsigned, key: SigningKey) -> tuple[int, int]:
        return rrset_key(table.secret, key.id, wanted.owner, wanted.rtype, wanted.ttl, wanted.rdatas)

    def _signature(self, wanted: Unsigned, key: SigningKey, verdict: Verdict, unix_s: int, is_asked: bool) -> bytes:
        """Return an RRSIG's data without the signer's name."""
        times = self._times_of(wanted.apex, unix_s)
        table = self.table
        high = low = 0
        if table is not None:
            high, low = self._key_of(table, wanted, key)
            slot = table.find(high, low)
            kept = None if slot is None else table.read(slot)
            if kept is not None and not is_due(kept, times):
                self.counts.found += 1
                return kept.rdata
        expiry_s = times.expiration_s(wanted.owner)
        head = RRSIG_HEAD.pack(
            wanted.rtype,
            key.algorithm,
            signed_labels(wanted.owner),
            wanted.ttl,
            expiry_s % _MODULUS,
            times.inception_s(is_of_keys=False) % _MODULUS,
            key.tag,
        )
        data = signed_data(head + wanted.apex, wanted.owner, wanted.rtype, wanted.ttl, wanted.rdatas)
        rdata = head + self._keys.sign(key.id, data)
        self.counts.made += 1
        if table is not None:
            sent_s = int(self._elapsed_s()) - (0 if is_asked else 1 << USED_SHIFT)
            table.put(Signed(high, low, rdata, expiry_s, verdict is Verdict.PASSING), max(sent_s, 0), unix_s)
        return rdata

    def forget_terms(self) -> None:
        """Go by other terms from now on."""
        self._times.clear()

    def _times_of(self, apex: bytes, unix_s: int) -> SignatureTimes:
        """Return the times of what is signed in this second: they are worked out once in it."""
        times = self._times.get(apex)
        if times is None or times.now_s != unix_s:
            times = self._times[apex] = SignatureTimes(self._terms(apex), unix_s)
        return times


def is_due(kept: Signed, times: SignatureTimes) -> bool:
    """Return whether what is kept is to be made anew: it nears its end, or the clock was set back since."""
    _, _, _, _, expiration, inception, _ = RRSIG_HEAD.unpack_from(kept.rdata)
    return times.is_due(expiration, inception)
