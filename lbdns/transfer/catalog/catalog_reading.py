"""A catalog zone as it came (RFC 9432) -> the zones that it lists, or why it is broken.

    version.CATALOG            TXT "2"        one, or the catalog is broken
    N.zones.CATALOG            PTR zone       a member: N is a label of no meaning but that another is another zone
    group.N.zones.CATALOG      TXT "group"    how the member is to be treated
    coo.N.zones.CATALOG        PTR catalog    which other catalog may take the member over

Other names mean nothing here. A catalog that is broken is not processed at all (section 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.dns.codes import TYPE_PTR, TYPE_TXT
from lbdns.dns.name import labels_of, show_name
from lbdns.dns.zone import RRset
from lbdns.model.bounds import MAX_CATALOG_MEMBERS

VERSION: Final = b"2"
_VERSION_LABEL: Final = b"version"
_ZONES_LABEL: Final = b"zones"
_GROUP_LABEL: Final = b"group"
_COO_LABEL: Final = b"coo"


class BrokenCatalog(LbdnsError):
    """A zone that is no catalog that could be processed; the text says why."""


class ListedZone(NamedTuple):
    """A member: the label that it is listed under, its apex, its group ("" for none) and the apex of the catalog that
    may take it over (b"" for none). Names are wire format in lower case."""

    unique: bytes
    apex: bytes
    group: str = ""
    successor: bytes = b""


def read_catalog(apex: bytes, rrsets: Iterable[RRset]) -> tuple[ListedZone, ...]:
    """Return the members of a catalog in the order of its names; raises BrokenCatalog."""
    versions: list[bytes] = []
    members: dict[bytes, bytes] = {}
    groups: dict[bytes, str] = {}
    successors: dict[bytes, bytes] = {}
    depth = len(labels_of(apex))
    for rrset in rrsets:
        labels = [label.lower() for label in labels_of(rrset.owner)]
        own = labels[: len(labels) - depth]
        if own == [_VERSION_LABEL] and rrset.type == TYPE_TXT:
            versions += rrset.rdatas
        elif len(own) == 2 and own[1] == _ZONES_LABEL and rrset.type == TYPE_PTR:
            members[own[0]] = _only(rrset, f"the member {_shown(own[0])}")
        elif len(own) == 3 and own[2] == _ZONES_LABEL:
            if own[0] == _GROUP_LABEL and rrset.type == TYPE_TXT:
                # More than one is an error of the member alone: it has none then (section 4.4.2).
                groups[own[1]] = _text(rrset.rdatas[0]) if len(rrset.rdatas) == 1 else ""
            elif own[0] == _COO_LABEL and rrset.type == TYPE_PTR:
                successors[own[1]] = _only(rrset, f"the coo of {_shown(own[1])}")
    _check_version(versions)
    _check_members(apex, members)
    return tuple(
        ListedZone(unique, member, groups.get(unique, ""), successors.get(unique, b""))
        for unique, member in members.items()
    )


def _only(rrset: RRset, what: str) -> bytes:
    if len(rrset.rdatas) != 1:
        raise BrokenCatalog(f"{what} has {len(rrset.rdatas)} PTR records; it is to have one")
    return rrset.rdatas[0].lower()


def _check_version(versions: list[bytes]) -> None:
    if not versions:
        raise BrokenCatalog('it says no version; version.CATALOG is to have one TXT record, "2"')
    if len(versions) > 1:
        raise BrokenCatalog(f"it says {len(versions)} versions; version.CATALOG is to have one TXT record")
    if _text(versions[0]) != VERSION.decode():
        raise BrokenCatalog(f'it is of version "{_text(versions[0])}"; "2" is known here')


def _check_members(apex: bytes, members: dict[bytes, bytes]) -> None:
    if len(members) > MAX_CATALOG_MEMBERS:
        raise BrokenCatalog(f"it lists {len(members):,} zones; {MAX_CATALOG_MEMBERS:,} are taken at most")
    first: dict[bytes, bytes] = {}
    for unique, member in members.items():
        other = first.setdefault(member, unique)
        if other != unique:
            both = f"{_shown(other)} and {_shown(unique)}"
            raise BrokenCatalog(f"it lists {show_name(member)} twice, as {both}")
        if member == apex:
            raise BrokenCatalog(f"it lists {show_name(member)} as a member of itself")


def _text(rdata: bytes) -> str:
    """Return the strings of TXT data as one."""
    found, at = [], 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        found.append(rdata[at + 1 : end])
        at = end
    return b"".join(found).decode("ascii", "backslashreplace")


def _shown(label: bytes) -> str:
    return label.decode("ascii", "backslashreplace")
