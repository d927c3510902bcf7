"""EDNS options as values: what a query's say, what a reply's carry, and that a row of the table is all it takes."""

from __future__ import annotations

import pytest

from lbdns.dns import edns
from lbdns.dns.codes import OPTION_COOKIE, OPTION_ECS, OPTION_EDE, OPTION_KEEPALIVE, OPTION_NSID
from lbdns.dns.edns import Edns, decode_edns, encode_edns
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.options.cookie import Cookie, decode_cookie
from lbdns.dns.options.option import Option, ReplyFacts
from lbdns.dns.options.option_table import ROWS, decoders, encoders

FACTS = ReplyFacts(scope=20, error=None, nsid=b"AMS", is_stream=True)
SUBNET = bytes((0, 1, 24, 0, 192, 0, 2))
HEAD_BYTES = 11  # of an OPT record, before its options


def tlv(code: int, data: bytes = b"") -> bytes:
    return code.to_bytes(2, "big") + len(data).to_bytes(2, "big") + data


def test_no_two_rows_of_one_code() -> None:
    assert len({row.code for row in ROWS}) == len(ROWS)


def test_flags_are_read_and_do_alone_is_echoed() -> None:
    """RFC 3225 section 3: DO, the first flag, comes back as it was; no other does. CO (RFC 9824) is the second."""
    assert decode_edns(1232, 0x8000, b"").dnssec_ok
    assert not decode_edns(1232, 0x7FFF, b"").dnssec_ok
    assert decode_edns(1232, 0x4001, b"").flags == 0x4001
    assert decode_edns(1232, 0x4000, b"").compact_ok
    assert not decode_edns(1232, 0xBFFF, b"").compact_ok
    assert encode_edns(decode_edns(1232, 0xFFFF, b""), 0, FACTS)[5:9] == bytes((0, 0, 0x80, 0))
    assert encode_edns(decode_edns(1232, 0x7FFF, b""), 0, FACTS)[5:9] == bytes(4)


@pytest.mark.parametrize(
    ("length", "cookie"),
    [
        (7, None),
        (8, Cookie(bytes(8), b"")),
        (9, None),
        (15, None),
        (16, Cookie(bytes(8), bytes(8))),
        (40, Cookie(bytes(8), bytes(32))),
        (41, None),
    ],
)
def test_cookies_by_length(length: int, cookie: Cookie | None) -> None:
    """RFC 7873, section 5.2.2."""
    assert decode_cookie(bytes(length)) == cookie
    assert decode_edns(1232, 0, tlv(OPTION_COOKIE, bytes(length))).is_malformed is (cookie is None)


def test_the_first_well_formed_client_subnet_counts() -> None:
    bad, other = tlv(OPTION_ECS, b"\0"), tlv(OPTION_ECS, bytes((0, 1, 8, 0, 10)))
    read = decode_edns(1232, 0, bad + tlv(OPTION_ECS, SUBNET) + other)
    assert read.client_subnet == ClientSubnet(1, 24, bytes((192, 0, 2)))
    assert read.is_malformed


def test_a_reply_carries_what_was_asked_for_in_the_order_of_the_table() -> None:
    asked = decode_edns(1232, 0, tlv(OPTION_KEEPALIVE) + tlv(OPTION_NSID) + tlv(65001, b"x") + tlv(OPTION_ECS, SUBNET))
    told = (
        tlv(OPTION_ECS, bytes((0, 1, 24, 20, 192, 0, 2))) + tlv(OPTION_NSID, b"AMS") + tlv(OPTION_KEEPALIVE, b"\0\x64")
    )
    assert encode_edns(asked, 0, FACTS)[HEAD_BYTES:] == told
    over_udp = FACTS._replace(is_stream=False, nsid=b"", error=20)
    assert encode_edns(asked, 0, over_udp)[HEAD_BYTES:] == told[:11] + tlv(OPTION_EDE, b"\0\x14")


def test_an_extended_error_comes_unasked() -> None:
    assert encode_edns(Edns(), 16, FACTS._replace(error=20))[HEAD_BYTES:] == tlv(OPTION_EDE, b"\0\x14")
    assert encode_edns(Edns(), 16, FACTS)[5] == 1  # the upper bits of BADVERS


def test_a_row_is_all_that_an_option_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is unknown is skipped; with a row it is checked and answered."""
    sent = tlv(65001, b"abc")
    assert decode_edns(1232, 0, sent).options == {}

    def decode_even(data: bytes) -> bytes | None:
        return None if len(data) % 2 else data

    def encode_twice(asked: bytes | None, reply: ReplyFacts) -> bytes | None:
        return None if asked is None else asked * 2 + bytes((reply.scope,))

    rows = (*ROWS, Option(65001, decode_even, encode_twice))
    monkeypatch.setattr(edns, "_DECODERS", decoders(rows))
    monkeypatch.setattr(edns, "_ENCODERS", encoders(rows))
    assert decode_edns(1232, 0, sent).is_malformed
    read = decode_edns(1232, 0, tlv(65001, b"ab"))
    assert read.options == {65001: b"ab"}
    assert encode_edns(read, 0, FACTS)[HEAD_BYTES:] == tlv(65001, b"abab\x14")
