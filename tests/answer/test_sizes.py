"""How large replies are, and what gives way: TC, the EDNS size, required and optional data (RFC 2181, 6891, 9471)."""

from __future__ import annotations

import pytest

from tests.answer.cases import Case
from tests.answer.lanes import Lane, ask
from tests.answer.packets import opt, query
from tests.answer.replies import UDP_MAX, UDP_MIN
from tests.answer.world import BIG_SERVERS

HALF = [f'half.big.test. 300 TXT "{number:02}{"h" * 100}"' for number in range(6)]
FULL = [f'full.big.test. 300 TXT "{number:02}{"f" * 200}"' for number in range(10)]
CROWD = [f"crowd.example.com. 20 A 198.51.100.{100 + number}" for number in range(100)]
CUT = [f"cut.big.test. 300 NS ns{number}.cut.big.test." for number in range(BIG_SERVERS)]
GLUE = [f"ns{number}.cut.big.test. 300 A 203.0.113.{number}" for number in range(BIG_SERVERS)] + [
    f"ns{number}.cut.big.test. 300 AAAA 2001:db8:b::f{number}" for number in range(BIG_SERVERS)
]
MANY = [f"many.big.test. 300 MX {number} mx{number}.hosts.big.test." for number in range(10)]
MANY_HOSTS = [f"mx{number}.hosts.big.test. 300 A 203.0.113.{100 + number}" for number in range(10)] + [
    f"mx{number}.hosts.big.test. 300 AAAA 2001:db8:c::f{number}" for number in range(10)
]
LONG_TEXT = f'"{"x" * 250}"'
FAR_TEXTS = [f'far.big.test. 300 TXT "{number:02}" {LONG_TEXT} {LONG_TEXT} {LONG_TEXT}' for number in range(30)]

OVER_UDP = [
    Case("no EDNS: 512", query("half.big.test.", "TXT"), tc=True),
    Case("EDNS 1232", query("half.big.test.", "TXT", edns=True), answer=HALF),
    Case("EDNS size 0 counts as 512", query("half.big.test.", "TXT", edns=opt(size=0)), tc=True),
    Case("EDNS size 511 counts as 512", query("half.big.test.", "TXT", edns=opt(size=511)), tc=True),
    Case("EDNS size 512", query("half.big.test.", "TXT", edns=opt(size=512)), tc=True),
    Case("EDNS size 4096 is capped at 1232", query("full.big.test.", "TXT", edns=opt(size=4096)), tc=True),
    Case("EDNS size 65535 is capped at 1232", query("full.big.test.", "TXT", edns=opt(size=65535)), tc=True),
    Case("a load balancer's answer too", query("crowd.example.com.", edns=True), tc=True),
    Case("RFC 9471: glue is required", query("x.cut.big.test."), aa=False, tc=True),
    Case("RFC 9471: all glue or TC", query("x.cut.big.test.", edns=True), aa=False, authority=CUT, additional=GLUE),
    Case("RFC 2181: additional data is optional", query("many.big.test.", "MX"), answer=MANY),
    Case("additional data where there is room", query("many.big.test.", "MX", edns=True), answer=MANY,
         additional=MANY_HOSTS),
    Case("RFC 8482: ANY is one RRset at most", query("wide.example.com.", "ANY", edns=True), answer=[
        'wide.example.com. 300 TXT "one"'
    ]),
]  # fmt: skip

OVER_TCP = [
    Case("the EDNS size is ignored", query("full.big.test.", "TXT", edns=opt(size=512)), answer=FULL),
    Case("no EDNS", query("full.big.test.", "TXT"), answer=FULL),
    Case("a load balancer's answer", query("crowd.example.com."), answer=CROWD),
    Case("glue", query("x.cut.big.test."), aa=False, authority=CUT, additional=GLUE),
    Case("more than 65535 octets: TC", query("vast.big.test.", "TXT"), tc=True),
    Case("names beyond what a compression pointer reaches", query("far.big.test.", "ANY"), answer=[
        *FAR_TEXTS, *(f"far.big.test. 300 MX {number} mx{number}.far-hosts.big.test." for number in range(10))
    ], additional=[f"mx{number}.far-hosts.big.test. 300 A 203.0.113.{200 + number}" for number in range(10)]),
    Case("ANY has every RRset", query("wide.example.com.", "ANY"), answer=[
        'wide.example.com. 300 TXT "one"', "wide.example.com. 300 A 192.0.2.84",
        "wide.example.com. 300 AAAA 2001:db8::84",
    ]),
]  # fmt: skip


@pytest.mark.parametrize("case", OVER_UDP, ids=[case.row for case in OVER_UDP])
def test_over_udp(case: Case, udp_lane: Lane) -> None:
    case.check(udp_lane)


@pytest.mark.parametrize("case", OVER_TCP, ids=[case.row for case in OVER_TCP])
def test_over_tcp(case: Case, tcp_lane: Lane) -> None:
    case.check(tcp_lane)


def test_the_last_octet_counts(udp_lane: Lane) -> None:
    """A reply as large as the client's size is whole, one octet less room truncates it."""
    size = len(ask(udp_lane, query("half.big.test.", "TXT", edns=True)).wire)
    assert UDP_MIN < size < UDP_MAX
    assert not ask(udp_lane, query("half.big.test.", "TXT", edns=opt(size=size))).tc
    assert ask(udp_lane, query("half.big.test.", "TXT", edns=opt(size=size - 1))).tc


def test_what_is_truncated_comes_whole_over_tcp(view_lanes: tuple[Lane, Lane]) -> None:
    """RFC 2181 section 9: TC sends the client to TCP, where it gets all."""
    udp, tcp = view_lanes
    for name, qtype in (("full.big.test.", "TXT"), ("crowd.example.com.", "A"), ("x.cut.big.test.", "A")):
        assert ask(udp, query(name, qtype)).tc
        assert not ask(tcp, query(name, qtype)).tc


def test_an_answer_of_at_most_so_many_addresses_is_whole(udp_lane: Lane) -> None:
    """`max_answers`, for a pool whose addresses would all not fit."""
    asked = query("some.example.com.", edns=True, ecs="192.0.2.0/24")
    reply = ask(udp_lane, asked)
    assert not reply.tc
    assert len(set(reply.answer)) == len(reply.answer) == 40


def test_at_most_so_many_hosts_bring_their_addresses_alone(udp_lane: Lane) -> None:
    reply = ask(udp_lane, query("some.example.com.", "MX"))
    assert len(reply.answer) == 2
    assert len(reply.additional) <= 4
