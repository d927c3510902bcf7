"""Tables of signatures in the run directory: the one in use goes on from generation to generation, as long as it has
the room that these need; what it holds goes into the one that follows, as the signer finds it there."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.dns.name import show_name, text_suffixes
from lbdns.mapped.columns import SIGNATURE_HEAD_BYTES
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureTable, create_signatures, slots_for
from lbdns.mapped.snapshot_file import SIGNATURES, SIGNED, Snapshot
from lbdns.model.configuration import Configuration

SIGNATURE_ROOM: Final = "signature_room"
"""Where a snapshot's meta data have what its table must have room for: load balancers, and bytes of a signature."""


class SignatureRoom(NamedTuple):
    """What a table is to have room for: the answers of so many load balancers, signatures of so many bytes with their
    head."""

    balancers: int
    width: int


def signature_room(configuration: Configuration, snapshot: Snapshot, signature_bytes: int) -> SignatureRoom:
    """Return what a compiled configuration needs: for its load balancers in signed zones, and for signatures of so many
    bytes at most."""
    zones = {show_name(bytes.fromhex(apex)) for apex, *_ in snapshot.meta[SIGNED]}
    balancers = sum(not zones.isdisjoint(text_suffixes(one.name)) for one in configuration.load_balancers)
    return SignatureRoom(balancers, SIGNATURE_HEAD_BYTES + signature_bytes)


class SignatureFiles:
    """The tables of one run directory."""

    def __init__(self, run: RunDirectory) -> None:
        """Begin with none."""
        self._run = run
        self._number = 0

    def resume(self, snapshot: Snapshot) -> None:
        """Go on with the table of a generation that is in force."""
        self._number = int(snapshot.meta.get(SIGNATURES, 0))

    def provide(self, meta: dict[str, Any], room: SignatureRoom) -> None:
        """Have a table with such room and say in a snapshot's meta data which that is; raises LbdnsError."""
        meta[SIGNATURE_ROOM] = room
        meta[SIGNATURES] = self.with_room(room)

    def with_room(self, room: SignatureRoom) -> int:
        """Return the number of a table with such room: the one in use, or another; raises LbdnsError."""
        before = self._in_use()
        slots = slots_for(room.balancers)
        if before is not None and before.slots >= slots and before.width >= room.width:
            return self._number
        self._number += 1
        while self._run.signatures(self._number).exists():
            self._number += 1
        path = self._run.signatures(self._number)
        if before is None:
            create_signatures(path, slots, room.width)
        else:
            create_signatures(path, max(slots, before.slots), max(room.width, before.width), before.secret_bytes)
        return self._number

    def _in_use(self) -> SignatureTable | None:
        try:
            return SignatureTable(self._run.signatures(self._number)) if self._number else None
        except LbdnsError:
            return None  # it was removed, or is of another release
