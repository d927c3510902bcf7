"""An UPDATE judged and made on a zone's RRsets: START HERE. Pure; all or nothing.

    zone -> prerequisites -> permissions -> update section as a whole -> record by record
      |          |               |                |                           |
    NOTAUTH   NXDOMAIN        REFUSED         FORMERR, NOTZONE             REFUSED: too many
              NXRRSET
              YXDOMAIN
              YXRRSET
              FORMERR, NOTZONE

in RFC 2136's order (section 3). What comes of it is what changed, RRset by RRset; the store makes records of that, and
raises the serial where the update gave none.
"""

from __future__ import annotations

from lbdns.dns.codes import NOERROR
from lbdns.dns.update_message import UpdateMessage
from lbdns.transfer.update.prerequisites import check_prerequisites
from lbdns.transfer.update.update_section import (
    DONE,
    Objects,
    UpdateOutcome,
    check_permissions,
    make_updates,
    scan_updates,
)
from lbdns.transfer.update.zone_now import ZoneNow


def update_zone(zone: ZoneNow, asked: UpdateMessage, objects: Objects) -> UpdateOutcome:
    """Make an update, or leave a zone as it was; `zone.changed` then says what it changed. `objects`: why whoever
    asks may not change a type at a name."""
    zone.begin()
    rcode = check_prerequisites(zone, asked.prerequisites)
    if rcode != NOERROR:
        return UpdateOutcome(rcode)
    outcome = check_permissions(zone, asked.updates, objects)
    if outcome.rcode != NOERROR:
        return outcome
    rcode = scan_updates(zone, asked.updates)
    if rcode != NOERROR:
        return UpdateOutcome(rcode)
    outcome = make_updates(zone, asked.updates)
    if outcome.rcode != NOERROR:
        zone.undo()
        return outcome
    return DONE
