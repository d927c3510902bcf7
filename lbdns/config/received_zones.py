"""Zones that come from other servers, as a configuration has them: a name that load balancers may lie over.

What stands in them is not the configuration's: whoever publishes it lays in what the primaries have sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.name import show_name
from lbdns.dns.zone import Zone
from lbdns.model.bounds import MAX_ZONE_SETTINGS
from lbdns.model.configuration import UnreadyZone

NOT_RECEIVED: Final = "nothing has come from its primaries yet"


@lru_cache(MAX_ZONE_SETTINGS)
def received_draft(apex: bytes) -> ZoneDraft:
    """Return what there is to check of a zone; the same again, so that what was checked stays so."""
    return ZoneDraft(apex, f"the primaries of {show_name(apex)}", is_received=True)


def unreceived(draft: ZoneDraft) -> UnreadyZone:
    """Return a zone of which nothing has come yet."""
    return UnreadyZone(draft.finish(), (f"zone {show_name(draft.apex)}: {NOT_RECEIVED}",))


def received_zone(apex: bytes) -> Zone:
    """Return the same without RRsets, as `unready` has it."""
    return received_draft(apex).finish()
