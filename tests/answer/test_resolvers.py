"""Other people's clients against a running server: dig, kdig, and unbound as a resolver in front of it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import dns.message
import dns.query
import dns.rcode
import pytest

from lbdns.testing import LbdnsServer
from tests.answer.unbound import program, running_unbound

pytestmark = pytest.mark.process

ANSWER_S = 10.0
RECORD = re.compile(r"^([^;\s]\S*)\s+(\d+)\s+IN\s+(\S+)\s+(.*)$", re.MULTILINE)


class Digger:
    """dig or kdig: what it printed."""

    def __init__(self, name: str, server: LbdnsServer, *arguments: str) -> None:
        command = [
            program(name),
            f"@{server.host}",
            "-p",
            str(server.port),
            "+time=5",
            "+retry=0",
            "+norec",
            *arguments,
        ]
        environment = {**os.environ, "HOME": "/nonexistent"}  # nobody's .digrc
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        self.text = done.stdout
        assert "malformed" not in self.text.lower() and "warning" not in self.text.lower(), self.text

    @property
    def records(self) -> list[str]:
        """Every record printed."""
        return sorted(f"{owner} {ttl} {rtype} {rdata}" for owner, ttl, rtype, rdata in RECORD.findall(self.text))

    @property
    def status(self) -> str:
        """The RCODE."""
        found = re.search(r"status: (\w+)", self.text)
        assert found, self.text
        return found[1]

    def holds(self, pattern: str) -> bool:
        """Whether the text matches."""
        return re.search(pattern, self.text) is not None


DIGGERS = pytest.mark.parametrize("name", ["dig", "kdig"])
TRANSPORTS = pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
WWW = "www.example.com. 20 A 198.51.100.1"


@DIGGERS
@TRANSPORTS
def test_a_load_balancer(name: str, transport: str, server: LbdnsServer) -> None:
    dug = Digger(name, server, transport, "www.example.com", "A")
    assert dug.status == "NOERROR" and dug.records == [WWW]
    assert dug.holds(r"(?i)flags: qr aa;")


@DIGGERS
@TRANSPORTS
def test_an_apex(name: str, transport: str, server: LbdnsServer) -> None:
    dug = Digger(name, server, transport, "apex.test", "AAAA")
    assert dug.records == ["apex.test. 20 AAAA 2001:db8:2::21"]


@DIGGERS
@TRANSPORTS
def test_client_subnet(name: str, transport: str, server: LbdnsServer) -> None:
    dug = Digger(name, server, transport, "+subnet=203.0.113.0/24", "geo.example.com", "A")
    assert dug.records == ["geo.example.com. 20 A 198.51.100.41"]
    assert dug.holds(r"203\.0\.113\.0/24/25")
    dug = Digger(name, server, transport, "+subnet=192.0.2.0/24", "geo.example.com", "A")
    assert dug.records == ["geo.example.com. 20 A 198.51.100.31"]
    assert dug.holds(r"192\.0\.2\.0/24/24")
    dug = Digger(name, server, transport, "+subnet=2001:db8:1::/56", "geo.example.com", "AAAA")
    assert dug.records == ["geo.example.com. 20 AAAA 2001:db8:4::41"]
    assert dug.holds(r"2001:db8:1::/56/48")


@DIGGERS
def test_client_subnet_0(name: str, server: LbdnsServer) -> None:
    dug = Digger(name, server, "+subnet=0.0.0.0/0", "geo.example.com", "A")
    assert dug.records == ["geo.example.com. 20 A 198.51.100.1"]
    assert dug.holds(r"0\.0\.0\.0/0/0")


@DIGGERS
def test_nsid(name: str, server: LbdnsServer) -> None:
    assert Digger(name, server, "+nsid", "www.example.com").holds("IAD")


def test_keepalive(server: LbdnsServer) -> None:
    assert Digger("dig", server, "+tcp", "+keepalive", "www.example.com").holds(r"KEEPALIVE.*10\.0")


@DIGGERS
def test_extended_error(name: str, server: LbdnsServer) -> None:
    dug = Digger(name, server, "+edns=0", "www.example.net")
    assert dug.status == "REFUSED" and dug.holds(r"EDE: 20 \(Not Authoritative\)")


@DIGGERS
def test_truncation_goes_on_over_tcp(name: str, server: LbdnsServer) -> None:
    assert len(Digger(name, server, "full.big.test", "TXT").records) == 10
    assert len(Digger(name, server, "crowd.example.com").records) == 100


@DIGGERS
def test_refused_transfer(name: str, server: LbdnsServer) -> None:
    command = [program(name), f"@{server.host}", "-p", str(server.port), "example.com", "AXFR"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    said = (done.stdout + done.stderr).lower()
    assert "failed" in said or "refused" in said
    assert not RECORD.findall(done.stdout)


@DIGGERS
def test_mx_srv_and_types_by_number(name: str, server: LbdnsServer) -> None:
    assert "post.example.com. 20 MX 10 mail.example.com." in Digger(name, server, "post.example.com", "MX").records
    assert len(Digger(name, server, "_https._tcp.example.com", "SRV").records) == 3
    assert Digger(name, server, "raw.example.com", "TYPE65500").holds(r"\\# 4 01020304")


def test_badvers_and_unknown_flags(server: LbdnsServer) -> None:
    """RFC 8906 section 8: what the compliance testers send."""
    assert Digger("dig", server, "+edns=1", "+noednsnegotiation", "www.example.com").status == "BADVERS"
    assert Digger("dig", server, "+ednsflags=0x40", "www.example.com").records == [WWW]
    assert Digger("dig", server, "+ednsopt=100", "www.example.com").records == [WWW]
    assert Digger("dig", server, "+opcode=15", "+header-only").status == "NOTIMP"
    assert Digger("dig", server, "+zflag", "www.example.com").records == [WWW]


@pytest.fixture(scope="module")
def resolver(server: LbdnsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an unbound that asks the server for its zones, and for everything else too: nothing leaves here."""
    folder = tmp_path_factory.mktemp("unbound")
    zones = [".", "example.com.", "example.", "apex.test.", "big.test.", "chain.test.", "parent.test."]
    more = [
        'module-config: "iterator"',
        "local-zone: test. nodefault",
        "qname-minimisation: yes",
        "harden-below-nxdomain: yes",
        "aggressive-nsec: no",
    ]

    def first(port: int) -> object:
        return resolve(port, "static.example.com.", timeout_s=1.0)

    with running_unbound(folder, server.port, zones, more, first) as port:
        yield port


def resolve(port: int, name: str, qtype: str = "A", timeout_s: float = ANSWER_S) -> dns.message.Message:
    """Ask the resolver."""
    return dns.query.udp_with_fallback(dns.message.make_query(name, qtype), "127.0.0.1", timeout_s, port)[0]


def texts(reply: dns.message.Message) -> list[str]:
    """Return an answer's records without their TTLs, which age."""
    return sorted(
        f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rrset in reply.answer for rdata in rrset
    )


RESOLVED = [
    ("www.example.com.", "A", ["www.example.com. A 198.51.100.1"]),
    ("both.example.com.", "AAAA", ["both.example.com. AAAA 2001:db8:2::21"]),
    ("to-www.example.com.", "A", ["to-www.example.com. CNAME www.example.com.", "www.example.com. A 198.51.100.1"]),
    ("a.b.apps.example.com.", "A", ["a.b.apps.example.com. A 198.51.100.1"]),
    ("inner.example.com.", "A", ["inner.example.com. CNAME static.example.com.", "static.example.com. A 192.0.2.80"]),
    ("apex.test.", "A", ["apex.test. A 198.51.100.21", "apex.test. A 198.51.100.22"]),
    (
        "post.example.com.",
        "MX",
        ["post.example.com. MX 10 mail.example.com.", "post.example.com. MX 20 mx.example.net."],
    ),
    ("deep.er.ent.example.com.", "TXT", ['deep.er.ent.example.com. TXT "below empty non-terminals"']),
    (
        "one.old.example.com.",
        "A",
        [
            "old.example.com. DNAME new.example.com.",
            "one.new.example.com. A 192.0.2.91",
            "one.old.example.com. CNAME one.new.example.com.",
        ],
    ),
    ("foo.bar.example.", "TXT", ['foo.bar.example. TXT "this is a wildcard"']),
    ("www.child.parent.test.", "A", ["www.child.parent.test. A 192.0.2.55"]),
]


@pytest.mark.parametrize(("name", "qtype", "answer"), RESOLVED, ids=[f"{row[0]} {row[1]}" for row in RESOLVED])
def test_a_resolver_finds(name: str, qtype: str, answer: list[str], resolver: int) -> None:
    reply = resolve(resolver, name, qtype)
    assert (dns.rcode.to_text(reply.rcode()), texts(reply)) == ("NOERROR", answer)


def test_a_resolver_gets_large_answers_over_tcp(resolver: int) -> None:
    assert len(texts(resolve(resolver, "crowd.example.com."))) == 100
    assert len(texts(resolve(resolver, "full.big.test.", "TXT"))) == 10


@pytest.mark.parametrize(
    ("name", "qtype", "rcode"),
    [
        ("nothing.example.com.", "A", "NXDOMAIN"),
        ("www.example.com.", "AAAA", "NOERROR"),
        ("ent.example.com.", "A", "NOERROR"),
        ("host2.example.", "A", "NOERROR"),
    ],
)
def test_a_resolver_believes_what_is_denied(name: str, qtype: str, rcode: str, resolver: int) -> None:
    reply = resolve(resolver, name, qtype)
    assert (dns.rcode.to_text(reply.rcode()), reply.answer) == (rcode, [])
    assert [rrset.rdtype for rrset in reply.authority] == [dns.rdatatype.SOA]
