"""The road of a query on the slow path, from datagram to datagram.

    decode -> BEFORE (reject early) -> view of -> match (HIT, NODATA, NXDOMAIN, REFERRAL, CNAME, DNAME, STEERED)
           -> decide if STEERED -> answer -> prove -> sign -> AFTER (settle the ECS scope) -> render

BEFORE and AFTER are lists: what guards queries or looks at answers is one more entry. Pure: time and randomness come in
as numbers. Packets are values: nothing that a client sends makes `respond` raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lbdns.answer.answer import Road, answer_client
from lbdns.answer.prove import prove
from lbdns.answer.render import render, render_refusal
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.sign import sign
from lbdns.answer.steered import make_query
from lbdns.dns.codes import (
    BADVERS,
    CLASS_IN,
    EDE_INVALID_QUERY_TYPE,
    EDE_NOT_AUTHORITATIVE,
    FORMERR,
    NOTAUTH,
    REFUSED,
    TYPE_AXFR,
    TYPE_IXFR,
    TYPE_NXNAME,
    TYPE_OPT,
    TYPE_TKEY,
    TYPE_TSIG,
)
from lbdns.dns.message import Message, Refusal, decode
from lbdns.dns.options.client_subnet import ClientSubnet
from lbdns.dns.tsig import Judgement

# Types that ask for no data of a zone: they mean something elsewhere in a message, or to other protocols.
UNASKABLE_TYPES = frozenset({0, TYPE_OPT, TYPE_TKEY, TYPE_TSIG, TYPE_NXNAME})


class Exchange(NamedTuple):
    """One query that could be read: what it says, for which network of clients, who sent it and how, the view that
    answers it, when (seconds of CLOCK_MONOTONIC), what is said of its signature, and the number of the view that its
    listener is of, 0 for none."""

    message: Message
    client_subnet: ClientSubnet | None
    client: Client
    transport: Transport
    view: ServingView
    now_s: int
    judgement: Judgement
    listener_view: int


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
    """Return the reply to a datagram, or None where it gets none.

    `now_s`: of CLOCK_MONOTONIC; `draw`: 64 random bits, from which every random choice of this reply follows;
    `road`: filled with the way to the answer, for whoever counts; `unix_s`: the time of day, by which signatures hold;
    `listener_view`: the number of the view that who asks at this listener is in, 0 for none.
    """
    if client.port == 0:
        return None
    message = decode(datagram)
    if message is None:
        return None
    judgement = view.judge(datagram, message.signature, unix_s)
    if isinstance(message, Refusal):
        return render_refusal(message, transport, view.nsid, None if judgement.error else judgement.seal)
    subnet = message.edns.client_subnet if message.edns else None
    exchange = Exchange(message, subnet, client, transport, view, now_s, judgement, listener_view)
    for guard in BEFORE:
        reply = guard(exchange)
        if reply is not None:
            break
    else:
        reply = ask_zones(exchange, draw, road or Road())
    for settle in AFTER:
        reply = settle(exchange, reply)
    # An error that was found before the signature's is not signed by whoever may not be who he says he is.
    seal = judgement.seal if judgement.error == reply.tsig_error else None
    return render(message, reply, transport, view.nsid, seal)


def ask_zones(exchange: Exchange, draw: int, road: Road) -> Answer:
    """Return what the zones and load balancers served here have to say: answered, then proved and signed where that is
    wanted."""
    message, view = exchange.message, exchange.view
    if message.edns is not None and message.edns.dnssec_ok:
        road.dnssec_ok, road.compact_ok = True, message.edns.compact_ok
    query = make_query(exchange.client, exchange.client_subnet, exchange.now_s, draw)
    # A key says who somebody is wherever he asks.
    known = exchange.judgement.view or exchange.listener_view
    reply = answer_client(
        view, known, message.qname, message.qname_asked, message.qtype, query, exchange.transport, road
    )
    if not reply.is_signed and not road.lacking:
        return reply
    prove(view, reply, road, message.qtype)
    return sign(view, reply, road)


def reject_early(exchange: Exchange) -> Answer | None:
    """Return the error of a query that no zone needs to be asked about, None where it may go on.

    | case | RCODE |
    |---|---|
    | EDNS version over 0 | BADVERS |
    | signed, with a MAC of a length that none has | FORMERR |
    | signed, and not well | NOTAUTH, with a TSIG error |
    | another class than IN | REFUSED |
    | type 0, OPT, TKEY, TSIG, NXNAME | FORMERR (NXNAME with EDE 30) |
    | AXFR, IXFR | REFUSED |
    """
    message = exchange.message
    if message.edns is not None and message.edns.version > 0:
        return Answer(BADVERS, is_authoritative=False)
    if exchange.judgement.is_malformed:
        return Answer(FORMERR, is_authoritative=False)
    if exchange.judgement.error:
        return Answer(NOTAUTH, is_authoritative=False, tsig_error=exchange.judgement.error)
    if message.qclass != CLASS_IN:
        return Answer(REFUSED, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
    if message.qtype in UNASKABLE_TYPES:
        ede = EDE_INVALID_QUERY_TYPE if message.qtype == TYPE_NXNAME else None
        return Answer(FORMERR, is_authoritative=False, ede=ede)
    if message.qtype in (TYPE_AXFR, TYPE_IXFR):
        return Answer(REFUSED, is_authoritative=False)
    return None


def settle_scope(exchange: Exchange, reply: Answer) -> Answer:
    """Return the answer with scope 0 where no client's network was told, or one of 0 bits (RFC 7871 section 7.2.1)."""
    subnet = exchange.client_subnet
    if subnet is None or subnet.source == 0:
        reply.scope = 0
    return reply


BEFORE: Final[tuple[Callable[[Exchange], Answer | None], ...]] = (reject_early,)
"""Asked in this order before any zone is; the first that has an answer gives it, and no zone is asked."""
AFTER: Final[tuple[Callable[[Exchange, Answer], Answer], ...]] = (settle_scope,)
"""Each gets the answer, whoever gave it, and returns what takes its place."""
