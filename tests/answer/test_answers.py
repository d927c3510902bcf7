"""PROTOCOL's "Answers" for records of zones: what is found, denied, referred, followed."""

from __future__ import annotations

import pytest

from tests.answer.cases import Case, error, refused
from tests.answer.lanes import Lane
from tests.answer.packets import query
from tests.answer.world import LONG_LABELS, SOA

MAIN_SOA = [SOA.format("example.com")]
ORG_SOA = [SOA.format("example.org")]
NS1, NS1_6, NS2 = (
    "ns1.example.com. 300 A 192.0.2.53",
    "ns1.example.com. 300 AAAA 2001:db8::53",
    "ns2.example.com. 300 A 198.51.100.53",
)
DS = "12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
SUB_NS = [f"sub.example.com. 300 NS {target}" for target in ("ns1.sub.example.com.", "ns2.sub.example.com.")] + [
    "sub.example.com. 300 NS ns.example.net."
]
SUB_GLUE = [
    "ns1.sub.example.com. 300 A 203.0.113.1",
    "ns1.sub.example.com. 300 AAAA 2001:db8:53::1",
    "ns2.sub.example.com. 300 A 203.0.113.2",
]
STATIC = "static.example.com. 300 A 192.0.2.80"
WWW = "www.example.com. 20 A 198.51.100.1"
LONG = f"{LONG_LABELS}.example.com."
STRETCH = f"stretch.example.com. 300 DNAME {LONG}"


def referral(row: str, name: str, qtype: str = "A") -> Case:
    """Return the case of a query that sub.example.com's servers answer."""
    return Case(row, query(name, qtype), aa=False, authority=SUB_NS, additional=SUB_GLUE)


def nxdomain(row: str, name: str, soa: list[str] = MAIN_SOA, qtype: str = "A") -> Case:
    """Return the case of a name that does not exist."""
    return Case(row, query(name, qtype), "NXDOMAIN", authority=soa)


def nodata(row: str, name: str, qtype: str | int = "A", soa: list[str] = MAIN_SOA) -> Case:
    """Return the case of a name that has nothing of a type."""
    return Case(row, query(name, qtype), authority=soa)


IN_ZONE = [
    Case("RFC 1034: in zone, AA", query("static.example.com."), answer=[STATIC]),
    Case(
        "RFC 1034: a whole RRset",
        query("multi.example.com."),
        answer=[f"multi.example.com. 600 A 192.0.2.{number}" for number in (81, 82, 83)],
    ),
    Case(
        "RFC 1034: the apex's SOA",
        query("example.com.", "SOA"),
        answer=["example.com. 300 SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 60"],
    ),
    Case(
        "RFC 1034: the apex's NS, with addresses",
        query("example.com.", "NS"),
        answer=["example.com. 300 NS ns1.example.com.", "example.com. 300 NS ns2.example.com."],
        additional=[NS1, NS1_6, NS2],
    ),
    Case(
        "RFC 1035: MX, with addresses",
        query("example.com.", "MX"),
        answer=["example.com. 300 MX 10 mail.example.com."],
        additional=["mail.example.com. 300 A 192.0.2.25", "mail.example.com. 300 AAAA 2001:db8::25"],
    ),
    Case(
        "RFC 1034: longest zone, child before parent",
        query("www.child.parent.test."),
        answer=["www.child.parent.test. 300 A 192.0.2.55"],
    ),
    Case("RFC 4343: a name in another case", query("StAtIc.ExAmPlE.CoM."), answer=[STATIC]),
    refused("RFC 1034: out of zone, no EDNS", query("www.example.net.")),
    refused("RFC 8914: out of zone, EDE 20", query("www.example.net.", edns=True)),
    refused("RFC 1034: above every zone", query("com.", edns=True)),
    refused("RFC 1034: the root, no upward referral", query(".", "NS", edns=True)),
    refused("RFC 1034: a name that ends alike without a label border", query("notexample.com.", edns=True)),
]

DELEGATIONS = [
    referral("RFC 1034: below a cut", "www.sub.example.com."),
    referral("RFC 1034: deep below a cut", "a.b.c.sub.example.com."),
    referral("RFC 1034: at the cut", "sub.example.com."),
    referral("RFC 1034: the cut's NS", "sub.example.com.", "NS"),
    referral("RFC 1034: the cut's SOA", "sub.example.com.", "SOA"),
    referral("RFC 1034: ANY at the cut", "sub.example.com.", "ANY"),
    referral("RFC 1034: a query for glue is a referral", "ns1.sub.example.com."),
    referral("RFC 1034: glue of the other family", "ns2.sub.example.com.", "AAAA"),
    referral("RFC 1034: DS below the cut", "www.sub.example.com.", "DS"),
    referral("RFC 4592: no wildcard below a cut", "x.wild-cut.sub.example.com.", "TXT"),
    Case(
        "RFC 4035: DS at the cut is the parent's",
        query("sub.example.com.", "DS"),
        answer=[f"sub.example.com. 300 DS {DS}"],
    ),
    nodata("RFC 4035: no DS at an insecure cut", "side.example.com.", "DS"),
    Case(
        "RFC 2181: of parent and child here, the parent answers DS",
        query("child.parent.test.", "DS"),
        answer=[f"child.parent.test. 300 DS {DS}"],
    ),
    Case(
        "RFC 2181: of parent and child here, the child answers NS",
        query("child.parent.test.", "NS"),
        answer=["child.parent.test. 300 NS ns1.child.parent.test."],
        additional=["ns1.child.parent.test. 300 A 192.0.2.54"],
    ),
    nodata("RFC 4035: DS at an apex whose parent is elsewhere", "example.com.", "DS"),
    Case(
        "RFC 9471: a sibling's glue",
        query("www.side.example.com."),
        aa=False,
        authority=["side.example.com. 300 NS ns1.sub.example.com."],
        additional=SUB_GLUE[:2],
    ),
]

NEGATIVE = [
    nxdomain("RFC 2308: NXDOMAIN, TTL by the SOA's MINIMUM", "nothing.example.com."),
    nxdomain("RFC 2308: NXDOMAIN several labels down", "a.b.c.nothing.example.com."),
    nodata("RFC 2308: NODATA", "text.example.com."),
    nxdomain(
        "RFC 2308: the SOA's own TTL where that is smaller",
        "nothing.child.parent.test.",
        [SOA.format("child.parent.test").replace(" 60 ", " 30 ", 1)],
    ),
    nodata("RFC 2308: NODATA at the apex", "example.org.", "AAAA", ORG_SOA),
    nodata("RFC 8020: an empty non-terminal is NODATA", "ent.example.com."),
    nodata("RFC 8020: an empty non-terminal above another", "er.ent.example.com."),
    nodata("RFC 8020: ANY at an empty non-terminal", "ent.example.com.", "ANY"),
    nxdomain("RFC 8020: beside a name below an empty non-terminal", "x.er.ent.example.com."),
    nodata("a type that nobody has: 65535", "static.example.com.", 65535),
    nodata("an unknown type", "static.example.com.", 4711),
]

ALIASES = [
    Case(
        "CNAME: followed in the zone",
        query("alias.example.com."),
        answer=["alias.example.com. 300 CNAME static.example.com.", STATIC],
    ),
    Case(
        "CNAME: two hops",
        query("alias2.example.com.", "TXT"),
        answer=[
            "alias2.example.com. 300 CNAME alias.example.com.",
            "alias.example.com. 300 CNAME static.example.com.",
            'static.example.com. 300 TXT "at static"',
        ],
    ),
    Case(
        "CNAME: QTYPE CNAME is not followed",
        query("alias2.example.com.", "CNAME"),
        answer=["alias2.example.com. 300 CNAME alias.example.com."],
    ),
    Case(
        "CNAME: RFC 8482, ANY gives the CNAME as it is",
        query("alias.example.com.", "ANY"),
        answer=["alias.example.com. 300 CNAME static.example.com."],
    ),
    Case(
        "CNAME: out of zone stops",
        query("outside.example.com."),
        answer=["outside.example.com. 300 CNAME www.example.net."],
    ),
    Case(
        "CNAME: the last name's RCODE, NXDOMAIN",
        query("dangling.example.com."),
        "NXDOMAIN",
        answer=["dangling.example.com. 300 CNAME nothing.example.com."],
        authority=MAIN_SOA,
    ),
    Case(
        "CNAME: the last name's NODATA",
        query("blank.example.com."),
        answer=["blank.example.com. 300 CNAME text.example.com."],
        authority=MAIN_SOA,
    ),
    Case(
        "CNAME: below a cut, the first name's AA",
        query("to-cut.example.com."),
        answer=["to-cut.example.com. 300 CNAME host.sub.example.com."],
        authority=SUB_NS,
        additional=SUB_GLUE,
    ),
    Case(
        "CNAME: into a child zone hosted here stops",
        query("into.parent.test."),
        answer=["into.parent.test. 300 CNAME www.child.parent.test."],
    ),
    Case(
        "CNAME: a wildcard's",
        query("x.wildalias.example.com."),
        answer=["x.wildalias.example.com. 300 CNAME static.example.com.", STATIC],
    ),
    Case(
        "CNAME: a loop of two",
        query("loop1.example.com."),
        answer=["loop1.example.com. 300 CNAME loop2.example.com.", "loop2.example.com. 300 CNAME loop1.example.com."],
    ),
    Case("CNAME: to itself", query("self.example.com."), answer=["self.example.com. 300 CNAME self.example.com."]),
]

REDIRECTIONS = [
    Case(
        "RFC 6672: DNAME and the CNAME that follows",
        query("one.old.example.com."),
        answer=[
            "old.example.com. 300 DNAME new.example.com.",
            "one.old.example.com. 300 CNAME one.new.example.com.",
            "one.new.example.com. 300 A 192.0.2.91",
        ],
    ),
    Case(
        "RFC 6672: the last name's NXDOMAIN",
        query("two.old.example.com."),
        "NXDOMAIN",
        answer=[
            "old.example.com. 300 DNAME new.example.com.",
            "two.old.example.com. 300 CNAME two.new.example.com.",
        ],
        authority=MAIN_SOA,
    ),
    Case(
        "RFC 6672: QTYPE CNAME is not followed",
        query("one.old.example.com.", "CNAME"),
        answer=["old.example.com. 300 DNAME new.example.com.", "one.old.example.com. 300 CNAME one.new.example.com."],
    ),
    Case(
        "RFC 6672: ANY is not followed",
        query("one.old.example.com.", "ANY"),
        answer=["old.example.com. 300 DNAME new.example.com.", "one.old.example.com. 300 CNAME one.new.example.com."],
    ),
    Case(
        "RFC 6672: the owner is not redirected",
        query("old.example.com.", "TXT"),
        answer=['old.example.com. 300 TXT "at the DNAME\'s owner"'],
    ),
    Case("RFC 6672: the owner's other types are NODATA", query("old.example.com."), authority=MAIN_SOA),
    Case(
        "RFC 6672: the DNAME itself",
        query("old.example.com.", "DNAME"),
        answer=["old.example.com. 300 DNAME new.example.com."],
    ),
    Case(
        "RFC 6672: out of zone stops",
        query("a.b.away.example.com."),
        answer=["away.example.com. 300 DNAME example.net.", "a.b.away.example.com. 300 CNAME a.b.example.net."],
    ),
    Case(
        "RFC 6672: case of the redirected part is kept",
        query("One.OLD.example.com."),
        answer=[
            "old.example.com. 300 DNAME new.example.com.",
            "One.OLD.example.com. 300 CNAME One.new.example.com.",
            "One.new.example.com. 300 A 192.0.2.91",
        ],
    ),
    Case(
        "RFC 6672: just short enough",
        query(f"{'x' * 58}.stretch.example.com.", edns=True),
        "NXDOMAIN",
        answer=[STRETCH, f"{'x' * 58}.stretch.example.com. 300 CNAME {'x' * 58}.{LONG}"],
        authority=MAIN_SOA,
    ),
    Case(
        "RFC 6672: too long is YXDOMAIN with the DNAME",
        query(f"{'x' * 59}.stretch.example.com."),
        "YXDOMAIN",
        answer=[STRETCH],
    ),
    Case(
        "RFC 6672: a loop of two",
        query("x.ring1.example.com."),
        answer=[
            "ring1.example.com. 300 DNAME ring2.example.com.",
            "x.ring1.example.com. 300 CNAME x.ring2.example.com.",
            "ring2.example.com. 300 DNAME ring1.example.com.",
            "x.ring2.example.com. 300 CNAME x.ring1.example.com.",
        ],
    ),
]

TYPES = [
    Case(
        "RFC 3597: a type by number",
        query("raw.example.com.", 65500),
        answer=[r"raw.example.com. 300 TYPE65500 \# 4 01020304"],
    ),
    Case(
        "RFC 2782: SRV, with addresses of the zone and none where steered",
        query("_sip._udp.example.com.", "SRV"),
        answer=[
            "_sip._udp.example.com. 300 SRV 0 5 5060 static.example.com.",
            "_sip._udp.example.com. 300 SRV 1 5 5060 www.example.com.",
            "_sip._udp.example.com. 300 SRV 2 5 5060 elsewhere.example.net.",
        ],
        additional=[STATIC],
    ),
    Case("RFC 9460: HTTPS", query("svc.example.com.", "HTTPS"), answer=['svc.example.com. 300 HTTPS 1 . alpn="h2"']),
    Case(
        "RFC 9460: SVCB, without the addresses of a steered target",
        query("bound.example.com.", "SVCB"),
        answer=["bound.example.com. 300 SVCB 1 www.example.com."],
    ),
    Case("CAA", query("caa.example.com.", "CAA"), answer=['caa.example.com. 300 CAA 0 issue "ca.example.net"']),
    Case("PTR", query("ptr.example.com.", "PTR"), answer=["ptr.example.com. 300 PTR static.example.com."]),
    Case(
        "RFC 9460: MX, without the addresses of a steered target",
        query("exchange.example.com.", "MX"),
        answer=[
            "exchange.example.com. 300 MX 10 mail.example.com.",
            "exchange.example.com. 300 MX 20 www.example.com.",
            "exchange.example.com. 300 MX 30 wild.under.wild.example.com.",
        ],
        additional=["mail.example.com. 300 A 192.0.2.25", "mail.example.com. 300 AAAA 2001:db8::25"],
    ),
]

ODD_NAMES = [
    Case("labels with a dot", query(r"a\.b.odd.example.com."), answer=[r"a\.b.odd.example.com. 300 A 192.0.2.101"]),
    nxdomain("a dot in a label is no label border", "a.b.odd.example.com."),
    Case("labels with NUL", query(r"nul\000.odd.example.com."), answer=[r"nul\000.odd.example.com. 300 A 192.0.2.102"]),
    Case("labels with 0xFF", query(r"\255x.odd.example.com."), answer=[r"\255x.odd.example.com. 300 A 192.0.2.103"]),
    Case(
        "labels with a quote and a backslash",
        query(b'\x06a b"c\\\x03odd\x07example\x03com\0'),
        answer=[r"a\032b\"c\\.odd.example.com. 300 A 192.0.2.104"],
    ),
    nxdomain("labels with every kind of byte, absent", r"\000\255\.\@ \200.example.com.".replace(" ", r"\032")),
    Case(
        "a NUL label under a wildcard",
        query(r"\000\255.wild.example.com."),
        answer=[r"\000\255.wild.example.com. 300 A 192.0.2.99"],
    ),
    nxdomain("QNAME of exactly 255 octets", f"{'x' * 58}.{LONG}"),
    nxdomain("QNAME of 123 labels, 255 octets", ".".join("a" * 121) + ".example.com."),
]

NOBODY = [
    error("CHAOS: version.bind", query("version.bind.", "TXT", qclass=3), "REFUSED"),
    error("CHAOS: version.server", query("version.server.", "TXT", qclass=3), "REFUSED"),
    error("CHAOS: hostname.bind", query("hostname.bind.", "TXT", qclass=3), "REFUSED"),
    error("CHAOS: id.server", query("id.server.", "TXT", qclass=3), "REFUSED"),
]

ALL = [*IN_ZONE, *DELEGATIONS, *NEGATIVE, *ALIASES, *REDIRECTIONS, *TYPES, *ODD_NAMES, *NOBODY]


@pytest.mark.parametrize("case", ALL, ids=[case.row for case in ALL])
def test_answers(case: Case, lane: Lane) -> None:
    case.check(lane)


def test_the_owner_is_spelled_as_asked(lane: Lane) -> None:
    """RFC 4343: the question's case is kept, and answers under that name carry it."""
    for name in ("StAtIc.eXample.com.", "X.Wild.Example.Com."):
        reply = Case("", query(name), answer=[f"{name} 300 A 192.0.2.{80 if name[0] == 'S' else 99}"]).check(lane)
        assert reply.answer[0].startswith(name)
