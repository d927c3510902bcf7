"""Zone transfers out: who may have them, and what they get (RFC 5936, RFC 1995).

| case | reply |
|---|---|
| nobody may, in any zone; or AXFR over UDP | REFUSED |
| no zone here has that name | NOTAUTH |
| the zone's access does not let them | REFUSED, EDE 18 |
| the zone is not ready, or has expired | SERVFAIL, EDE 14 |
| load balancers answer in it, and `steered` says `refuse` | REFUSED, EDE 21 |
| IXFR without the SOA that the client has | FORMERR |
| IXFR from this serial, or a newer one; any over UDP, so that the client comes over TCP | the SOA alone |
| IXFR from a serial that the journal leads on from, where that is less than the zone | what has changed |
| else | the whole zone |
"""

from __future__ import annotations

from typing import Final

from lbdns.answer.answer import Road
from lbdns.answer.exchange import Exchange
from lbdns.answer.opcodes import prohibited
from lbdns.answer.reply import ASKED, Answer, Records, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.zone_transfer import Filler, TransferStream, WholeZone, ZoneChanges
from lbdns.dns.codes import (
    EDE_NOT_AUTHORITATIVE,
    EDE_NOT_READY,
    EDE_NOT_SUPPORTED,
    FORMERR,
    NOTAUTH,
    REFUSED,
    SERVFAIL,
    TYPE_AXFR,
    TYPE_IXFR,
    TYPE_SOA,
)
from lbdns.dns.serial import is_newer
from lbdns.dns.zone import RRset
from lbdns.mapped.snapshot_file import views_of_zone
from lbdns.mapped.zone_journal import read_differences
from lbdns.snapshot.lookup.name_rows import HEARS_TRANSFER, TRANSFER_STEERED
from lbdns.snapshot.lookup.zone_walk import ContentCursor, content_octets

TRANSFER_TYPES: Final = frozenset({TYPE_AXFR, TYPE_IXFR})
TRANSFER_RIGHT: Final = "transfer"
STEERED_TOLD: Final = "load balancers answer in this zone, and its transfer.steered is refuse"
SERIAL_AT: Final = slice(-20, -16)
"""Where in the data of an SOA its serial stands."""


def ask_transfer(exchange: Exchange, road: Road) -> Answer | None:
    """Return the answer to a query for a zone's content, None where the road has the messages that it gets."""
    message, view = exchange.message, exchange.view
    is_over_udp = exchange.transport is Transport.UDP
    if not view.heard & HEARS_TRANSFER or (is_over_udp and message.qtype == TYPE_AXFR):
        return Answer(REFUSED, is_authoritative=False)
    found = exchange.zone_at()
    if found is None:
        return Answer(NOTAUTH, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
    zone, road.view = found
    road.zone = zone
    if not view.access.judge(TRANSFER_RIGHT, message.qname, exchange.client.address, exchange.judgement):
        return prohibited()
    if view.is_unready(zone):
        return Answer(SERVFAIL, is_authoritative=False, ede=EDE_NOT_READY)
    if view.columns["zone_transfer"][zone] == TRANSFER_STEERED:
        return Answer(REFUSED, is_authoritative=False, ede=EDE_NOT_SUPPORTED, ede_text=STEERED_TOLD)
    if message.qtype == TYPE_AXFR:
        road.stream = TransferStream(exchange, WholeZone(view, zone))
        return None
    return _ask_changes(exchange, road, zone)


def _ask_changes(exchange: Exchange, road: Road, zone: int) -> Answer | None:
    """Return the answer to an IXFR query that is let in."""
    view, asked_serial = exchange.view, exchange.message.serial
    if asked_serial is None:
        return Answer(FORMERR, is_authoritative=False)
    soa = _soa(view, zone)
    serial = int.from_bytes(soa.rdatas[0][SERIAL_AT])
    if exchange.transport is Transport.UDP or not is_newer(serial, asked_serial):
        return Answer(apex=soa.owner, answer=[Records(ASKED, TYPE_SOA, soa.ttl, soa.rdatas)])
    road.stream = TransferStream(exchange, find=lambda: find_changes(view, zone, asked_serial, serial))
    return None


def find_changes(view: ServingView, zone: int, from_serial: int, to_serial: int) -> Filler:
    """Return what leads from one serial of a zone to another, or the whole zone where that is less, or all there is."""
    if view.state_dir is not None:
        label = views_of_zone(view.snapshot, zone)[0]
        changes = read_differences(view.state_dir, view.apex(zone), label, from_serial, to_serial)
        if changes is not None and changes.octets < content_octets(view.steering, zone, ContentCursor()):
            return ZoneChanges(changes)
    return WholeZone(view, zone)


def _soa(view: ServingView, zone: int) -> RRset:
    soa = view.rrset(view.columns["zone_apex"][zone], TYPE_SOA)
    if soa is None:
        raise AssertionError("a zone that is ready has an SOA")
    return soa
