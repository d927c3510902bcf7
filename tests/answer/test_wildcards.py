"""RFC 4592: the zone of section 2.2.1 answers as printed there, and what sections 2.2.2 to 4 add."""

from __future__ import annotations

import pytest

from tests.answer.cases import Case
from tests.answer.lanes import Lane
from tests.answer.packets import query

SOA = ["example. 600 SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 600"]
REFERRAL = ["subdel.example. 3600 NS ns.example.com.", "subdel.example. 3600 NS ns.example.net."]
HOST1 = "host1.example. 3600 A 192.0.2.1"

SYNTHESISED = [
    Case(
        "QNAME=host3.example. QTYPE=MX",
        query("host3.example.", "MX"),
        answer=["host3.example. 3600 MX 10 host1.example."],
        additional=[HOST1],
    ),
    Case("QNAME=host3.example. QTYPE=A", query("host3.example.", "A"), authority=SOA),
    Case(
        "QNAME=foo.bar.example. QTYPE=TXT",
        query("foo.bar.example.", "TXT"),
        answer=['foo.bar.example. 3600 TXT "this is a wildcard"'],
    ),
]

NOT_SYNTHESISED = [
    Case("QNAME=host1.example. QTYPE=MX", query("host1.example.", "MX"), authority=SOA),
    Case("QNAME=sub.*.example. QTYPE=MX", query("sub.*.example.", "MX"), authority=SOA),
    Case(
        "QNAME=_telnet._tcp.host1.example. QTYPE=SRV",
        query("_telnet._tcp.host1.example.", "SRV"),
        "NXDOMAIN",
        authority=SOA,
    ),
    Case("QNAME=host.subdel.example. QTYPE=A", query("host.subdel.example."), aa=False, authority=REFERRAL),
    Case("QNAME=ghost.*.example. QTYPE=MX", query("ghost.*.example.", "MX"), "NXDOMAIN", authority=SOA),
]

BESIDE = [
    Case(
        "section 2.1.1: the literal asterisk is queryable",
        query("*.example.", "TXT"),
        answer=['*.example. 3600 TXT "this is a wildcard"'],
    ),
    Case(
        "section 2.3: below the asterisk",
        query("sub.*.example.", "TXT"),
        answer=['sub.*.example. 3600 TXT "this is not a wildcard"'],
    ),
    Case("section 2.2.2: an empty non-terminal is NODATA", query("host2.example.", "A"), authority=SOA),
    Case("section 2.2.2: an empty non-terminal blocks the wildcard", query("host2.example.", "MX"), authority=SOA),
    Case(
        "section 2.2.2: below an empty non-terminal", query("x._tcp.host2.example.", "TXT"), "NXDOMAIN", authority=SOA
    ),
    Case(
        "section 4.2: the delegation blocks the wildcard", query("subdel.example.", "TXT"), aa=False, authority=REFERRAL
    ),
    Case("section 4.6: a type only the wildcard's owner lacks", query("a.b.c.example.", "SRV"), authority=SOA),
    Case(
        "an asterisk inside the name asked for",
        query("x.*.y.example.", "TXT"),
        answer=['x.*.y.example. 3600 TXT "this is a wildcard"'],
    ),
]

ALL = [*SYNTHESISED, *NOT_SYNTHESISED, *BESIDE]


@pytest.mark.parametrize("case", ALL, ids=[case.row for case in ALL])
def test_rfc_4592(case: Case, lane: Lane) -> None:
    case.check(lane)


def test_any_at_a_wildcard_over_udp_is_one_rrset(udp_lane: Lane) -> None:
    """RFC 8482 section 4.1 at a synthesised name."""
    Case("", query("host3.example.", "ANY"), answer=['host3.example. 3600 TXT "this is a wildcard"']).check(udp_lane)
