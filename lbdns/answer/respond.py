"""The road of a query on the slow path, from datagram to datagram.

    decode -> BEFORE (reject early) -> by opcode:
        QUERY for a zone's content: access -> a stream on the road (asked_transfer.py)
        QUERY: view of -> match (HIT, NODATA, NXDOMAIN, REFERRAL, CNAME, DNAME, STEERED)
               -> decide if STEERED -> answer -> prove -> sign -> AFTER (settle the ECS scope) -> render
        NOTIFY, UPDATE: which zone -> access -> a notice on the road, or what is to be changed (opcodes.py)

BEFORE and AFTER are lists: what guards requests or looks at answers is one more entry; OPCODES has a row an opcode.
Pure: time and randomness come in as numbers. Packets are values: nothing that a client sends makes `respond` raise.
What takes longer than a reply takes leaves by the road: `stream` and `update` of it have no reply here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from lbdns.answer.answer import Road, answer_client
from lbdns.answer.asked_transfer import TRANSFER_TYPES, ask_transfer
from lbdns.answer.exchange import Exchange
from lbdns.answer.opcodes import take_notify, take_update
from lbdns.answer.prove import prove
from lbdns.answer.render import render, render_refusal
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.reply_cookie import settle_cookie
from lbdns.answer.serving_view import ServingView
from lbdns.answer.sign import sign
from lbdns.answer.steered import make_query
from lbdns.answer.zone_expiry import expire_s
from lbdns.dns.codes import (
    BADVERS,
    CLASS_IN,
    EDE_INVALID_QUERY_TYPE,
    EDE_NOT_AUTHORITATIVE,
    FORMERR,
    NOERROR,
    NOTAUTH,
    OPCODE_NOTIFY,
    OPCODE_QUERY,
    OPCODE_UPDATE,
    OPTION_EXPIRE,
    REFUSED,
    TYPE_NXNAME,
    TYPE_OPT,
    TYPE_SOA,
    TYPE_TKEY,
    TYPE_TSIG,
)
from lbdns.dns.message import Refusal, decode

# Types that ask for no data of a zone: they mean something elsewhere in a message, or to other protocols.
UNASKABLE_TYPES = frozenset({0, TYPE_OPT, TYPE_TKEY, TYPE_TSIG, TYPE_NXNAME})


def respond(
    view: ServingView,
    datagram: bytes,
    client: Client,
    transport: Transport,
    now_s: int,
    draw: int,
    road: Road | None = None,
    unix_s: int = 0,
    listener_view: int = 0,
) -> bytes | None:
    """Return the reply to a datagram, or None where it gets none, or none at once: the road says what becomes of it.

    `now_s`: of CLOCK_MONOTONIC; `draw`: 64 random bits, from which every random choice of this reply follows;
    `road`: filled with the way to the answer, for whoever counts; `unix_s`: the time of day, by which signatures hold;
    `listener_view`: the number of the view that who asks at this listener is in, 0 for none.
    """
    if client.port == 0:
        return None
    message = decode(datagram, view.opcodes)
    if message is None:
        return None
    road = road or Road()
    judgement = view.judge(datagram, message.signature, unix_s)
    road.is_signed = judgement.seal is not None and judgement.error == NOERROR
    cookie = settle_cookie(view, message.edns, client, unix_s)
    road.cookie = cookie.standing
    if isinstance(message, Refusal):
        rcode = NOERROR if message.is_for_cookie and cookie.octets else message.rcode
        seal = None if judgement.error else judgement.seal
        return render_refusal(message, rcode, transport, view.nsid, seal, cookie.octets)
    subnet = message.edns.client_subnet if message.edns else None
    exchange = Exchange(
        message, subnet, client, transport, view, now_s, judgement, listener_view, datagram, draw, unix_s, cookie.octets
    )
    for guard in BEFORE:
        reply = guard(exchange)
        if reply is not None:
            break
    else:
        reply = OPCODES[message.opcode](exchange, road)
    return None if reply is None else finish(exchange, reply)


def finish(exchange: Exchange, reply: Answer) -> bytes:
    """Return the bytes of the answer to a request, at once or later."""
    for settle in AFTER:
        reply = settle(exchange, reply)
    judgement = exchange.judgement
    # An error that was found before the signature's is not signed by whoever may not be who he says he is.
    seal = judgement.seal if judgement.error == reply.tsig_error else None
    return render(exchange.message, reply, exchange.transport, exchange.view.nsid, seal, exchange.cookie)


def ask_zones(exchange: Exchange, road: Road) -> Answer | None:
    """Return what the zones and load balancers served here have to say: answered, then proved and signed where that is
    wanted; None where the road has more than an answer."""
    message, view = exchange.message, exchange.view
    if message.qtype in TRANSFER_TYPES:
        return ask_transfer(exchange, road)
    if message.edns is not None and message.edns.dnssec_ok:
        road.dnssec_ok, road.compact_ok = True, message.edns.compact_ok
    query = make_query(exchange.client, exchange.client_subnet, exchange.now_s, exchange.draw)
    known = exchange.known_view
    may_ask = partial(may_ask_zone, exchange) if view.limits_queries else None
    reply = answer_client(
        view, known, message.qname, message.qname_asked, message.qtype, query, exchange.transport, road, may_ask
    )
    if not reply.is_signed and not road.lacking:
        return reply
    prove(view, reply, road, message.qtype)
    return sign(view, reply, road)


def may_ask_zone(exchange: Exchange, zone: int) -> bool:
    """Return whether who sent a query may ask a zone (`access.query`)."""
    view = exchange.view
    return view.access.judge("query", view.apex(zone), exchange.client.address, exchange.judgement)


def reject_early(exchange: Exchange) -> Answer | None:
    """Return the error of a request that no zone needs to be asked about, None where it may go on.

    | case | RCODE |
    |---|---|
    | EDNS version over 0 | BADVERS |
    | signed, with a MAC of a length that none has | FORMERR |
    | signed, and not well, save an UPDATE that is forwarded | NOTAUTH, with a TSIG error |
    | a query in another class than IN | REFUSED |
    | type 0, OPT, TKEY, TSIG, NXNAME | FORMERR (NXNAME with EDE 30) |
    """
    message = exchange.message
    if message.edns is not None and message.edns.version > 0:
        return Answer(BADVERS, is_authoritative=False)
    if exchange.judgement.is_malformed:
        return Answer(FORMERR, is_authoritative=False)
    if exchange.judgement.error and not _is_forwarded(exchange):
        return Answer(NOTAUTH, is_authoritative=False, tsig_error=exchange.judgement.error)
    if message.opcode != OPCODE_QUERY:
        return None
    if message.qclass != CLASS_IN:
        return Answer(REFUSED, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
    if message.qtype in UNASKABLE_TYPES:
        ede = EDE_INVALID_QUERY_TYPE if message.qtype == TYPE_NXNAME else None
        return Answer(FORMERR, is_authoritative=False, ede=ede)
    return None


def _is_forwarded(exchange: Exchange) -> bool:
    """Return whether a request is for another server, which judges its signature (RFC 2136 section 6)."""
    message = exchange.message
    return message.opcode == OPCODE_UPDATE and exchange.view.access.is_forwarded(message.qname)


def settle_scope(exchange: Exchange, reply: Answer) -> Answer:
    """Return the answer with scope 0 where no client's network was told, or one of 0 bits (RFC 7871 section 7.2.1)."""
    subnet = exchange.client_subnet
    if subnet is None or subnet.source == 0:
        reply.scope = 0
    return reply


def tell_expiry(exchange: Exchange, reply: Answer) -> Answer:
    """Return the answer with how long the zone still holds, where its SOA was asked for (RFC 7314 section 3)."""
    edns = exchange.message.edns
    if edns is not None and OPTION_EXPIRE in edns.options and reply.answer and reply.answer[0].type == TYPE_SOA:
        found = exchange.zone_at()
        if found is not None:
            reply.expire_s = expire_s(exchange.view, found[0], exchange.unix_s)
    return reply


OPCODES: Final[Mapping[int, Callable[[Exchange, Road], Answer | None]]] = {
    OPCODE_QUERY: ask_zones,
    OPCODE_NOTIFY: take_notify,
    OPCODE_UPDATE: take_update,
}
"""What answers each opcode that messages may have (`ServingView.opcodes`); None where the road has what follows."""
BEFORE: Final[tuple[Callable[[Exchange], Answer | None], ...]] = (reject_early,)
"""Asked in this order before any zone is; the first that has an answer gives it, and no zone is asked."""
AFTER: Final[tuple[Callable[[Exchange, Answer], Answer], ...]] = (settle_scope, tell_expiry)
"""Each gets the answer, whoever gave it, and returns what takes its place."""
