"""`respond` over any bytes (Hypothesis): total, bounded, and what it returns is a lawful message.

Three kinds of input: noise; messages whose parts are each right or wrong; queries that are right and mostly answered.
"""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.dns.message import decode
from lbdns.model.configuration import Configuration
from tests.answer.lanes import InProcess, check_good, good_query
from tests.answer.packets import OPTION_ECS, Query, header, opt, option, query, question, record, subnet, tsig
from tests.answer.packets import wire_name as wire
from tests.answer.replies import Reply, check_laws

EXAMPLES = 150
CLIENTS = [Client(bytes((192, 0, 2, 1)), 53), Client(bytes((0x20, 0x01)) + bytes(14), 65535)]
TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 64, 65, 128, 251, 252, 255, 257, 65500]
APEXES = ["example.com.", "example.", "big.test.", "chain.test.", "parent.test.", "apex.test.", "example.org.", "."]
LABELS = [b"www", b"*", b"old", b"wild", b"apps", b"sub", b"geo", b"ns1", b"hop3", b"cut", b"child", b"ent", b"WWW"]

numbers = st.one_of(st.integers(0, 300), st.integers(0, 65535))
few = st.integers(0, 3)
mostly_right = st.one_of(st.none(), st.none(), numbers)  # None: a length that is right

labels = st.lists(st.one_of(st.sampled_from(LABELS), st.binary(min_size=1, max_size=63)), max_size=4)
names = st.builds(
    lambda labels, rest: b"".join(bytes((len(one),)) + one for one in labels) + rest,
    labels,
    st.sampled_from([*map(wire, APEXES), b"\xc0\x0c", b"\xff\xff", b""]),
)
options = st.builds(
    option, st.one_of(st.sampled_from([3, 8, 10, 11, 12, 15]), numbers), st.binary(max_size=24), mostly_right
)
opts = st.builds(
    lambda parts, size, version, flags: opt(*parts, size=size, version=version, flags=flags),
    st.lists(options, max_size=4),
    numbers,
    few,
    numbers,
)
records = st.builds(
    lambda owner, rtype, rdata, length: record(owner, rtype, rdata, length=length),
    names,
    numbers,
    st.binary(max_size=40),
    mostly_right,
)
signatures = st.builds(tsig, names, names, st.binary(max_size=40))
questions = st.builds(question, names, numbers, st.sampled_from([1, 1, 1, 3, 255]))
messages = st.builds(
    lambda flags, counts, asks, rest, tail: (
        header(flags, counts or (len(asks), 0, 0, len(rest))) + b"".join([*asks, *rest]) + tail
    ),
    st.one_of(st.sampled_from([0, 0x0100]), st.integers(0, 65535)),
    st.one_of(st.none(), st.none(), st.tuples(few, few, few, few)),
    st.lists(questions, max_size=2),
    st.lists(st.one_of(opts, records, signatures), max_size=3),
    st.binary(max_size=8),
)

networks = st.one_of(
    st.builds(
        lambda bits, length: ipaddress.ip_network((bits, length), False), st.integers(0, 2**32 - 1), st.integers(0, 32)
    ),
    st.builds(
        lambda bits, length: ipaddress.ip_network((bits, length), False),
        st.integers(0, 2**128 - 1),
        st.integers(0, 128),
    ),
    st.sampled_from([ipaddress.ip_network(text) for text in ("192.0.2.0/24", "203.0.113.0/26", "10.0.0.0/8")]),
)
edns = st.one_of(
    st.none(),
    st.builds(
        lambda size, network, more: opt(
            *([] if network is None else [option(OPTION_ECS, subnet(str(network)))]), *more, size=size
        ),
        numbers,
        st.one_of(st.none(), networks),
        st.lists(st.sampled_from([option(3), option(11), option(12, bytes(9)), option(65001, b"x")]), max_size=3),
    ),
)
whole_names = st.builds(
    lambda labels, apex: b"".join(bytes((len(one),)) + one for one in labels[:3]) + wire(apex),
    st.one_of(st.lists(st.sampled_from(LABELS), max_size=3), labels),
    st.sampled_from(APEXES),
)
queries = st.builds(
    lambda name, qtype, flags, opt: query(name, qtype, flags=flags, edns=opt or False).wire,
    whole_names,
    st.sampled_from(TYPES),
    st.sampled_from([0, 0x0100]),
    edns,
)


def check(lane: InProcess, sent: bytes, client: Client) -> str | None:
    """Assert every law for any bytes; return the RCODE, None where there was no reply."""
    reply = lane.respond(sent, client)
    read = decode(sent)
    if read is None:
        assert reply is None
        return None
    # What a reply must repeat is what the reader of queries made of the bytes; test_bad_input holds that to account.
    data = read.edns.client_subnet.encode(0) if read.edns and read.edns.client_subnet else None
    asked = Query(sent, read.question, read.edns.size if read.edns else None, data, read.edns.flags if read.edns else 0)
    assert reply is not None
    lawful = Reply(reply)
    check_laws(asked, lawful, lane.over_tcp)
    return lawful.rcode


TRANSPORTS = pytest.mark.parametrize("over_tcp", [False, True], ids=["udp", "tcp"])
RUNS = settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.slow
@TRANSPORTS
@RUNS
@given(sent=st.one_of(st.binary(max_size=600), messages), client=st.sampled_from(CLIENTS))
@example(sent=b"", client=CLIENTS[0])
@example(sent=bytes(12), client=CLIENTS[0])
@example(sent=header() + question(b"\0", 2), client=CLIENTS[1])
def test_any_bytes(over_tcp: bool, view: ServingView, sent: bytes, client: Client) -> None:
    lane = InProcess(view, over_tcp)
    check(lane, sent, client)
    good = good_query()
    check_good(good, lane.respond(good.wire), over_tcp)


@pytest.mark.slow
@TRANSPORTS
@RUNS
@given(sent=queries, client=st.sampled_from(CLIENTS), draw=st.integers(0, 2**64 - 1))
def test_any_query(over_tcp: bool, view: ServingView, sent: bytes, client: Client, draw: int) -> None:
    assert check(InProcess(view, over_tcp, draw=draw), sent, client) in {
        "NOERROR", "NXDOMAIN", "YXDOMAIN", "REFUSED", "FORMERR"
    }  # fmt: skip


@pytest.mark.slow
@TRANSPORTS
def test_every_name(over_tcp: bool, view: ServingView, parsed: Configuration) -> None:
    """Each name of each zone and each load balancer's, asked for every type there and others; and one below it."""
    lane = InProcess(view, over_tcp)
    types = {wire(f"{balancer.name}."): {1, 15, 28, 33, 255, 4711} for balancer in parsed.load_balancers}
    for zone in parsed.zones:
        for rrset in zone.rrsets:
            types.setdefault(rrset.owner, {1, 5, 255, 4711}).add(rrset.type)
    for owner, asked in types.items():
        for qtype in asked:
            check(lane, query(owner, qtype).wire, CLIENTS[0])
            check(lane, query(b"\x01x" + owner, qtype, edns=True).wire, CLIENTS[1])
