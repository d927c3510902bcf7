"""Zones are signed whole: chains as the RFCs have them, every signature valid, and only what changed signed anew."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from lbdns.dns.codes import (
    ECDSAP256SHA256,
    ECDSAP384SHA384,
    ED25519,
    TYPE_CDNSKEY,
    TYPE_CDS,
    TYPE_DNSKEY,
    TYPE_NSEC3PARAM,
)
from lbdns.dns.zone import RRset, Zone
from lbdns.snapshot.compile.signed_zones import BalancerStanding
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signs
from tests.dnssec.naive_chain import NaiveZone, check_signatures, rrset_of, type_text
from tests.dnssec.random_zones import random_zone

DENIALS = ("nsec", "nsec3", "compact")
WEEK_S = 7 * 86_400


def all_rrsets(zone: Zone) -> list[RRset]:
    """Return the RRsets of a signed zone, those of NSEC3 among them."""
    assert zone.signed is not None
    return [*zone.rrsets, *(rrset for _, rrset in zone.signed.nsec3)]


def check(zone: Zone, standing: Sequence[BalancerStanding], signed: Zone, now_s: int = NOW_S) -> None:
    """Assert that a zone is signed as it is to be."""
    at_apex = {rrset.type: rrset for rrset in signed.rrsets if rrset.owner == zone.apex}
    made = [type_text(one) for one in (TYPE_DNSKEY, TYPE_CDS, TYPE_CDNSKEY, TYPE_NSEC3PARAM) if one in at_apex]
    NaiveZone(zone, standing, made).check(signed)
    rrsets = all_rrsets(signed)
    count = check_signatures(rrsets, rrset_of(at_apex[TYPE_DNSKEY]), now_s)
    assert count == sum(len(rrset.signatures) for rrset in rrsets) > 0


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_random_zones(denial: str, seed: int) -> None:
    draw = random.Random(f"{denial} {seed}")
    zone, standing = random_zone(draw)
    algorithm = draw.choice((ECDSAP256SHA256, ECDSAP384SHA384, ED25519))
    keys = SomeKeys.make("example.com", algorithm, split=draw.random() < 0.5)
    if draw.random() < 0.5:
        keys = keys.with_cds()
    (signed,) = signs(keys, policy=Policy(denial)).sign([zone], [standing])
    check(zone, standing, signed)
