"""DNS cookies on the wire (RFC 7873, 9018): on every reply, whatever it says."""

from __future__ import annotations

import pytest

from tests.answer.lanes import Lane
from tests.answer.packets import (
    OPTION_COOKIE,
    OPTION_ECS,
    OPTION_NSID,
    header,
    opt,
    option,
    query,
    question,
    record,
    subnet,
    tsig,
)
from tests.answer.replies import Reply

NAME = "static.example.com."
CLIENT = bytes.fromhex("2464c4abcf10c957")
OTHER = bytes.fromhex("fc93fc62807ddb86")


def cookie_of(lane: Lane, message: bytes) -> tuple[str, bytes | None]:
    """Return RCODE and Cookie option of the reply to a message, which must get one."""
    wire = lane.send(message)
    assert wire is not None, "no reply"
    reply = Reply(wire)
    found = [one.to_wire() for one in reply.message.options if one.otype == OPTION_COOKIE]
    assert len(found) <= 1
    return reply.rcode, found[0] if found else None


def with_cookie(*cookies: bytes, **more: object) -> bytes:
    """Return an OPT record with Cookie options."""
    return opt(*(option(OPTION_COOKIE, cookie) for cookie in cookies), **more)  # type: ignore[arg-type]


EVERY_REPLY = {
    "an answer": ("NOERROR", query(NAME, edns=with_cookie(CLIENT)).wire),
    "a steered answer": ("NOERROR", query("www.example.com.", edns=with_cookie(CLIENT)).wire),
    "NODATA": ("NOERROR", query(NAME, "MX", edns=with_cookie(CLIENT)).wire),
    "NXDOMAIN": ("NXDOMAIN", query("nothing.example.com.", edns=with_cookie(CLIENT)).wire),
    "a referral": ("NOERROR", query("x.sub.example.com.", edns=with_cookie(CLIENT)).wire),
    "truncated": ("NOERROR", query("full.big.test.", "TXT", edns=with_cookie(CLIENT, size=512)).wire),
    "out of zone": ("REFUSED", query("example.edu.", edns=with_cookie(CLIENT)).wire),
    "a transfer": ("REFUSED", query("example.com.", "AXFR", edns=with_cookie(CLIENT)).wire),
    "class CH": ("REFUSED", query("version.bind.", "TXT", qclass=3, edns=with_cookie(CLIENT)).wire),
    "a type that asks nothing": ("FORMERR", query(NAME, 0, edns=with_cookie(CLIENT)).wire),
    "EDNS version 1": ("BADVERS", query(NAME, edns=with_cookie(CLIENT, version=1)).wire),
    "a malformed option beside it": (
        "FORMERR", query(NAME, edns=opt(option(OPTION_ECS, b"\0"), option(OPTION_COOKIE, CLIENT))).wire
    ),
    "other options beside it": ("NOERROR", query(NAME, edns=opt(
        option(OPTION_COOKIE, CLIENT), option(OPTION_NSID), option(OPTION_ECS, subnet("192.0.2.0/24"))
    )).wire),
    "two questions": ("FORMERR", header(counts=(2, 0, 0, 1)) + question(NAME) * 2 + with_cookie(CLIENT)),
    "an answer in the query": (
        "FORMERR", header(counts=(1, 1, 0, 1)) + question(NAME) + record(NAME, "A", bytes(4)) + with_cookie(CLIENT)
    ),
    "STATUS": ("NOTIMP", query(NAME, flags=2 << 11, edns=with_cookie(CLIENT)).wire),
    "signed by an unknown key": (
        "NOTAUTH", query(NAME, edns=with_cookie(CLIENT), additional=[tsig("nobody.")]).wire
    ),
    "no question": ("NOERROR", header(counts=(0, 0, 0, 1)) + with_cookie(CLIENT)),
}  # fmt: skip


@pytest.mark.parametrize("what", EVERY_REPLY)
def test_every_reply_to_a_cookie_has_one(lane: Lane, what: str) -> None:
    wanted, message = EVERY_REPLY[what]
    rcode, cookie = cookie_of(lane, message)
    assert rcode == wanted
    assert cookie is not None
    assert cookie[:8] == CLIENT
    assert len(cookie) == 24
    assert cookie[8:12] == b"\1\0\0\0"


def test_a_cookie_that_is_good_comes_back_as_it_is(lane: Lane) -> None:
    _, given = cookie_of(lane, query(NAME, edns=with_cookie(CLIENT)).wire)
    assert given is not None
    assert cookie_of(lane, query(NAME, edns=with_cookie(given)).wire) == ("NOERROR", given)
    assert cookie_of(lane, header(counts=(0, 0, 0, 1)) + with_cookie(given)) == ("NOERROR", given)


@pytest.mark.parametrize("others", [bytes(16), bytes(8), bytes(32), b"\1" + bytes(15)])
def test_one_that_is_not_is_as_none(lane: Lane, others: bytes) -> None:
    rcode, cookie = cookie_of(lane, query(NAME, edns=with_cookie(CLIENT + others)).wire)
    assert rcode == "NOERROR"
    assert cookie is not None
    assert len(cookie) == 24
    assert cookie != CLIENT + others
    assert cookie_of(lane, header(counts=(0, 0, 0, 1)) + with_cookie(CLIENT + others))[0] == "NOERROR"


def test_the_first_alone_is_looked_at(lane: Lane) -> None:
    """RFC 7873 section 5.2: what follows is ignored, whatever it is."""
    for second in (OTHER, OTHER[:7], b""):
        rcode, cookie = cookie_of(lane, query(NAME, edns=with_cookie(CLIENT, second)).wire)
        assert rcode == "NOERROR"
        assert cookie is not None
        assert cookie[:8] == CLIENT
    assert cookie_of(lane, query(NAME, edns=with_cookie(CLIENT[:7], OTHER)).wire) == ("FORMERR", None)


@pytest.mark.parametrize("size", [0, 7, 9, 15, 41])
def test_one_of_no_length_that_there_is_gets_none(lane: Lane, size: int) -> None:
    assert cookie_of(lane, query(NAME, edns=with_cookie(bytes(size))).wire) == ("FORMERR", None)
    assert cookie_of(lane, header(counts=(0, 0, 0, 1)) + with_cookie(bytes(size))) == ("FORMERR", None)


def test_who_brings_none_gets_none(lane: Lane) -> None:
    assert cookie_of(lane, query(NAME, edns=True).wire) == ("NOERROR", None)
    assert cookie_of(lane, header(counts=(0, 0, 0, 1)) + opt()) == ("FORMERR", None)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(header(counts=(0, 0, 0, 2)) + with_cookie(CLIENT) + opt(), id="two OPT records"),
        pytest.param(header(counts=(0, 0, 1, 0)) + with_cookie(CLIENT), id="OPT among authorities"),
        pytest.param(
            header(counts=(0, 1, 0, 1)) + record(NAME, "A", bytes(4)) + with_cookie(CLIENT), id="an answer"
        ),
        pytest.param(header(counts=(0, 0, 0, 1)) + with_cookie(CLIENT, version=1), id="EDNS version 1"),
        pytest.param(header(counts=(0, 0, 0, 1)) + with_cookie(CLIENT)[:-1], id="cut short"),
        pytest.param(header(counts=(0, 0, 0, 2)) + with_cookie(CLIENT) + tsig("nobody."), id="signed"),
    ],
)  # fmt: skip
def test_no_question_is_an_error_where_more_is_wrong(lane: Lane, message: bytes) -> None:
    assert cookie_of(lane, message)[0] == "FORMERR"
