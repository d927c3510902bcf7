"""What somebody should look at where load balancers lie over a zone that its primary may change at any time.

A load balancer stays whatever comes: the primary has the zone, and this server what lies over it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from lbdns.dns.codes import TYPE_DNAME, TYPE_NS
from lbdns.dns.name import ancestors, show_name
from lbdns.dns.zone import Zone


def balancer_notes(zone: Zone, names: Collection[bytes], before: Zone | None) -> Iterator[str]:
    """Yield what to say of load balancers at some names (wire format) of a zone; `before`: the zone that was served."""
    if not names:
        return
    looked_at = set(names)
    for name in names:
        looked_at.update(ancestors(name, zone.apex))
    there, above = set[bytes](), dict[bytes, str]()
    for rrset in zone.rrsets:
        if rrset.owner in looked_at:
            there.add(rrset.owner)
            if rrset.type == TYPE_NS and rrset.owner != zone.apex:
                above[rrset.owner] = "delegated to other servers"
            elif rrset.type == TYPE_DNAME:
                above.setdefault(rrset.owner, "redirected by a DNAME")
    were = set() if before is None else {rrset.owner for rrset in before.rrsets if rrset.owner in looked_at}
    for name in sorted(names):
        hiding = next((one for one in (name, *ancestors(name, zone.apex)) if _hides(one, name, above)), None)
        if hiding is not None:
            yield (
                f"the primary has {show_name(hiding)} {above[hiding]}, so nobody asks for the load balancer "
                f"{show_name(name)} here"
            )
        elif name in were and name not in there:
            yield f"the primary has deleted {show_name(name)}, at which a load balancer answers on"


def _hides(above: bytes, name: bytes, found: dict[bytes, str]) -> bool:
    """Return whether what stands at a name keeps another from being asked for: a DNAME what is below it alone."""
    return above in found and (above != name or found[above].startswith("delegated"))
