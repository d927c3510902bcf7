"""Other people's checkers of whole zones, ldns-verify-zone and BIND's dnssec-verify, agree with what is signed here."""

from __future__ import annotations

import random
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lbdns.dns.codes import ECDSAP256SHA256, ECDSAP384SHA384, ED25519, TYPE_DS, TYPE_NS
from lbdns.dns.zone import Zone
from tests.answer.unbound import program
from tests.dnssec.in_process import Policy, SomeKeys, signs
from tests.dnssec.naive_chain import rrset_of, signatures_of
from tests.dnssec.random_zones import random_zone

pytestmark = pytest.mark.process
ZONES = 6  # of each way to deny
CHECK_S = 30.0
WILDCARD = b"\1*"


def signed_zone(denial: str, seed: int) -> tuple[Zone, bool]:
    """Return a random zone, signed now, and whether by a KSK and a ZSK: no load balancers in it, whose types a checker
    would miss."""
    draw = random.Random(f"checked {denial} {seed}")
    zone, _ = random_zone(draw)
    kept = [one for one in zone.rrsets if not (one.owner.startswith(WILDCARD) and one.type in (TYPE_NS, TYPE_DS))]
    zone = replace(zone, rrsets=tuple(kept))  # BIND reads no file with a cut at a wildcard
    algorithm = draw.choice((ECDSAP256SHA256, ECDSAP384SHA384, ED25519))
    is_split = draw.random() < 0.5
    keys = SomeKeys.make("example.com", algorithm, is_split).with_cds()
    (signed,) = signs(keys, policy=Policy(denial), now_s=int(time.time())).sign([zone], [()])
    return signed, is_split


def zone_file(signed: Zone, folder: Path, name: str) -> Path:
    """Write a signed zone as a master file: everything, as somebody who may transfer it would have it."""
    assert signed.signed is not None
    lines = []
    for rrset in (*signed.rrsets, *(one for _, one in signed.signed.nsec3)):
        lines.append(rrset_of(rrset).to_text())
        if rrset.signatures:
            lines.append(signatures_of(rrset).to_text())
    soa = next(line for line in lines if " SOA " in line)
    path = folder / name
    path.write_text("\n".join([soa, *(line for line in lines if line != soa)]) + "\n")
    return path


def checked(*command: str) -> str:
    """Run a checker and return what it says, which must be no complaint."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_ldns_and_bind_verify_whole_zones(denial: str, tmp_path: Path) -> None:
    ldns, bind = program("ldns-verify-zone"), program("dnssec-verify")
    for seed in range(ZONES):
        signed, is_split = signed_zone(denial, seed)
        path = zone_file(signed, tmp_path, f"{denial}-{seed}.zone")
        assert "Zone is verified" in checked(ldns, str(path)), seed
        assert "fully signed" in checked(bind, "-x" if is_split else "-z", "-o", "example.com", str(path)), seed
