"""Look a name and type up in a snapshot's zones: one of nine kinds of outcome (RFC 1034 4.3.2, RFC 4592, RFC 6672).

| what stands at the name                                    | kind        |
|------------------------------------------------------------|-------------|
| no zone of ours above it                                   | OUT_OF_ZONE |
| the zone above it has a mistake and is not ready            | UNREADY     |
| it is at or below a cut (but for DS at the cut)            | REFERRAL    |
| a load balancer that answers the type, or may by a CNAME   | STEERED     |
| records of the type (any type, for ANY)                    | HIT         |
| a CNAME, asked for another type                            | CNAME       |
| it exists, with other types or none                        | NODATA      |
| nothing, but a DNAME above it                              | DNAME       |
| nothing, but a wildcard covers it                          | as at the wildcard |
| nothing                                                    | NXDOMAIN    |

Runs interpreted and compiled (types in the `.pxd`): both paths of the responder look names up here and nowhere else.
"""

from __future__ import annotations

from lbdns.dns.codes import *
from lbdns.mapped.typed_columns import TypedColumns
from lbdns.snapshot.lookup.name_rows import *
from lbdns.snapshot.lookup.name_table import Suffixes, find
from lbdns.steering.kernel.numbers import *


class Found:
    """A look-up's outcome.

    `entry`: the name that answers: the cut, the DNAME's owner, the wildcard, the name itself, or the closest encloser.
    `row`: its RRset of a HIT (NO_ROW for ANY), CNAME or DNAME. `load_balancer`, `family`: of STEERED.
    """

    def __init__(self) -> None:
        self.kind = KIND_OUT_OF_ZONE
        self.zone = 0
        self.entry = 0
        self.row = 0
        self.load_balancer = 0
        self.family = 0


def directory_of(view: int) -> int:
    """Return the directory of a view's zones by its number, 0 of the public one."""
    return LAST_DIRECTORY - view if view else DIRECTORY


def look_up(names: TypedColumns, suffixes: Suffixes, qtype: int, directory: int, found: Found) -> int:
    """Fill `found` with what stands at the name in `suffixes` (hashed) for a type, in the zones of a directory, and
    return its kind."""
    label = find_zone(names, suffixes, 0, directory, found)
    if label < 0:
        found.kind = KIND_OUT_OF_ZONE
        return found.kind
    if qtype == TYPE_DS and label == 0:
        # The parent's side of a cut holds DS (RFC 4035 3.1.4.1): where both zones are ours, it answers.
        zone = found.zone
        if find_zone(names, suffixes, 1, directory, found) < 0:
            found.zone = zone
    for index in range(suffixes.count):
        entry = find(names, found.zone + 1, suffixes, index)
        if entry != NO_NAME:
            found.entry = entry
            return at_encloser(names, index == 0, qtype, found)
    found.kind = KIND_OUT_OF_ZONE
    return found.kind


def find_zone(names: TypedColumns, suffixes: Suffixes, first: int, directory: int, found: Found) -> int:
    """Set the zone of a directory with the longest apex among the suffixes from `first` on; return its label, -1 where
    there is none."""
    for index in range(first, suffixes.count):
        entry = find(names, directory, suffixes, index)
        if entry == NO_NAME and directory != DIRECTORY:
            entry = find(names, DIRECTORY, suffixes, index)
        if entry != NO_NAME and names.name_row[entry * NAME_ROW + ROW_LINK] != NO_NAME:
            found.zone = names.name_row[entry * NAME_ROW + ROW_LINK]
            return index
    return -1


def at_encloser(names: TypedColumns, is_exact: bool, qtype: int, found: Found) -> int:
    """Decide the kind from the closest encloser, `found.entry`: the name itself where `is_exact`."""
    row = found.entry * NAME_ROW
    flags = names.name_row[row + ROW_RRSETS] >> FLAGS_SHIFT
    if flags & NAME_UNREADY:
        found.kind = KIND_UNREADY
    elif flags & NAME_OCCLUDED:
        found.entry = names.name_row[row + ROW_LINK]
        found.kind = KIND_REFERRAL
    elif flags & NAME_CUT and not (is_exact and qtype == TYPE_DS):
        found.kind = KIND_REFERRAL
    elif is_exact:
        at_name(names, qtype, found)
    elif flags & NAME_DNAME:
        found.row = find_rrset(names, found.entry, TYPE_DNAME)
        found.kind = KIND_DNAME
    elif names.name_row[row + ROW_LINK] != NO_NAME:
        found.entry = names.name_row[row + ROW_LINK]
        at_name(names, qtype, found)
    else:
        found.kind = KIND_NXDOMAIN
    return found.kind


def at_name(names: TypedColumns, qtype: int, found: Found) -> None:
    """Decide the kind from what stands at `found.entry`."""
    position = -1
    found.family = FAMILY_A
    if qtype in (TYPE_A, TYPE_AAAA, TYPE_CNAME):
        position = 0
        found.family = FAMILY_AAAA if qtype == TYPE_AAAA else FAMILY_A
    elif qtype == TYPE_MX:
        position = 1
        found.family = FAMILY_NAMED
    elif qtype == TYPE_SRV:
        position = 2
        found.family = FAMILY_NAMED
    if position >= 0:
        found.load_balancer = names.name_row[found.entry * NAME_ROW + ROW_LOAD_BALANCER + position]
        if found.load_balancer != NO_ROW and (
            qtype != TYPE_CNAME or names.lb_flags[found.load_balancer] & LB_GIVES_CNAME
        ):
            found.kind = KIND_STEERED
            return
    if names.name_row[found.entry * NAME_ROW + ROW_RRSETS] >> FLAGS_SHIFT & NAME_CNAME and qtype != TYPE_CNAME:
        # ANY gets the CNAME as it is, unfollowed (RFC 8482 4.2).
        found.row = find_rrset(names, found.entry, TYPE_CNAME)
        found.kind = KIND_HIT if qtype == TYPE_ANY else KIND_CNAME
        return
    if qtype == TYPE_ANY:
        found.row = NO_ROW
        has_any = (names.name_row[found.entry * NAME_ROW + ROW_RRSETS] & RRSETS_MASK) > 0 or has_load_balancer(
            names, found.entry
        )
        found.kind = KIND_HIT if has_any else KIND_NODATA
        return
    found.row = find_rrset(names, found.entry, qtype)
    found.kind = KIND_NODATA if found.row == NO_ROW else KIND_HIT


def find_rrset(names: TypedColumns, entry: int, rtype: int) -> int:
    """Return the row of a name's RRset of one type, NO_ROW where it has none."""
    start = names.name_row[entry * NAME_ROW + ROW_FIRST_RRSET]
    for row in range(start, start + (names.name_row[entry * NAME_ROW + ROW_RRSETS] & RRSETS_MASK)):
        if names.rrset_type[row] == rtype:
            return row
    return NO_ROW


def has_load_balancer(names: TypedColumns, entry: int) -> bool:
    """Return whether any load balancer stands at a name."""
    first = entry * NAME_ROW + ROW_LOAD_BALANCER
    return names.name_row[first] != NO_ROW or names.name_row[first + 1] != NO_ROW or names.name_row[first + 2] != NO_ROW
