"""What routes share that show zones' transfers, or have the running server check, transfer or notify now."""

from __future__ import annotations

from typing import Any, Final

from lbdns.manage.api.frame.auth import Caller
from lbdns.manage.api.frame.live import operate
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.guarding import refuse_if_guarded
from lbdns.transfer.zone_transfer_status import ZoneTransferStatus

_LIST: Final = "zone_transfers"
REFRESH: Final = "zone_refresh"
NOTIFY: Final = "zone_notify"


async def transfers_of(site: ApiSite, zone: str | None = None) -> list[ZoneTransferStatus]:
    """Return how zones that are transferred stand, or the one of a name, none where it is not one of them; raises
    ApiError where no server runs."""
    return [ZoneTransferStatus.from_json(one) for one in await operate(site, _LIST, {"zone": zone})]


async def have_transferred(
    site: ApiSite, caller: Caller, operation: str, zone: str, **arguments: Any
) -> ZoneTransferStatus:
    """Have the running server do REFRESH or NOTIFY to a zone now, and return how it stands then; raises ApiError and
    LbdnsError."""
    refuse_if_guarded("what the server does with other servers")
    request = {"zone": zone, "by": caller.author, **arguments}
    return ZoneTransferStatus.from_json(await operate(site, operation, request))
