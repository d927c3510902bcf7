"""TSIG of replies of many messages (RFC 8945 section 5.3.1), and of MACs that are cut short, held against dnspython."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import dns.tsig
import pytest

from lbdns.dns.codes import BADKEY, BADTIME
from lbdns.dns.message import Message, decode
from lbdns.dns.tsig import Keyring

SECRET = bytes(range(32))
ALGORITHMS = {
    "hmac-md5": "hmac-md5.sig-alg.reg.int.",
    "hmac-sha1": "hmac-sha1.",
    "hmac-sha256": "hmac-sha256.",
    "hmac-sha512": "hmac-sha512.",
}
NOW_S = 0
"""When a test begins: dnspython signs by the clock, and a signature holds for five minutes."""


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set NOW_S."""
    monkeypatch.setattr(sys.modules[__name__], "NOW_S", int(time.time()))


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> str:
    """The algorithm as settings have it."""
    return str(request.param)


@pytest.fixture
def theirs(algorithm: str) -> dns.tsig.Key:
    """The key as dnspython has it."""
    return dns.tsig.Key("NS2.", SECRET, ALGORITHMS[algorithm])


def answers(count: int, id: int = 0) -> Iterator[bytes]:
    """Yield messages of one reply."""
    for number in range(count):
        message = dns.message.Message(id)
        message.flags = 0x8400
        message.answer = [dns.rrset.from_text(f"n{number}.example.com.", 60, "IN", "TXT", "x" * 200)]
        yield message.to_wire()


def test_each_message_is_signed_over_the_one_before(algorithm: str, theirs: dns.tsig.Key) -> None:
    asked = dns.message.make_query("example.com.", "AXFR")
    asked.use_tsig(theirs)
    wire = asked.to_wire()
    message = decode(wire)
    assert isinstance(message, Message) and message.signature is not None
    keyring = Keyring([("ns2", algorithm, SECRET, 0)])
    judgement = keyring.judge(wire, message.signature, NOW_S)
    assert judgement.seal is not None and judgement.key == b"\x03ns2\x00"
    stream = judgement.seal.stream()
    context = None
    for number, plain in enumerate(answers(50, asked.id)):
        sealed = stream.sign(plain, NOW_S + number)
        assert len(sealed) <= len(plain) + stream.size
        read = dns.message.from_wire(
            sealed, keyring=theirs, request_mac=asked.mac, multi=True, tsig_ctx=context, xfr=True, one_rr_per_rrset=True
        )
        assert read.had_tsig
        context = read.tsig_ctx


def test_a_stream_with_one_message_left_out_does_not_hold(theirs: dns.tsig.Key, algorithm: str) -> None:
    asked = dns.message.make_query("example.com.", "AXFR")
    asked.use_tsig(theirs)
    wire = asked.to_wire()
    message = decode(wire)
    assert isinstance(message, Message) and message.signature is not None
    seal = Keyring([("ns2", algorithm, SECRET, 0)]).judge(wire, message.signature, NOW_S).seal
    assert seal is not None
    stream = seal.stream()
    first, _left_out, third = (stream.sign(plain, NOW_S) for plain in answers(3, asked.id))
    read = dns.message.from_wire(first, keyring=theirs, request_mac=asked.mac, multi=True, xfr=True)
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(third, keyring=theirs, request_mac=asked.mac, multi=True, tsig_ctx=read.tsig_ctx)


@pytest.mark.parametrize(
    ("algorithm", "octets"), [("hmac-sha256-128", 16), ("hmac-sha384-192", 24), ("hmac-sha512-256", 32)]
)
def test_a_mac_may_be_cut_short_where_the_key_says_so(algorithm: str, octets: int) -> None:
    """BIND sends the whole hash's name, dnspython the short one's."""
    keyring = Keyring([("ns2", algorithm, SECRET, 0)])
    by = dns.tsig.Key("ns2.", SECRET, f"{algorithm}.")
    asked = dns.message.make_query("example.com.", "A")
    asked.use_tsig(by)
    wire = asked.to_wire()
    message = decode(wire)
    assert isinstance(message, Message) and message.signature is not None and len(message.signature.mac) == octets
    judgement = keyring.judge(wire, message.signature, NOW_S)
    assert judgement.error == 0 and judgement.seal is not None
    (plain,) = answers(1, asked.id)
    reply = dns.message.from_wire(judgement.seal.sign(plain), keyring=by, request_mac=asked.mac)
    assert reply.had_tsig
    assert keyring.judge(wire, message.signature, NOW_S + 1000).error == BADTIME
    assert Keyring([("ns2", "hmac-sha1", SECRET, 0)]).judge(wire, message.signature, NOW_S).error == BADKEY
