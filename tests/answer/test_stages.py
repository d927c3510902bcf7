"""The stages before the zones are asked and after the answer is known: an entry each, in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lbdns.answer import respond as stages
from lbdns.answer.answer import Road
from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import REFUSED
from tests.answer.packets import query

CLIENT = Client(bytes((192, 0, 2, 7)), 53)
STATIC, OUTSIDE = (query(name).wire for name in ("static.example.com.", "outside.test."))
RCODE_AT, RCODE_MASK = 3, 0xF


def rcode_of(view: ServingView, datagram: bytes, client: Client = CLIENT, road: Road | None = None) -> int | None:
    reply = respond(view, datagram, client, Transport.UDP, 1_000_000, 0, road)
    return None if reply is None else reply[RCODE_AT] & RCODE_MASK


def refuse_one(exchange: Exchange) -> Answer | None:
    """Refuse one client."""
    return Answer(REFUSED, is_authoritative=False) if exchange.client.address == CLIENT.address else None


def test_what_a_guard_answers_no_zone_is_asked_about(view: ServingView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "BEFORE", (*stages.BEFORE, refuse_one))
    other = replace(CLIENT, address=bytes((192, 0, 2, 8)))
    refused, passed = Road(), Road()
    assert rcode_of(view, STATIC, CLIENT, refused) == REFUSED
    assert rcode_of(view, STATIC, other, passed) == 0
    assert (len(refused.matches), len(passed.matches)) == (0, 1)


def test_guards_are_asked_in_order_until_one_answers(view: ServingView, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(exchange: Exchange) -> None:
        asked.append(exchange.message.qname)

    monkeypatch.setattr(stages, "BEFORE", (note, refuse_one, note))
    assert rcode_of(view, STATIC) == REFUSED
    assert len(asked) == 1


def test_after_the_answer_each_stage_may_replace_it(view: ServingView, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def note(_: Exchange, reply: Answer) -> Answer:
        seen.append(reply.rcode)
        return reply

    def pardon(_: Exchange, reply: Answer) -> Answer:
        return Answer() if reply.rcode == REFUSED else reply

    monkeypatch.setattr(stages, "AFTER", (note, pardon, note))
    monkeypatch.setattr(stages, "BEFORE", (*stages.BEFORE, refuse_one))
    assert rcode_of(view, STATIC) == 0
    other = replace(CLIENT, address=bytes((192, 0, 2, 8)))
    assert rcode_of(view, OUTSIDE, other) == 0
    assert seen == [REFUSED, 0, REFUSED, 0]
