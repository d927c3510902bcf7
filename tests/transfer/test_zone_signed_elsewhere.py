"""Zones that their primary signs: served with its own signatures and denials, which a validator believes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

from lbdns.answer.reply import Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.rdata.record_types import type_text
from lbdns.dns.zone import RRset
from lbdns.dns.zone_copy import ZoneCopy
from lbdns.model.configuration import Configuration
from lbdns.transfer.inward.copied_zone import is_signed_by_primary, plain_zone
from lbdns.transfer.inward.zone_signed_elsewhere import Unservable, signed_zone
from tests.answer.lanes import CLIENT, compiled_view
from tests.answer.unbound import program
from tests.dnssec.naive_validator import Validator
from tests.transfer.transfer_records import APEX

pytestmark = pytest.mark.process

NAME = "example.com"
TEXT = """
$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.1
www A 192.0.2.2
a.deep.tree TXT "below names without records"
*.wild TXT "any"
alias CNAME www
safe NS ns.safe
safe DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
ns.safe A 192.0.2.54
unsafe NS ns.example.net.
gone DNAME example.net.
"""
QUESTIONS = (
    ("example.com", "SOA"),
    ("example.com", "DNSKEY"),
    ("www.example.com", "A"),
    ("www.example.com", "AAAA"),
    ("deep.tree.example.com", "A"),
    ("none.example.com", "A"),
    ("none.deep.tree.example.com", "TXT"),
    ("x.wild.example.com", "TXT"),
    ("x.wild.example.com", "A"),
    ("alias.example.com", "A"),
    ("x.safe.example.com", "A"),
    ("x.unsafe.example.com", "A"),
    ("unsafe.example.com", "DS"),
    ("gone.example.com", "DNAME"),
)
WAYS = {"nsec": [], "nsec3": ["-3", "-"], "salted": ["-3", "abcdef"], "opted out": ["-3", "-", "-A"]}


def signed_copy(folder: Path, more: list[str]) -> ZoneCopy:
    """Return a zone as BIND's tools sign it."""
    keygen, sign = program("dnssec-keygen"), program("dnssec-signzone")
    for flags in ([], ["-f", "KSK"]):
        command = [keygen, "-a", "ECDSAP256SHA256", *flags, "-n", "ZONE", NAME]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    (folder / "zone").write_text(TEXT)
    command = [sign, "-S", "-H", "0", *more, "-o", NAME, "-f", "signed", "zone"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    zone = dns.zone.from_file(str(folder / "signed"), NAME, relativize=False)
    rrsets: dict[tuple[bytes, int], list[bytes]] = {}
    ttls = {}
    for name, ttl, rdata in zone.iterate_rdatas():
        key = (name.to_wire() or b"").lower(), int(rdata.rdtype)
        rrsets.setdefault(key, []).append(rdata.to_wire() or b"")
        ttls[key] = ttl
    found = [RRset(*key, ttls[key], tuple(rdatas)) for key, rdatas in rrsets.items()]
    return ZoneCopy(APEX, 7, "192.0.2.1:53", 1.0, tuple(sorted(found, key=lambda one: one.owner)))


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """A way of signing."""
    return str(request.param)


@pytest.fixture(scope="module")
def copy(way: str, tmp_path_factory: pytest.TempPathFactory) -> ZoneCopy:
    """A zone that is signed so."""
    return signed_copy(tmp_path_factory.mktemp("signed"), WAYS[way])


def asked(view: ServingView, name: str, rdtype: str) -> dns.message.Message:
    """Return the answer to who wants signatures."""
    question = dns.message.make_query(name, rdtype, want_dnssec=True)
    wire = respond(view, question.to_wire(), CLIENT, Transport.TCP, 1, 5)
    assert wire is not None
    return dns.message.from_wire(wire)


def test_its_answers_are_believed(way: str, copy: ZoneCopy, tmp_path: Path) -> None:
    assert is_signed_by_primary(copy)
    if way in ("salted", "opted out"):
        with pytest.raises(Unservable, match="without salt, iterations and opt-out"):
            signed_zone(copy, "")
        return
    view = compiled_view(Configuration(zones=(signed_zone(copy, "there"),)), tmp_path)
    keys = asked(view, NAME, "DNSKEY").get_rrset(
        "ANSWER", dns.name.from_text(NAME), dns.rdataclass.IN, dns.rdatatype.DNSKEY
    )
    assert keys is not None
    validator = Validator(NAME, keys, int(time.time()))
    for name, rdtype in QUESTIONS:
        reply = asked(view, name, rdtype)
        assert reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), (name, reply)
        validator.check(reply, name, rdtype)


def test_signed_here_it_has_nothing_of_the_primarys(copy: ZoneCopy) -> None:
    plain = plain_zone(copy, "there")
    types = {type_text(rrset.type) for rrset in plain.rrsets}
    assert types == {"SOA", "NS", "A", "TXT", "CNAME", "DS", "DNAME"} and plain.signed is None
