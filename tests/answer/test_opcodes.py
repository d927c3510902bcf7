"""NOTIFY and UPDATE on the slow path, and left to it by the fast one: who is let in, and what others hear."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.answer import Road
from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.respond import finish, respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import EDE_PROHIBITED, OPCODE_NOTIFY, OPCODE_UPDATE, REFUSED
from lbdns.dns.message import Message, decode
from lbdns.dns.name import encode_canonical
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.read import Server
from lbdns.fastpath.serve import serve
from tests.answer.lanes import compiled_view
from tests.answer.packets import header, opt, query, question, record
from tests.answer.replies import Reply

NOTIFY, UPDATE = OPCODE_NOTIFY << 11, OPCODE_UPDATE << 11
PEER, STRANGER = (Client(socket.inet_aton(address), 4_000) for address in ("192.0.2.53", "198.51.100.1"))
SOA_DATA = b"\0\0" + (77).to_bytes(4) + bytes(16)
ZONE = "example.com."
PLAIN = query(ZONE, "SOA").wire[12:]


@pytest.fixture(scope="module")
def open_view(tree: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ServingView:
    """The configuration, with a network that may notify and update."""
    folder = tmp_path_factory.mktemp("open")
    entry = [{"network": "192.0.2.0/24"}]
    settings = {**tree["settings"], "access": {"notify": entry, "update": entry}}
    return compiled_view(parse({**tree, "settings": settings}, folder).configuration, folder)


def ask(view: ServingView, wire: bytes, client: Client = PEER, road: Road | None = None) -> Reply | None:
    """Return the reply at once, None where there is none; both paths give the same, or the fast one leaves it."""
    reply = respond(view, wire, client, Transport.UDP, 1_000_000, 0, road)
    known = view.columns, view.table.columns, view.region_index, 0, 0, view.signature_columns, view.heard
    server = Server(*known)
    server.incoming, server.outgoing = memoryview(wire), memoryview(bytearray(2048))
    size = serve(server, 0, len(wire), 0)
    assert size == DEFERRED or bytes(server.outgoing[:size]) == reply
    return None if reply is None else Reply(reply)


def asking(
    flags: int, *records: bytes, name: str = ZONE, rtype: str = "SOA", counts: tuple[int, ...] = (0, 0, 0)
) -> bytes:
    """Return a message of an opcode about a zone."""
    return b"".join((header(flags, (1, *counts)), question(name, rtype), *records))


@pytest.mark.parametrize("flags", [NOTIFY, UPDATE])
@pytest.mark.parametrize(
    ("case", "rcode", "ede"),
    [
        ({"name": "static.example.com."}, "NOTAUTH", 20),
        ({"name": "elsewhere.test."}, "NOTAUTH", 20),
        ({"rtype": "A"}, "FORMERR", None),
        ({"counts": (1, 0, 1)}, "FORMERR", None),
    ],
)
def test_what_is_wrong_for_everybody(
    open_view: ServingView, flags: int, case: dict[str, Any], rcode: str, ede: int | None
) -> None:
    counts = case.pop("counts", (0, 0, 1))
    for client in (PEER, STRANGER):
        road = Road()
        reply = ask(open_view, asking(flags, opt(), counts=counts, **case), client, road)
        assert reply is not None and reply.rcode == rcode and not reply.aa
        assert [int(option.code) for option in reply.message.options if ede is not None] == ([ede] if ede else [])
        assert road.update is None and road.notice is None
    case["counts"] = counts


@pytest.mark.parametrize("flags", [NOTIFY, UPDATE])
def test_strangers_are_refused_and_told_why(open_view: ServingView, flags: int) -> None:
    road = Road()
    reply = ask(open_view, asking(flags, opt(), counts=(0, 0, 1)), STRANGER, road)
    assert reply is not None and reply.rcode == "REFUSED" and not reply.aa
    assert [int(option.code) for option in reply.message.options] == [EDE_PROHIBITED]
    assert reply.flags & 0x7800 == flags
    assert road.update is None and road.notice is None


@pytest.mark.parametrize("flags", [NOTIFY, UPDATE])
def test_nobody_may_by_default(view: ServingView, flags: int) -> None:
    reply = ask(view, asking(flags))
    assert reply is not None and reply.rcode == "NOTIMP"


def test_another_number_of_zones_than_one(open_view: ServingView) -> None:
    for flags in (NOTIFY, UPDATE):
        for counts in ((0, 0, 0, 0), (2, 0, 0, 0)):
            reply = ask(open_view, header(flags, counts) + PLAIN * counts[0])
            assert reply is not None and reply.rcode == "FORMERR"


def test_a_notify_is_answered_and_leaves_a_notice(open_view: ServingView) -> None:
    road = Road()
    wire = asking(NOTIFY | 0x0400, record(ZONE, "SOA", SOA_DATA), name="EXAMPLE.com.", counts=(1, 0, 0))
    reply = ask(open_view, wire, PEER, road)
    assert reply is not None and reply.rcode == "NOERROR" and reply.aa and reply.flags & 0x7800 == NOTIFY
    assert road.notice == (encode_canonical(ZONE), 0, 77, PEER.address, b"")
    without = Road()
    ask(open_view, asking(NOTIFY), PEER, without)
    assert without.notice is not None and without.notice.serial is None


def test_an_update_is_answered_later(open_view: ServingView) -> None:
    records = record("new.example.com.", "A", bytes(4)), record("old.example.com.", "ANY", b"", 255), opt()
    wire = asking(UPDATE, *records, counts=(0, 2, 1))
    road = Road()
    assert ask(open_view, wire, PEER, road) is None
    asked = road.update
    assert isinstance(asked, Exchange) and asked.datagram == wire and asked.message.counts == (0, 2, 1)
    assert road.zone == open_view.zones_above(0, encode_canonical(ZONE))[0]
    reply = Reply(finish(asked, Answer(REFUSED, is_authoritative=False, ede=EDE_PROHIBITED, ede_text="not today")))
    assert reply.rcode == "REFUSED" and reply.message.options[0].text == "not today"
    assert Reply(finish(asked, Answer())).rcode == "NOERROR"


def test_serials_of_malformed_records_are_none() -> None:
    """RFC 1995 and 1996: the first SOA says it; data that is no SOA's says nothing."""
    for data in (b"", SOA_DATA[:-1], SOA_DATA + b"\0", b"\x3f" + SOA_DATA[1:]):
        wire = asking(NOTIFY, record(ZONE, "SOA", data), counts=(1, 0, 0))
        read = decode(wire, {OPCODE_NOTIFY})
        assert isinstance(read, Message) and read.serial is None


def test_a_query_with_the_sections_of_an_update_stays_malformed(open_view: ServingView, tmp_path: Path) -> None:
    wire = asking(0, record(ZONE, "SOA", SOA_DATA), counts=(1, 0, 0))
    reply = ask(open_view, wire)
    assert reply is not None and reply.rcode == "FORMERR"
