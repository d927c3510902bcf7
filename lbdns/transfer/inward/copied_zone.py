"""From the copy of what a primary sent to a zone that is served.

nothing of DNSSEC in it               as it is
signed by its primary                 by its own records (zone_signed_elsewhere.py)
signed by its primary, and here       without what the primary's signer made: this server signs it anew
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from lbdns.dns.codes import TYPE_CDNSKEY, TYPE_CDS, TYPE_DNSKEY
from lbdns.dns.master.signing_records import SIGNING_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.model.configuration import Configuration
from lbdns.transfer.inward.copy_shelf import CopyShelf

_OF_KEYS: Final = frozenset({TYPE_DNSKEY, TYPE_CDS, TYPE_CDNSKEY})


def is_signed_by_primary(copy: ZoneCopy) -> bool:
    """Return whether a primary has signed what it sent: then there are keys at the apex."""
    return any(rrset.type == TYPE_DNSKEY and rrset.owner == copy.apex for rrset in copy.rrsets)


def plain_zone(copy: ZoneCopy, file: str) -> Zone:
    """Return a zone without what its primary's signer made. `file`: where it comes from, in words."""
    if not is_signed_by_primary(copy):
        return Zone(copy.apex, copy.rrsets, file)
    return Zone(copy.apex, tuple(_unsigned(copy.apex, copy.rrsets)), file)


def with_copies(configuration: Configuration, state_dir: Path) -> Configuration:
    """Return a configuration with what lies in a state directory of zones that come from others: for who asks what a
    server would answer that is not the server."""
    shelf = CopyShelf(state_dir)
    wanted = {policy.apex for policy in configuration.transfer_policies.secondaries}
    found = [shelf.read(one.zone.apex) for one in configuration.unready if one.zone.apex in wanted]
    zones = {held.copy.apex: plain_zone(held.copy, held.copy.primary) for held in found if held is not None}
    left = tuple(one for one in configuration.unready if one.zone.apex not in zones)
    return (
        replace(configuration, zones=(*configuration.zones, *zones.values()), unready=left) if zones else configuration
    )


def _unsigned(apex: bytes, rrsets: Iterable[RRset]) -> Iterable[RRset]:
    for rrset in rrsets:
        if rrset.type in _OF_KEYS:
            if rrset.owner != apex:
                yield rrset
        elif rrset.type not in SIGNING_TYPES:
            yield rrset
