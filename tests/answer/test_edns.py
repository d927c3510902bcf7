"""EDNS on the wire: RFC 6891, 7871's option, NSID (5001), keepalive (7828), extended errors (8914)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.answer.cases import Case, error, refused
from tests.answer.lanes import Lane, ask
from tests.answer.packets import (
    OPTION_COOKIE,
    OPTION_ECS,
    OPTION_KEEPALIVE,
    OPTION_NSID,
    OPTION_PADDING,
    Query,
    opt,
    option,
    query,
    record,
    subnet,
    tsig,
)
from tests.answer.world import SOA

NAME = "static.example.com."
ANSWER = ["static.example.com. 300 A 192.0.2.80"]
MAIN_SOA = [SOA.format("example.com")]
SUBNET = subnet("192.0.2.0/24")


def good(row: str, edns: bytes) -> Case:
    """Return the case of a query whose OPT changes nothing about its answer."""
    return Case(row, query(NAME, edns=edns), answer=ANSWER)


def malformed(row: str, *options: bytes, length: int | None = None) -> Case:
    """Return the case of a malformed option: FORMERR with OPT."""
    return error(row, query(NAME, edns=opt(*options, length=length)), "FORMERR")


def bad_subnet(row: str, data: bytes) -> Case:
    """Return the case of a malformed Client Subnet option."""
    return malformed(f"RFC 7871: {row}", option(OPTION_ECS, data))


TOLERATED = [
    good("RFC 6891: OPT in, OPT out", opt()),
    good("RFC 6891: DO", opt(flags=0x8000)),
    good("RFC 6891: unknown flags", opt(flags=0x7FFF)),
    good("RFC 6891: every flag", opt(flags=0xFFFF)),
    good("RFC 6891: size 0", opt(size=0)),
    good("RFC 6891: size 65535", opt(size=65535)),
    good("RFC 6891: unknown options", opt(option(65001, b"x"), option(26946), option(4, b"abc"))),
    good("RFC 6891: 60 unknown options", opt(*(option(60_000 + number, bytes(number)) for number in range(60)))),
    good("RFC 6891: an unknown option 60 times", opt(*[option(60_000, b"again")] * 60)),
    good("RFC 7830: padding", opt(option(OPTION_PADDING, bytes(100)))),
    Case("RFC 6891: after another additional record", query(NAME, edns=opt(), additional=[
        record("static.example.com.", "A", bytes(4))
    ]), answer=ANSWER),
]  # fmt: skip

ERRORS = [
    error("RFC 6891: version 1", query(NAME, edns=opt(version=1)), "BADVERS"),
    error("RFC 6891: version 255", query(NAME, edns=opt(version=255)), "BADVERS"),
    error("RFC 6891: version 1, out of zone", query("example.net.", edns=opt(version=1)), "BADVERS"),
    error("RFC 6891: version 1, options of its own", query(NAME, edns=opt(b"\0\1\0", version=1)), "BADVERS"),
    error("RFC 6891: two OPTs", query(NAME, edns=opt(), additional=[opt()]), "FORMERR"),
    error("RFC 6891: two OPTs apart", query(NAME, edns=opt(), additional=[
        record(NAME, "A", bytes(4)), opt()
    ]), "FORMERR"),
    malformed("RFC 6891: an option overruns", option(65001, b"abc", length=4)),
    malformed("RFC 6891: an option's length overruns", option(65001, b"", length=0xFFFF)),
    malformed("RFC 6891: stray octets after an option", option(65001, b"abc"), b"\0\0\0"),
    malformed("RFC 6891: one stray octet", b"\0"),
    malformed("RFC 6891: RDLENGTH overruns", length=1),
    malformed("RFC 6891: RDLENGTH overruns by far", option(65001, b"abc"), length=0xFFFF),
    malformed("RFC 7873: cookie of 7", option(OPTION_COOKIE, bytes(7))),
    malformed("RFC 7873: cookie of 9", option(OPTION_COOKIE, bytes(9))),
    malformed("RFC 7873: cookie of 15", option(OPTION_COOKIE, bytes(15))),
    malformed("RFC 7873: cookie of 41", option(OPTION_COOKIE, bytes(41))),
    malformed("RFC 7873: empty cookie", option(OPTION_COOKIE)),
]  # fmt: skip

SUBNET_ERRORS = [
    bad_subnet("empty", b""),
    bad_subnet("3 octets", b"\0\1\0"),
    bad_subnet("SCOPE not 0", subnet("192.0.2.0/24", scope=24)),
    bad_subnet("family 3", b"\0\3\x08\0\x0a"),
    bad_subnet("family 0 with SOURCE 8", b"\0\0\x08\0\x0a"),
    bad_subnet("family 0 with an address", b"\0\0\0\0\x0a"),
    bad_subnet("family 256", b"\1\0\0\0"),
    bad_subnet("SOURCE 33 for IPv4", b"\0\1\x21\0\xc0\0\2\0\0"),
    bad_subnet("SOURCE 129 for IPv6", b"\0\2\x81\0" + bytes(17)),
    bad_subnet("an octet too few", b"\0\1\x18\0\xc0\0"),
    bad_subnet("an octet too many", b"\0\1\x18\0\xc0\0\2\0"),
    bad_subnet("an octet where SOURCE is 0", b"\0\1\0\0\0"),
    bad_subnet("bits set beyond SOURCE", b"\0\1\x14\0\xc0\0\x2f"),
    bad_subnet("the last bit set beyond SOURCE", b"\0\2\x7f\0" + bytes(15) + b"\1"),
]

# ECS in, ECS out: on errors and on every kind of answer alike. The laws of replies check what comes back.
SUBNET_ECHOES = [
    Case("an answer", query(NAME, ecs=SUBNET), answer=ANSWER),
    Case("/32", query(NAME, ecs="192.0.2.1/32"), answer=ANSWER),
    Case("/1", query(NAME, ecs="128.0.0.0/1"), answer=ANSWER),
    Case("/20, three octets", query(NAME, ecs="192.0.0.0/20"), answer=ANSWER),
    Case("IPv6 /56", query(NAME, ecs="2001:db8::/56"), answer=ANSWER),
    Case("IPv6 /128", query(NAME, ecs="2001:db8::1/128"), answer=ANSWER),
    Case("family 1, SOURCE 0", query(NAME, ecs="0.0.0.0/0"), answer=ANSWER),
    Case("family 0, SOURCE 0", query(NAME, ecs=bytes(4)), answer=ANSWER),
    Case("family 0 at a load balancer", query("www.example.com.", ecs=bytes(4)), answer=[
        "www.example.com. 20 A 198.51.100.1"
    ]),
    Case("NXDOMAIN", query("nothing.example.com.", ecs=SUBNET), "NXDOMAIN", authority=MAIN_SOA),
    Case("NODATA", query("text.example.com.", ecs=SUBNET), authority=MAIN_SOA),
    refused("out of zone", query("example.net.", ecs=SUBNET)),
    error("another class", query(NAME, ecs=SUBNET, qclass=4), "REFUSED", 20),
    error("AXFR", query("example.com.", "AXFR", ecs=SUBNET), "REFUSED"),
    error("a type that cannot be asked for", query(NAME, "NXNAME", ecs=SUBNET), "FORMERR", 30),
    error("another opcode", query(NAME, ecs=SUBNET, flags=0x1000), "NOTIMP"),
    Case("an unknown key", query(NAME, ecs=SUBNET, additional=[tsig("nobody.")]), "NOTAUTH", aa=False),
]  # fmt: skip

ALL = [
    *TOLERATED,
    *ERRORS,
    *SUBNET_ERRORS,
    *(replace(case, row=f"RFC 7871: echo, {case.row}") for case in SUBNET_ECHOES),
]


@pytest.mark.parametrize("case", ALL, ids=[case.row for case in ALL])
def test_edns(case: Case, lane: Lane) -> None:
    assert set(case.check(lane).options()) <= {OPTION_ECS, 15}


def test_the_version_of_a_reply_is_0_and_badvers_is_16(lane: Lane) -> None:
    """RFC 6891 section 6.1.3: the RCODE's upper bits stand in the OPT record, and nothing is answered."""
    reply = ask(lane, query(NAME, edns=opt(version=1)))
    assert reply.opts[0].ttl == 1 << 24
    assert reply.flags & 0xF == 0


def test_opt_comes_back_on_truncation(udp_lane: Lane) -> None:
    reply = Case("", query("full.big.test.", "TXT", ecs=SUBNET), tc=True).check(udp_lane)
    assert reply.counts == [1, 0, 0, 1]


@pytest.mark.parametrize("name", [NAME, "nothing.example.com.", "www.example.com.", "example.net."])
def test_nsid_is_given_when_asked_for(name: str, lane: Lane) -> None:
    """RFC 5001: an empty option asks; on errors too."""
    assert OPTION_NSID not in ask(lane, query(name, edns=opt())).options()
    assert ask(lane, query(name, edns=opt(option(OPTION_NSID)))).options()[OPTION_NSID] == b"IAD"


def test_keepalive_over_tcp(tcp_lane: Lane) -> None:
    """RFC 7828: the idle time in units of 100 ms, to who asks."""
    assert OPTION_KEEPALIVE not in ask(tcp_lane, query(NAME, edns=opt())).options()
    assert ask(tcp_lane, query(NAME, edns=opt(option(OPTION_KEEPALIVE)))).options()[OPTION_KEEPALIVE] == b"\0\x64"


def test_keepalive_with_a_time_out_is_malformed(tcp_lane: Lane) -> None:
    """RFC 7828 section 3.2.1."""
    malformed("", option(OPTION_KEEPALIVE, b"\0\x64")).check(tcp_lane)


def test_keepalive_is_ignored_over_udp(udp_lane: Lane) -> None:
    """RFC 7828 section 3.2.1."""
    good("", opt(option(OPTION_KEEPALIVE))).check(udp_lane)
    assert OPTION_KEEPALIVE not in ask(udp_lane, query(NAME, edns=opt(option(OPTION_KEEPALIVE)))).options()


@pytest.mark.parametrize(
    "asked",
    [query("example.net."), query(NAME, "NXNAME"), query(NAME, qclass=4)],
    ids=["out of zone", "NXNAME", "another class"],
)
def test_no_extended_error_without_opt(asked: Query, lane: Lane) -> None:
    """RFC 8914: an extended error travels in OPT, which nobody gets who sent none."""
    assert ask(lane, asked).ede is None
