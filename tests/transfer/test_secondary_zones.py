"""What is laid into configurations of what primaries sent: whole zones, signed ones, and what cannot be served."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.dns.codes import TYPE_A, TYPE_DNSKEY, TYPE_NS, TYPE_NSEC, TYPE_RRSIG, TYPE_SOA
from lbdns.dns.name import encode_canonical, encode_name
from lbdns.dns.zone import RRset
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.secondary_zones import SecondaryZones
from lbdns.transfer.inward.copied_zone import with_copies
from lbdns.transfer.inward.copy_shelf import CopyShelf
from tests.transfer.transfer_records import APEX, soa_data

WWW = encode_canonical("www.example.com")


def configuration(*balancers: str) -> Configuration:
    """Return one with a zone of a primary, and load balancers over it."""
    pools = {"eu": {"origins": [{"name": "one", "address": "192.0.2.77"}]}}
    settings = {"zones": {"example.com": {"primaries": ["192.0.2.1"]}}}
    tree: dict[str, Any] = {"settings": settings, "pools": pools}
    tree["load_balancers"] = [
        {"name": f"{name}.example.com", "default_pools": ["eu"], "fallback_pool": "eu"} for name in balancers
    ]
    return parse(tree, Path()).configuration


def put(state: Path, serial: int, is_signed: bool = False) -> None:
    """Put a copy on disk."""
    rrsets = [
        RRset(APEX, TYPE_SOA, 60, (soa_data(serial),)),
        RRset(APEX, TYPE_NS, 60, (encode_name("ns.example.net."),)),
    ]
    if is_signed:
        rrsets += [
            RRset(APEX, TYPE_DNSKEY, 60, (b"\1\1\3\15" + bytes(64),)),
            RRset(APEX, TYPE_RRSIG, 60, (TYPE_SOA.to_bytes(2) + bytes(16) + APEX + bytes(64),)),
            RRset(APEX, TYPE_NSEC, 60, (WWW + b"\0\1\2",)),
            RRset(WWW, TYPE_NSEC, 60, (APEX + b"\0\1\x40",)),
        ]
    rrsets.append(RRset(WWW, TYPE_A, 60, (serial.to_bytes(4),)))
    CopyShelf(state).write(ZoneCopy(APEX, serial, "192.0.2.1:53", time.time(), tuple(rrsets)))


def serial_in(one: Configuration) -> int | None:
    """Return which copy is served, None where the zone is not."""
    found = [
        rrset.rdatas[0] for zone in one.zones for rrset in zone.rrsets if rrset.owner == WWW and rrset.type == TYPE_A
    ]
    return int.from_bytes(found[0]) if found else None


def test_what_came_last_is_in_every_configuration_until_another_came(tmp_path: Path) -> None:
    zones = SecondaryZones(tmp_path, time.time())
    bare = configuration("lb")
    assert "nothing has come" in zones.laid_in(bare).unready[0].problems[0]
    put(tmp_path, 1)
    assert serial_in(zones.laid_in(bare)) is None  # nobody has said so
    zones.came(APEX, is_expired=False)
    first = zones.laid_in(bare)
    assert serial_in(first) == 1 and not first.unready
    assert zones.laid_in(configuration("lb", "other")).zones[0] is first.zones[0]
    put(tmp_path, 2)
    zones.came(APEX, is_expired=False)
    assert serial_in(zones.laid_in(first)) == serial_in(zones.laid_in(bare)) == 2
    zones.came(APEX, is_expired=True)
    gone = zones.laid_in(first)
    assert serial_in(gone) is None and "expired" in gone.unready[0].problems[0]
    zones.came(APEX, is_expired=False)
    assert serial_in(zones.laid_in(gone)) == 2


def test_who_is_not_the_server_has_what_lies_on_disk(tmp_path: Path) -> None:
    assert with_copies(configuration("lb"), tmp_path).unready
    put(tmp_path, 4)
    found = with_copies(configuration("lb"), tmp_path)
    assert serial_in(found) == 4 and not found.unready


def test_what_cannot_be_published_is_taken_back_and_told(tmp_path: Path) -> None:
    zones = SecondaryZones(tmp_path, time.time())
    put(tmp_path, 1)
    first = zones.laid_in(configuration())
    zones.published(first)
    put(tmp_path, 2)
    zones.came(APEX, is_expired=False)
    assert serial_in(zones.laid_in(first)) == 2
    assert zones.withdraw("the disk is full") == {APEX: False}
    assert serial_in(zones.laid_in(first)) == 1
    assert "cannot be served: the disk is full" in zones.notes()[APEX][0]
    zones.came(APEX, is_expired=False)
    assert serial_in(zones.laid_in(first)) == 2 and not zones.notes()


def test_a_zone_that_its_primary_signs_has_no_load_balancers(tmp_path: Path) -> None:
    put(tmp_path, 1, is_signed=True)
    zones = SecondaryZones(tmp_path, time.time())
    plain = zones.laid_in(configuration())
    assert plain.zones[0].signed is not None and plain.zones[0].signed.is_elsewhere
    with pytest.raises(LbdnsError, match=r'lie over it \("lb\.example\.com"\).*lbdns dnssec enable'):
        zones.laid_in(configuration("lb"))
    assert serial_in(zones.laid_in(configuration())) == 1
    at_start = SecondaryZones(tmp_path, time.time()).laid_in(configuration("lb"))
    assert "load balancers lie over it" in at_start.unready[0].problems[0]


def test_a_primary_that_begins_to_sign_under_load_balancers_leaves_what_was_there(tmp_path: Path) -> None:
    put(tmp_path, 1)
    zones = SecondaryZones(tmp_path, time.time())
    assert serial_in(zones.laid_in(configuration("lb"))) == 1
    put(tmp_path, 2, is_signed=True)
    zones.came(APEX, is_expired=False)
    assert serial_in(zones.laid_in(configuration("lb"))) == 1
    assert "its primary signs it" in zones.notes()[APEX][0]
