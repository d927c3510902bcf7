"""What becomes of a NOTIFY and an UPDATE: whether who sent it may, and where it goes on then.

| case | RCODE |
|---|---|
| another type than SOA beside the zone's name (RFC 2136 section 3.1.1) | FORMERR |
| no zone here has that name, and class IN (RFC 2136 section 3.1.2) | NOTAUTH |
| the zone's access does not let it in | REFUSED, EDE 18 |
| a NOTIFY that it lets in | NOERROR, and the road has a notice |
| an UPDATE that it lets in | the road has it, the answer comes later |
"""

from __future__ import annotations

from typing import Final

from lbdns.answer.answer import Road
from lbdns.answer.exchange import Exchange
from lbdns.answer.reply import Answer
from lbdns.answer.zone_stream import ZoneNotice
from lbdns.dns.codes import CLASS_IN, EDE_NOT_AUTHORITATIVE, EDE_PROHIBITED, FORMERR, NOTAUTH, REFUSED, TYPE_SOA

UPDATE_RIGHT: Final = "update"
NOTIFY_RIGHT: Final = "notify"


def take_notify(exchange: Exchange, road: Road) -> Answer:
    """Return the reply to a NOTIFY, and note on the road what it told (RFC 1996 section 3)."""
    refusal = _refuse(exchange, road)
    if refusal is not None:
        return refusal
    message, judgement = exchange.message, exchange.judgement
    if not exchange.view.access.judge(NOTIFY_RIGHT, message.qname, exchange.client.address, judgement):
        return prohibited()
    road.notice = ZoneNotice(message.qname, road.view, message.serial, exchange.client.address, judgement.key)
    return Answer()


def take_update(exchange: Exchange, road: Road) -> Answer | None:
    """Return the error that an UPDATE gets at once, None where it is on the road to who changes the zone (RFC 2136
    section 3)."""
    refusal = _refuse(exchange, road)
    if refusal is not None:
        return refusal
    if not exchange.view.access.judge(
        UPDATE_RIGHT, exchange.message.qname, exchange.client.address, exchange.judgement
    ):
        return prohibited()
    road.update = exchange
    return None


def _refuse(exchange: Exchange, road: Road) -> Answer | None:
    """Return the error of a request that names no zone of this server; note on the road which one it names."""
    if exchange.message.qtype != TYPE_SOA:
        return Answer(FORMERR, is_authoritative=False)
    found = exchange.zone_at() if exchange.message.qclass == CLASS_IN else None
    if found is None:
        return Answer(NOTAUTH, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
    road.zone, road.view = found
    return None


def prohibited() -> Answer:
    """Return the reply to who may not do what he asks for (RFC 8914 section 4.19)."""
    return Answer(REFUSED, is_authoritative=False, ede=EDE_PROHIBITED)
