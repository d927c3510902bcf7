"""Load balancers on the wire: at an apex, under wildcards, at the end of aliases, beside records, as MX and SRV."""

from __future__ import annotations

import pytest

from tests.answer.cases import Case
from tests.answer.lanes import Lane
from tests.answer.packets import query
from tests.answer.world import SOA

MAIN_SOA = [SOA.format("example.com")]
BRIEF_SOA = [SOA.format("example.com").replace(" 60 SOA", " 20 SOA")]  # the load balancer's TTL is the smaller one
APEX_SOA = [SOA.format("apex.test")]
ORG_SOA = [SOA.format("example.org")]
WWW = "www.example.com. 20 A 198.51.100.1"
MAIL = ["mail.example.com. 300 A 192.0.2.25", "mail.example.com. 300 AAAA 2001:db8::25"]
STATIC = "static.example.com. 300 A 192.0.2.80"
MX_PICKS = ["10 mail.example.com.", "20 mx.example.net."]


def any_of(row: str, name: str) -> Case:
    """Return the case of ANY at a load balancer's name (RFC 8482 section 4.2)."""
    return Case(row, query(name, "ANY"), answer=[f'{name} 3600 HINFO "RFC8482" ""'])


CASES = [
    Case("one address", query("www.example.com."), answer=[WWW]),
    Case("case of the question is kept", query("wWw.Example.com."), answer=[WWW]),
    Case(
        "all addresses of the family asked for: A",
        query("both.example.com."),
        answer=["both.example.com. 20 A 198.51.100.21", "both.example.com. 20 A 198.51.100.22"],
    ),
    Case(
        "all addresses of the family asked for: AAAA",
        query("both.example.com.", "AAAA"),
        answer=["both.example.com. 20 AAAA 2001:db8:2::21"],
    ),
    Case("no endpoint of the family: NODATA", query("www.example.com.", "AAAA"), authority=BRIEF_SOA),
    Case("nothing to answer with: NODATA", query("dead.example.com."), authority=BRIEF_SOA),
    Case("NODATA never outlives the zone's own", query("parked.example.com."), authority=MAIN_SOA),
    Case(
        "names that lead nowhere: the next pool",
        query("lost.example.com."),
        answer=["lost.example.com. 20 A 198.51.100.1"],
    ),
    Case(
        "names that lead nowhere, a family that the next pool lacks",
        query("lost.example.com.", "AAAA"),
        authority=BRIEF_SOA,
    ),
    Case("names that lead nowhere in the fallback pool: NODATA", query("all-lost.example.com."), authority=BRIEF_SOA),
    Case(
        "CNAME into it, nothing to answer with",
        query("to-dead.example.com."),
        answer=["to-dead.example.com. 300 CNAME dead.example.com."],
        authority=BRIEF_SOA,
    ),
    Case("a disabled pool is passed", query("passing.example.com."), answer=["passing.example.com. 20 A 198.51.100.1"]),
    Case(
        "a disabled load balancer does not exist",
        query("pinned.example.com."),
        answer=["pinned.example.com. 300 A 192.0.2.251"],
    ),
    Case(
        "other types come from the zone",
        query("www.example.com.", "TXT"),
        answer=['www.example.com. 300 TXT "beside the load balancer"'],
    ),
    Case("a type that neither has: NODATA", query("www.example.com.", "MX"), authority=MAIN_SOA),
    Case("it hides a CNAME", query("hiding.example.com."), answer=["hiding.example.com. 20 A 198.51.100.1"]),
    Case("CNAME at its name is NODATA", query("hiding.example.com.", "CNAME"), authority=MAIN_SOA),
    Case("a name below it does not exist", query("x.www.example.com."), "NXDOMAIN", authority=MAIN_SOA),
    Case("CNAME into it", query("to-www.example.com."), answer=["to-www.example.com. 300 CNAME www.example.com.", WWW]),
    Case(
        "CNAME into it, NODATA at the end",
        query("to-www.example.com.", "AAAA"),
        answer=["to-www.example.com. 300 CNAME www.example.com."],
        authority=BRIEF_SOA,
    ),
    Case("wildcard", query("one.apps.example.com."), answer=["one.apps.example.com. 20 A 198.51.100.1"]),
    Case(
        "wildcard, several labels", query("a.b.apps.example.com."), answer=["a.b.apps.example.com. 20 A 198.51.100.1"]
    ),
    Case("wildcard, asked for itself", query("*.apps.example.com."), answer=["*.apps.example.com. 20 A 198.51.100.1"]),
    Case(
        "wildcard: a name that exists with any type is not covered",
        query("exact.apps.example.com."),
        authority=MAIN_SOA,
    ),
    Case("wildcard: the name above it is an empty non-terminal", query("apps.example.com."), authority=MAIN_SOA),
    Case("wildcard: another type is NODATA", query("one.apps.example.com.", "TXT"), authority=MAIN_SOA),
    Case(
        "CNAME into a wildcard's",
        query("to-apps.example.com."),
        answer=["to-apps.example.com. 300 CNAME one.apps.example.com.", "one.apps.example.com. 20 A 198.51.100.1"],
    ),
    Case(
        "wildcard: an exact record beats it",
        query("pinned.apps.example.com."),
        answer=["pinned.apps.example.com. 300 A 192.0.2.252"],
    ),
    Case(
        "DNAME into a wildcard's",
        query("one.steered.example.com."),
        answer=[
            "steered.example.com. 300 DNAME apps.example.com.",
            "one.steered.example.com. 300 CNAME one.apps.example.com.",
            "one.apps.example.com. 20 A 198.51.100.1",
        ],
    ),
    Case("apex", query("apex.test."), answer=["apex.test. 20 A 198.51.100.21", "apex.test. 20 A 198.51.100.22"]),
    Case("apex: AAAA", query("apex.test.", "AAAA"), answer=["apex.test. 20 AAAA 2001:db8:2::21"]),
    Case(
        "apex: other types come from the zone",
        query("apex.test.", "TXT"),
        answer=['apex.test. 300 TXT "beside the apex load balancer"'],
    ),
    Case("apex: NODATA", query("apex.test.", "MX"), authority=APEX_SOA),
    Case(
        "flatten_cname false: the CNAME itself, out of zone",
        query("cdn.example.com."),
        answer=["cdn.example.com. 20 CNAME cdn.example.net."],
    ),
    Case(
        "flatten_cname false: for AAAA too",
        query("cdn.example.com.", "AAAA"),
        answer=["cdn.example.com. 20 CNAME cdn.example.net."],
    ),
    Case(
        "flatten_cname false: followed in the zone",
        query("inner.example.com."),
        answer=["inner.example.com. 20 CNAME static.example.com.", STATIC],
    ),
    Case(
        "flatten_cname false: CNAME asked for, not followed",
        query("inner.example.com.", "CNAME"),
        answer=["inner.example.com. 20 CNAME static.example.com."],
    ),
    Case(
        "flatten_cname false: CNAME asked for, out of zone",
        query("cdn.example.com.", "CNAME", ecs="192.0.2.0/24"),
        answer=["cdn.example.com. 20 CNAME cdn.example.net."],
        scope=0,
    ),
    Case(
        "flatten_cname false: CNAME asked for under a wildcard",
        query("x.cdns.example.com.", "CNAME"),
        answer=["x.cdns.example.com. 20 CNAME cdn.example.net."],
    ),
    Case(
        "flatten_cname false: CNAME asked for through an alias gives the alias",
        query("to-www.example.com.", "CNAME"),
        answer=["to-www.example.com. 300 CNAME www.example.com."],
    ),
    Case(
        "MX: all, with in-zone addresses",
        query("post.example.com.", "MX"),
        answer=[f"post.example.com. 20 MX {pick}" for pick in MX_PICKS],
        additional=MAIL,
    ),
    Case("MX beside addresses at one name", query("post.example.com."), answer=["post.example.com. 20 A 198.51.100.1"]),
    Case(
        "MX: addresses of another zone are left out",
        query("mail.example.org.", "MX"),
        answer=[f"mail.example.org. 20 MX {pick}" for pick in MX_PICKS],
    ),
    Case("MX: the name has no address of its own", query("mail.example.org."), authority=ORG_SOA),
    Case(
        "SRV: priority, weight x 100, port, with in-zone addresses",
        query("_https._tcp.example.com.", "SRV"),
        answer=[
            "_https._tcp.example.com. 20 SRV 1 50 443 static.example.com.",
            "_https._tcp.example.com. 20 SRV 1 50 8443 elsewhere.example.net.",
        ],
        additional=[STATIC],
    ),
    Case("SRV: the name above is an empty non-terminal", query("_tcp.example.com.", "SRV"), authority=MAIN_SOA),
    any_of("RFC 8482: ANY, HINFO", "www.example.com."),
    any_of("RFC 8482: ANY at an apex", "apex.test."),
    any_of("RFC 8482: ANY under a wildcard", "one.apps.example.com."),
    any_of("RFC 8482: ANY at a name of MX alone", "mail.example.org."),
]

SUBNETS = [
    Case("RFC 7871: not used, scope 0", query("www.example.com.", ecs="192.0.2.0/24"), answer=[WWW], scope=0),
    Case(
        "RFC 7871: the network that decided",
        query("geo.example.com.", ecs="192.0.2.0/24"),
        answer=["geo.example.com. 20 A 198.51.100.31"],
        scope=24,
    ),
    Case(
        "RFC 7871: a network longer than SOURCE",
        query("geo.example.com.", ecs="203.0.113.0/32"),
        answer=["geo.example.com. 20 A 198.51.100.41"],
        scope=25,
    ),
    Case(
        "RFC 7871: IPv6",
        query("geo.example.com.", "AAAA", ecs="2001:db8:1::/56"),
        answer=["geo.example.com. 20 AAAA 2001:db8:4::41"],
        scope=48,
    ),
    Case(
        "RFC 7871: SOURCE 0 is as if there were none",
        query("geo.example.com.", ecs="0.0.0.0/0"),
        answer=["geo.example.com. 20 A 198.51.100.1"],
        scope=0,
    ),
    Case(
        "RFC 7871: SOURCE 0 of IPv6",
        query("geo.example.com.", ecs="::/0"),
        answer=["geo.example.com. 20 A 198.51.100.1"],
        scope=0,
    ),
    Case(
        "RFC 7871: a private address, scope covers its block",
        query("geo.example.com.", ecs="10.1.2.0/24"),
        answer=["geo.example.com. 20 A 198.51.100.1"],
        scope=8,
    ),
    Case(
        "RFC 7871: NODATA that steering decided",
        query("geo.example.com.", "AAAA", ecs="198.51.100.64/28"),
        authority=BRIEF_SOA,
        scope=26,
    ),
    Case(
        "RFC 7871: NODATA that nothing decided",
        query("geo.example.com.", "TXT", ecs="192.0.2.0/24"),
        authority=MAIN_SOA,
        scope=0,
    ),
    Case(
        "RFC 7871: NXDOMAIN", query("nothing.example.com.", ecs="192.0.2.0/24"), "NXDOMAIN", authority=MAIN_SOA, scope=0
    ),
]

# RFC 1918, loopback, link-local, unique local: as if there were no ECS, for the whole block.
PRIVATE = [
    Case(f"RFC 7871: private, {prefix}", query("geo.example.com.", ecs=prefix), answer=[
        "geo.example.com. 20 A 198.51.100.1"
    ], scope=scope)
    for prefix, scope in (
        ("10.255.255.0/24", 8), ("172.16.0.0/24", 12), ("172.31.255.0/24", 12), ("192.168.1.0/24", 16),
        ("127.0.0.1/32", 8), ("169.254.1.0/24", 16), ("fc00::/56", 7), ("fdff:ffff::/48", 7), ("fe80::/64", 10),
        ("::1/128", 128),
    )
]  # fmt: skip

ALL = [*CASES, *SUBNETS, *PRIVATE]


@pytest.mark.parametrize("case", ALL, ids=[case.row for case in ALL])
def test_load_balancers(case: Case, lane: Lane) -> None:
    case.check(lane)
