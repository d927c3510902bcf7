"""`respond` over any bytes (Hypothesis): total, bounded, and what it returns is a lawful message."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lbdns.responder import Client, View
from lbdns.wire.message import Message, Refusal, decode
from tests.wire.lanes import InProcess, check_good, good_query
from tests.wire.packets import Query, header, opt, option, question, record, tsig, u16, wire_name
from tests.wire.replies import Reply, check_laws

EXAMPLES = 300
CLIENTS = [Client(bytes((192, 0, 2, 1)), 53), Client(bytes((0x20, 0x01)) + bytes(14), 65535)]

small = st.integers(0, 3)
numbers = st.one_of(st.integers(0, 300), st.integers(0, 65535))
label = st.one_of(
    st.sampled_from([b"www", b"*", b"example", b"com", b"test", b"old", b"wild", b"apps", b"sub", b"geo"]),
    st.binary(min_size=1, max_size=63),
)
zone = st.sampled_from([b"", wire_name("example.com."), wire_name("example."), wire_name("big.test."), b"\xc0\x0c"])
names = st.builds(
    lambda labels, rest: b"".join(bytes((len(one),)) + one for one in labels) + (rest or b"\0"),
    st.lists(label, max_size=6),
    zone,
)
options = st.builds(
    lambda code, data, length: option(code, data, length),
    st.one_of(st.sampled_from([3, 8, 10, 11, 12, 15]), numbers),
    st.binary(max_size=24),
    st.one_of(st.none(), st.none(), numbers),
)
opts = st.builds(
    lambda parts, size, version, flags: opt(*parts, size=size, version=version, flags=flags),
    st.lists(options, max_size=4),
    numbers,
    small,
    numbers,
)
records = st.builds(
    lambda owner, rtype, rdata, length: owner + record(b"", rtype, rdata, length=length),
    names,
    numbers,
    st.binary(max_size=40),
    st.one_of(st.none(), st.none(), numbers),
)
signatures = st.builds(tsig, names, names, st.binary(max_size=40))
messages = st.builds(
    lambda flags, counts, questions, rest, tail: header(flags, counts) + b"".join([*questions, *rest]) + tail,
    st.one_of(st.sampled_from([0, 0x0100]), st.integers(0, 65535)),
    st.one_of(st.tuples(st.just(1), st.just(0), st.just(0), small), st.tuples(small, small, small, small)),
    st.lists(
        st.builds(
            lambda name, qtype, qclass: name + u16(qtype) + u16(qclass),
            names,
            numbers,
            st.sampled_from([1, 1, 1, 3, 255]),
        ),
        max_size=2,
    ),
    st.lists(st.one_of(opts, records, signatures), max_size=4),
    st.binary(max_size=8),
)


def as_query(sent: bytes, reply: bytes) -> Query:
    """Return what a reply to these bytes must repeat, as the reader of queries has it."""
    read = decode(sent)
    assert read is not None
    subnet = read.edns.client_subnet if read.edns else None
    return Query(
        sent,
        read.question,
        read.edns.size if read.edns else None,
        None if subnet is None else subnet.encode(0),
    )


def check(lane: InProcess, sent: bytes, client: Client) -> None:
    """Assert every law for any bytes."""
    wire = lane.respond(sent, client)
    read = decode(sent)
    assert (wire is None) == (read is None)
    if wire is not None:
        assert isinstance(read, Message | Refusal)
        check_laws(as_query(sent, wire), Reply(wire), lane.over_tcp)
    good = good_query()
    check_good(good, lane.respond(good.wire), lane.over_tcp)


@pytest.mark.parametrize("over_tcp", [False, True], ids=["udp", "tcp"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.one_of(st.binary(max_size=600), messages), client=st.sampled_from(CLIENTS))
@example(sent=b"", client=CLIENTS[0])
@example(sent=bytes(12), client=CLIENTS[0])
@example(sent=header() + question(b"\0", 2), client=CLIENTS[1])
def test_any_bytes(over_tcp: bool, view: View, sent: bytes, client: Client) -> None:
    check(InProcess(view, over_tcp), sent, client)
