"""What of a view takes the place of what everybody sees: whatever cannot stand beside it at its name."""

from __future__ import annotations

from collections.abc import Collection

from lbdns.dns.codes import TYPE_CNAME
from lbdns.dns.rdata.record_types import HIDDEN_TYPES


def displaces_records(types: Collection[int], rtype: int, is_apex: bool) -> bool:
    """Return whether a view's RRsets of these types take the place of everybody's of one type, at the same name.

    | of everybody \\ of the view | nothing | a CNAME              | others     |
    |-----------------------------|---------|----------------------|------------|
    | a CNAME                     | stays   | goes                 | goes       |
    | another type                | stays   | goes, but for apexes | that type  |

    At an apex a CNAME is a mistake, and stays to be one.
    """
    if not types:
        return False
    return rtype in types or rtype == TYPE_CNAME or (TYPE_CNAME in types and not is_apex)


def displaces_balancer(types: Collection[int], kind: str) -> bool:
    """Return whether a view's RRsets of these types take the place of everybody's load balancer of a type, at the same
    name: those that it would hide, and a CNAME."""
    return TYPE_CNAME in types or not HIDDEN_TYPES[kind].isdisjoint(types)
