"""TSIG in many messages and in requests (RFC 8945 sections 5.3.1 and 5.4), held against dnspython both ways."""

from __future__ import annotations

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
from lbdns.dns.message import Message, decode, signature_of
from lbdns.dns.tsig import Keyring, KnownKey, Sealed, SealedRequest, known_key

SECRET = bytes(range(32))
ALGORITHMS = {
    "hmac-md5": "hmac-md5.sig-alg.reg.int.",
    "hmac-sha1": "hmac-sha1.",
    "hmac-sha256": "hmac-sha256.",
    "hmac-sha512": "hmac-sha512.",
}
NOW_S = int(time.time())


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> str:
    """The algorithm as settings have it."""
    return str(request.param)


@pytest.fixture
def theirs(algorithm: str) -> dns.tsig.Key:
    """The key as dnspython has it."""
    return dns.tsig.Key("NS2.", SECRET, ALGORITHMS[algorithm])


@pytest.fixture
def ours(algorithm: str) -> KnownKey:
    """The same as it is known here."""
    return known_key("ns2", algorithm, SECRET)


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
    for plain in answers(50, asked.id):
        sealed = stream.sign(plain)
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
    first, _left_out, third = (stream.sign(plain) for plain in answers(3, asked.id))
    read = dns.message.from_wire(first, keyring=theirs, request_mac=asked.mac, multi=True, xfr=True)
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(third, keyring=theirs, request_mac=asked.mac, multi=True, tsig_ctx=read.tsig_ctx)


def replies(ours: KnownKey, theirs: dns.tsig.Key, count: int, every: int) -> tuple[SealedRequest, list[bytes]]:
    """Return a request, and what dnspython makes as a reply of `count` messages, of which the first, each `every`th and
    the last are signed."""
    asked = dns.message.make_query("example.com.", "AXFR")
    request = SealedRequest(ours, asked.to_wire(), NOW_S)
    read = dns.message.from_wire(request.wire, keyring=theirs)
    assert read.had_tsig, "what is signed here holds there"
    context, made = None, []
    for number, plain in enumerate(answers(count, asked.id)):
        if number % every and number != count - 1:
            assert context is not None
            context.update(plain)
            made.append(plain)
            continue
        message = dns.message.from_wire(plain)
        message.use_tsig(theirs)
        message.request_mac = read.mac or b""
        made.append(message.to_wire(multi=True, tsig_ctx=context) or b"")
        context = message.tsig_ctx
    return request, made


@pytest.mark.parametrize("every", [1, 3, 100])
def test_replies_of_many_messages_are_checked(ours: KnownKey, theirs: dns.tsig.Key, every: int) -> None:
    request, made = replies(ours, theirs, 40, every)
    assert [request.check(one, NOW_S) for one in made] == [Sealed.HOLDS] * 40 and request.is_settled


def test_what_does_not_hold_is_told(ours: KnownKey, theirs: dns.tsig.Key) -> None:
    request, (first, second, third) = replies(ours, theirs, 3, 1)
    assert request.check(first[:60] + b"y" + first[61:], NOW_S) is Sealed.FAILS
    assert request.check(first, NOW_S + 1000) is Sealed.FAILS
    assert request.check(second, NOW_S) is Sealed.FAILS, "out of turn"
    assert request.check(first, NOW_S) is Sealed.HOLDS
    assert request.check(third, NOW_S) is Sealed.FAILS, "one is missing"
    assert request.check(second, NOW_S) is Sealed.HOLDS
    other = known_key("ns3", "hmac-sha256", SECRET)
    assert SealedRequest(other, bytes(12), NOW_S).check(first, NOW_S) is Sealed.FAILS


def test_an_unsigned_reply_is_never_taken_for_a_signed_one(ours: KnownKey) -> None:
    request = SealedRequest(ours, dns.message.make_query("example.com.", "SOA").to_wire(), NOW_S)
    (plain,) = answers(1)
    assert request.check(plain, NOW_S) is Sealed.LACKS
    assert not request.is_settled


def test_no_more_messages_go_unsigned_than_may(ours: KnownKey, theirs: dns.tsig.Key) -> None:
    request, made = replies(ours, theirs, 120, 1000)
    said = [request.check(one, NOW_S) for one in made]
    assert said.index(Sealed.LACKS) == 100 and set(said[:100]) == {Sealed.HOLDS}


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
    request = SealedRequest(known_key("ns2", algorithm, SECRET), plain, NOW_S)
    signature = signature_of(request.wire)
    assert signature is not None and len(signature.mac) == octets
    assert signature.algorithm == dns.name.from_text(algorithm.rpartition("-")[0]).to_wire()
    assert keyring.judge(request.wire, signature, NOW_S).error == 0
    assert keyring.judge(request.wire, signature, NOW_S + 1000).error == BADTIME
    assert Keyring([("ns2", "hmac-sha1", SECRET, 0)]).judge(wire, message.signature, NOW_S).error == BADKEY


def test_whatever_comes_as_a_reply_is_taken() -> None:
    """Nothing raises: records that lie about lengths, headers alone, noise."""
    request = SealedRequest(known_key("ns2", "hmac-sha256", SECRET), bytes(12), NOW_S)
    (plain,) = answers(1)
    for cut in range(len(plain)):
        assert request.check(plain[:cut], NOW_S) in (Sealed.LACKS, Sealed.HOLDS, Sealed.FAILS)
        assert signature_of(b"\xff" * cut) is None
