"""Requests that are signed, and replies of many messages: dnspython on the other side."""

from __future__ import annotations

import time

import dns.message
import dns.rrset
import dns.tsig
import pytest

from lbdns.dns.name import encode_canonical
from lbdns.dns.transfer_reply import read_reply
from lbdns.dns.tsig_client import UNSIGNED_MAX, BadSignature, TsigSession
from lbdns.transfer.inward.primary_client import encode_question
from tests.transfer.transfer_records import APEX

ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
SECRET = b"0123456789abcdef0123456789abcdef"
ID = 77


def asked(algorithm: str = "hmac-sha256", ago_s: int = 0) -> tuple[TsigSession, dns.message.Message]:
    """Return a session that has asked, and what the other side reads."""
    session = TsigSession("key.example", algorithm, SECRET)
    wire = session.sign(encode_question(ID, APEX, 252), int(time.time()) - ago_s)
    theirs = "hmac-md5.sig-alg.reg.int." if algorithm == "hmac-md5" else f"{algorithm}."
    key = dns.tsig.Key("key.example.", SECRET, theirs)
    return session, dns.message.from_wire(wire, keyring={key.name: key})


def replies(request: dns.message.Message, count: int, signed: set[int]) -> list[bytes]:
    """Return the messages of a transfer, those of some numbers signed."""
    made, context = [], None
    for number in range(count):
        reply = dns.message.make_response(request)
        reply.answer = [dns.rrset.from_text(f"h{number}.example.com.", 60, "IN", "A", "192.0.2.1")]
        if number in signed:
            made.append(reply.to_wire(multi=True, tsig_ctx=context))
            context = reply.tsig_ctx
        else:
            assert context is not None
            reply.tsig = None
            wire = reply.to_wire()
            context.update(wire)
            made.append(wire)
    return made


def take(session: TsigSession, messages: list[bytes], now_s: float | None = None) -> None:
    """Have a session take messages, and end."""
    for message in messages:
        session.take(message, read_reply(message, ID).signature, int(now_s or time.time()))
    session.finish()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signed", [{0}, {0, 1, 2, 3}, {0, 3}])
def test_replies_are_taken_by_every_algorithm(algorithm: str, signed: set[int]) -> None:
    session, request = asked(algorithm)
    assert request.had_tsig
    take(session, replies(request, max(signed) + 1, signed))


def test_what_is_not_signed_as_it_is_to_be_is_refused() -> None:
    session, request = asked()
    good = replies(request, 4, {0, 1, 2, 3})
    with pytest.raises(BadSignature, match=r"last message .* is not signed"):
        take(session, [])
    session, request = asked(ago_s=5)
    with pytest.raises(BadSignature, match="signature is wrong"):
        take(session, good)  # of another request
    session, request = asked()
    good = replies(request, 4, {0, 1, 2, 3})
    with pytest.raises(BadSignature, match="signature is wrong"):
        take(session, [good[0], good[2], good[1], good[3]])
    session, request = asked()
    good = replies(request, 2, {0, 1})
    forged = good[1].replace(bytes((192, 0, 2, 1)), bytes((192, 0, 2, 9)))
    with pytest.raises(BadSignature, match="signature is wrong"):
        take(session, [good[0], forged])
    session, request = asked()
    plain = replies(request, 2, {0})
    with pytest.raises(BadSignature, match="last message"):
        take(session, plain)
    session, request = asked()
    with pytest.raises(BadSignature, match="is not signed"):
        take(session, [plain[1]])
    session, request = asked()
    with pytest.raises(BadSignature, match="clocks"):
        take(session, replies(request, 1, {0}), time.time() + 1000)
    session, request = asked()
    many = replies(request, UNSIGNED_MAX + 2, {0})
    with pytest.raises(BadSignature, match="messages in a row"):
        take(session, many)


def test_a_key_that_the_other_side_does_not_have_is_told() -> None:
    _, request = asked()
    other = TsigSession("other.example", "hmac-sha256", SECRET)
    wire = replies(request, 1, {0})[0]
    with pytest.raises(BadSignature, match=r"another key, key\.example"):
        other.take(wire, read_reply(wire, ID).signature, int(time.time()))
    assert encode_canonical("key.example") in wire
