"""What a snapshot asks of whoever settles the transfers of its zones: their serials, and what they have in place of
load balancers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.snapshot.compile.flat_rows import Flat
from lbdns.snapshot.compile.view_zones import DirectoryRow
from lbdns.snapshot.compile.zone_columns import Placed


class CompiledZones(NamedTuple):
    """Zones, signed where they are to be, before they become columns.

    `placed`: where load balancers stand. `directories`: which views see which; None: all are in the public view.
    `steering`: gives the snapshot as far as it is compiled, with everything but names, for decisions. `seal`: gives an
    RRset of a zone (by its index) with signatures, those of the last argument as far as they hold; as it is where the
    zone is not signed.
    """

    zones: Sequence[Zone]
    placed: Sequence[Placed]
    directories: Sequence[DirectoryRow] | None
    steering: Callable[[], Snapshot]
    seal: Callable[[int, Sequence[RRset], Sequence[RRset]], Sequence[RRset]]


class TransferredZones(NamedTuple):
    """The zones with the serials that are served, what transfers have in place of load balancers by the zones' indices,
    and what the snapshot's meta data say of it."""

    zones: Sequence[Zone]
    flats: Mapping[int, Flat]
    meta: Mapping[str, Any]


class ZoneTransfers(Protocol):
    """Settles the transfers of a snapshot's zones."""

    def settle(self, compiled: CompiledZones) -> TransferredZones:
        """Return the zones as they are served and transferred; raises LbdnsError where one cannot be signed."""
