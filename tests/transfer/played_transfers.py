"""Transfers that are played: their operations, over statuses in memory, for tests of what asks and shows them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.config.examined import Loaded
from lbdns.transfer.zone_transfer_status import TransferPeer, TransferRole, TransferState, ZoneTransferStatus

BEGAN_S = 1_800_000_000.0
PRIMARY = TransferPeer("192.0.2.1:53", "transfer.example.com", False, 2026112901, BEGAN_S)


def secondary(zone: str = "example.com", **more: Any) -> ZoneTransferStatus:
    """Return a zone that came from its primary."""
    made = ZoneTransferStatus(
        zone=zone,
        role=TransferRole.SECONDARY,
        state=TransferState.CURRENT,
        since_s=BEGAN_S - 3600,
        serial=2026112901,
        primaries=(PRIMARY,),
        last_check_s=BEGAN_S,
        next_check_s=BEGAN_S + 900,
        last_transfer="ixfr",
        last_transfer_s=BEGAN_S - 3600,
        expires_s=BEGAN_S + 604_800,
        counts={"checks": 5, "ixfr": 2, "axfr": 1},
    )
    return dataclasses.replace(made, **more)


def primary(zone: str = "example.net", **more: Any) -> ZoneTransferStatus:
    """Return a zone that is this server's, and that another one is told of."""
    made = ZoneTransferStatus(
        zone=zone,
        role=TransferRole.PRIMARY,
        state=TransferState.CURRENT,
        since_s=BEGAN_S - 60,
        serial=7,
        notified=(TransferPeer("198.51.100.1:53", "", False, 7, BEGAN_S - 60),),
        counts={"notifies_sent": 3},
    )
    return dataclasses.replace(made, **more)


class PlayedTransfers:
    """Stands for the running server: its zones by name, and what was asked of it."""

    def __init__(self, *zones: ZoneTransferStatus) -> None:
        """Begin with some zones."""
        self.zones = {one.zone: one for one in zones}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Store a change."""
        await asyncio.to_thread(commit)

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the operations; raises LbdnsError for all else."""
        self.asked.append((op, dict(request)))
        zone = request.get("zone")
        if op == "zone_transfers":
            return [one.as_json() for name, one in sorted(self.zones.items()) if zone in (None, name)]
        if op not in ("zone_refresh", "zone_notify"):
            raise LbdnsError(f"{op} is not played")
        if zone not in self.zones:
            raise LbdnsError(f'there is no zone "{zone}" that is transferred')
        before = self.zones[str(zone)]
        if op == "zone_refresh" and before.role == TransferRole.PRIMARY:
            raise LbdnsError(f"{zone} is no secondary zone: this server is its primary")
        self.zones[before.zone] = dataclasses.replace(before, last_check_s=BEGAN_S + 5, state=TransferState.CURRENT)
        return self.zones[before.zone].as_json()

    def in_force(self) -> Any:
        """Raise LbdnsError: nothing is served."""
        raise LbdnsError("nothing is served yet")
