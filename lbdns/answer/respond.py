"""START HERE: the road of a query, from datagram to datagram.

    decode -> reject early -> match (HIT, NODATA, NXDOMAIN, REFERRAL, CNAME, DNAME, STEERED) -> decide if STEERED
           -> answer -> render

Pure: time and randomness come in as numbers. Packets are values: nothing that a client sends makes `respond` raise.
"""

from __future__ import annotations

from lbdns.answer.answer import Road, answer
from lbdns.answer.render import render, render_refusal, render_unknown_key
from lbdns.answer.reply import Answer, Client, Transport
from lbdns.answer.serving_view import ServingView
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
) -> bytes | None:
    """Return the reply to a datagram, or None where it gets none.

    `now_s`: unix seconds; `draw`: 64 random bits, from which every random choice of this reply follows;
    `road`: filled with the way to the answer, for whoever counts.
    """
    if client.port == 0:
        return None
    message = decode(datagram)
    if message is None:
        return None
    nsid = view.nsid
    if isinstance(message, Refusal):
        return render_refusal(message, transport, nsid)
    early = reject_early(message)
    if early is not None:
        if early.rcode == NOTAUTH:
            return render_unknown_key(message, NOTAUTH, transport, nsid)
        return render(message, early, transport, nsid)
    subnet = message.edns.client_subnet if message.edns else None
    query = make_query(client, subnet, now_s, draw)
    reply = answer(view, message.qname, message.qname_asked, message.qtype, query, transport, road or Road())
    if subnet is None or subnet.source == 0:
        reply.scope = 0
    return render(message, reply, transport, nsid)


def reject_early(message: Message) -> Answer | None:
    """Return the error of a query that no zone needs to be asked about, None where it may go on.

    | case | RCODE |
    |---|---|
    | EDNS version over 0 | BADVERS |
    | signed: nobody has keys here | NOTAUTH, TSIG error BADKEY |
    | another class than IN | REFUSED |
    | type 0, OPT, TKEY, TSIG, NXNAME | FORMERR (NXNAME with EDE 30) |
    | AXFR, IXFR | REFUSED |
    """
    if message.edns is not None and message.edns.version > 0:
        return Answer(BADVERS, is_authoritative=False)
    if message.signature is not None:
        return Answer(NOTAUTH, is_authoritative=False)
    if message.qclass != CLASS_IN:
        return Answer(REFUSED, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
    if message.qtype in UNASKABLE_TYPES:
        ede = EDE_INVALID_QUERY_TYPE if message.qtype == TYPE_NXNAME else None
        return Answer(FORMERR, is_authoritative=False, ede=ede)
    if message.qtype in (TYPE_AXFR, TYPE_IXFR):
        return Answer(REFUSED, is_authoritative=False)
    return None
