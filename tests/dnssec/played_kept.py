"""Signatures that are kept without being any: a real table, filled by tests in place of the signer."""

from __future__ import annotations

from pathlib import Path

from lbdns.dnssec.signer.filling import Filling
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.signature_lookup import rrset_key
from lbdns.mapped.signature_table import SignatureWriter, Signed, create_signatures

KEY_ID = 7
WIDTH = 96
NEVER_S = 4_000_000_000


class PlayedKept:
    """What DemandSigning is to a filling. `due`: what is to be made anew."""

    def __init__(self, folder: Path, slots: int = 1 << 12) -> None:
        create_signatures(folder / "signatures.bin", slots, WIDTH)
        self.table: SignatureWriter | None = SignatureWriter(folder / "signatures.bin")
        self.due: set[Unsigned] = set()

    def kept_slot(self, wanted: Unsigned) -> int | None:
        """Return where it is."""
        return None if wanted in self.due or self.table is None else self.table.find(*self.key(wanted))

    def key(self, wanted: Unsigned) -> tuple[int, int]:
        """Return what it is found by."""
        assert self.table is not None
        return rrset_key(self.table.secret, KEY_ID, wanted.owner, wanted.rtype, wanted.ttl, wanted.rdatas)

    def sign(self, wanted: Unsigned, now_s: float, is_passing: bool = False) -> None:
        """Put one there."""
        assert self.table is not None
        self.due.discard(wanted)
        assert self.table.put(Signed(*self.key(wanted), bytes(40), NEVER_S, is_passing), int(now_s), 0)

    def send(self, wanted: Unsigned, now_s: float) -> None:
        """Mark it as readers do that send it."""
        assert self.table is not None
        slot = self.table.find(*self.key(wanted))
        assert slot is not None
        self.table.columns["signed_used"][slot] = int(now_s) >> 6


def fill(filling: Filling, kept: PlayedKept, now_s: float) -> list[Unsigned]:
    """Sign whatever a filling wants until it wants no more; return that in order."""
    signed = []
    while True:
        found = filling.following(now_s)
        if found is not None:
            kept.sign(found[0], now_s)
            signed.append(found[0])
        elif filling.is_idle:
            return signed
