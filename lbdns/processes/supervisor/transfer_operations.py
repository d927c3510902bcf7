"""What operators ask of zones' transfers: how they stand, and a check or a NOTIFY now; a request is looked at here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.base.wording import nearest, printable
from lbdns.dns.name import BadName, encode_canonical, show_name
from lbdns.transfer.zone_transfer_status import TransferRole, ZoneTransferStatus

log = logging.getLogger("lbdns.processes")


class AskedTransfers(Protocol):
    """Who transfers zones, as who asks it sees it."""

    @property
    def statuses(self) -> tuple[ZoneTransferStatus, ...]:
        """How zones stand that are transferred, in or out."""

    async def ask(self, verb: str, arguments: Mapping[str, Any]) -> Any:
        """Do "refresh" {zone, force} or "notify" {zone}, and return the zone's status as JSON has it, once that is
        done; raises LbdnsError."""


class TransferDesk:
    """Takes requests about the transfers of one server."""

    def __init__(self, transfers: AskedTransfers) -> None:
        """Ask `transfers`."""
        self._transfers = transfers

    async def show(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return how all zones stand that are transferred, by their names, or the one of a name: none where it is not
        one of them; raises LbdnsError where the name is none."""
        named = request.get("zone")
        zone = None if named is None else _name_of(named)
        found = [one for one in self._transfers.statuses if zone in (None, one.zone)]
        return [one.as_json() for one in sorted(found, key=lambda one: one.zone)]

    async def refresh(self, request: Mapping[str, Any]) -> Any:
        """Check a secondary zone now, and transfer what is new, or with `force` all of it; raises LbdnsError."""
        status = self._found(request)
        if status.role != TransferRole.SECONDARY:
            raise LbdnsError(f"{status.zone} is no secondary zone: this server is its primary")
        force = request.get("force")
        if not isinstance(force, bool | None):
            raise LbdnsError("force: expected true or false")
        return await self._ask("refresh", request, {"zone": status.zone, "force": bool(force)})

    async def notify(self, request: Mapping[str, Any]) -> Any:
        """Tell now whoever is told of a zone's changes; raises LbdnsError."""
        status = self._found(request)
        if not status.notified:
            raise LbdnsError(f"nobody is told of changes of {status.zone}: also_notify names who is, or its NS records")
        return await self._ask("notify", request, {"zone": status.zone})

    async def _ask(self, verb: str, request: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
        by = printable(str(request.get("by") or "the control socket"))
        log.info("%s %s, asked by %s", verb, arguments["zone"], by)
        return await self._transfers.ask(verb, arguments)

    def _found(self, request: Mapping[str, Any]) -> ZoneTransferStatus:
        """Return the zone that a request names; raises LbdnsError where it is not transferred."""
        zone = _name_of(request.get("zone"))
        known = {one.zone: one for one in self._transfers.statuses}
        if zone in known:
            return known[zone]
        near = nearest(zone, known)
        meant = f'; did you mean "{near}"?' if near else ""
        raise LbdnsError(f'no zone "{zone}" is transferred, in or out{meant}')


def _name_of(named: Any) -> str:
    if not isinstance(named, str) or not named:
        raise LbdnsError("zone: expected the name of a zone")
    try:
        return show_name(encode_canonical(named))
    except BadName as error:
        raise LbdnsError(f'"{named}" is no name of a zone: {error}') from None
