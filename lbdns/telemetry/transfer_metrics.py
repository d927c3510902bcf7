"""Metrics of zones that are transferred, in or out: worked out of how each stands, and of nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lbdns.transfer.zone_transfer_status import COUNTS, TransferRole, TransferState, ZoneTransferStatus

ZONE: Final = ("zone",)
_TIMES: Final = (
    (
        "last_check_s",
        "zone_checked_timestamp_seconds",
        "When a primary of a secondary zone was last asked for its SOA.",
    ),
    ("next_check_s", "zone_next_check_timestamp_seconds", "When one will be."),
    ("last_transfer_s", "zone_transferred_timestamp_seconds", "When a secondary zone was last transferred."),
    ("expires_s", "zone_expiry_timestamp_seconds", "When a secondary zone expires unless a primary is reached."),
)
"""Times of a zone's status, with the name and the text of their metric."""


class Samples(NamedTuple):
    """A metric family: its name without `lbdns_`, its text, its labels, and a row of values and a number a sample."""

    name: str
    text: str
    labels: tuple[str, ...]
    rows: Sequence[tuple[tuple[str, ...], float]]
    is_counter: bool = False


def transfer_samples(zones: Sequence[ZoneTransferStatus]) -> Iterator[Samples]:
    """Yield the families; those of a time have no sample for zones where it is not known."""
    counted = Counter((one.role, one.state) for one in zones)
    states = [
        ((role.value, state.value), float(counted[role, state]))
        for role in TransferRole
        for state in TransferState
        if any(one.role == role for one in zones)
    ]
    yield Samples("transfer_zones", "Zones that are transferred, by how they stand.", ("role", "state"), states)
    failing = [((one.zone,), float(one.is_wrong)) for one in zones]
    text = "1 where the last check, transfer or NOTIFY failed, or the zone has expired."
    yield Samples("zone_transfer_failing", text, ZONE, failing)
    serials = [((one.zone, one.role.value), float(one.serial)) for one in zones if one.serial is not None]
    yield Samples("zone_serial", "The serial that is served.", ("zone", "role"), serials)
    heard = [
        ((one.zone, side, peer.address), float(peer.serial))
        for one in zones
        for side, peers in (("primary", one.primaries), ("notified", one.notified))
        for peer in peers
        if peer.serial is not None
    ]
    text = "The serial that a primary has, or that somebody notified has acknowledged."
    yield Samples("peer_serial", text, ("zone", "side", "peer"), heard)
    for field, name, text in _TIMES:
        times = [((one.zone,), value) for one in zones if (value := getattr(one, field)) is not None]
        yield Samples(name, text, ZONE, times)
    warnings = [((one.zone,), float(len(one.warnings))) for one in zones if one.role == TransferRole.SECONDARY]
    text = "What somebody should look at, such as load balancers whose names the primary has deleted."
    yield Samples("zone_warnings", text, ZONE, warnings)
    for word, text in COUNTS.items():
        rows = [((one.zone,), float(one.counts[word])) for one in zones if word in one.counts]
        yield Samples(f"zone_{word}", text, ZONE, rows, is_counter=True)
