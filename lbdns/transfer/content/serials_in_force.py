"""Which serial a zone is served with now: its own, or one that transfers raised since (settled_zone.py)."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from lbdns.dns.codes import TYPE_SOA
from lbdns.mapped.columns import HEALTH_COLUMNS
from lbdns.mapped.snapshot_file import VIEWS, Snapshot
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.look_up import Found, directory_of, look_up
from lbdns.snapshot.lookup.name_rows import KIND_HIT
from lbdns.snapshot.lookup.name_table import Suffixes, set_name
from lbdns.transfer.content.settled_zone import serial_in

SerialOf = Callable[[bytes, str], int | None]
"""(apex, view) -> the serial that who is in the view is answered, None where he is answered none."""
_NO_HEALTH: Final = {column.name: memoryview(array(column.code)) for column in HEALTH_COLUMNS}


class SerialsInForce:
    """The serials of a snapshot, looked up as a query for the SOA is."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look in a snapshot."""
        self._columns = snapshot.columns
        self._views: list[str] = snapshot.meta[VIEWS]
        self._names = TypedColumns(snapshot.columns, _NO_HEALTH)
        self._suffixes, self._found = Suffixes(), Found()

    def of(self, apex: bytes, view: str) -> int | None:
        """Return the serial that a zone (lower case) has for a view's clients, "" for who is in none; None where it is
        not there, or not ready to be served."""
        number = self._views.index(view) if view in self._views else 0
        set_name(self._suffixes, apex)
        if look_up(self._names, self._suffixes, TYPE_SOA, directory_of(number), self._found) != KIND_HIT:
            return None
        place = self._columns["rrset_rdata_start"][self._found.row]
        offset, length = self._columns["rdata_offset"][place], self._columns["rdata_length"][place]
        return serial_in(bytes(self._columns["blob"][offset : offset + length]))
