"""Response rate limiting on the slow path: what becomes of a reply over UDP, whatever its sender has had before.

It is the one thing beside health that an answer hangs on and that changes with each: so it comes after `respond`, which
knows of no other query. fastpath/limit.py does the same at speed.
"""

from __future__ import annotations

from typing import NamedTuple

from lbdns.answer.answer import Road
from lbdns.answer.match import MatchKind
from lbdns.answer.rate_table import RateTable, charge, class_of
from lbdns.answer.reply import Client
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import halves
from lbdns.dns.codes import FLAG_TC, HEADER_BYTES, OPCODE_MASK, QUESTION_TAIL_BYTES, RCODE_MASK, TYPE_OPT
from lbdns.dns.name import skip_name
from lbdns.mapped.counter_words import COOKIE_VALID
from lbdns.mapped.rate_words import LIMIT_COOKIES, NO_ZONE, RATE_DROPPED, RATE_WITHIN
from lbdns.snapshot.lookup.name_rows import NO_KIND

_RECORD_HEAD_BYTES = 10  # behind a record's owner: type, class, TTL, length
_FLAGS_AT, _RCODE_AT = 2, 3
_COUNTS_AT = 6


class Limited(NamedTuple):
    """What becomes of a reply (RATE_*), its bytes then, None where it is not sent, and the class it was counted in."""

    verdict: int
    reply: bytes | None
    answer_class: int = 0


def limit_reply(
    view: ServingView, rates: RateTable, road: Road, client: Client, reply: bytes, now_us: int, draw: int
) -> Limited:
    """Count a reply over UDP, by the road to it. `now_us`: of CLOCK_MONOTONIC; `draw`: the query's random bits."""
    limit = view.columns["rate_limit"]
    if not len(limit) or road.is_signed or (limit[LIMIT_COOKIES] and road.cookie == COOKIE_VALID):
        return Limited(RATE_WITHIN, reply)
    if int.from_bytes(reply[_FLAGS_AT : _FLAGS_AT + 2]) & OPCODE_MASK and not reply[_RCODE_AT] & RCODE_MASK:
        return Limited(RATE_WITHIN, reply)  # a NOTIFY or UPDATE of somebody who may
    kind, zone = NO_KIND, NO_ZONE
    if road.matches:
        kind, zone = road.matches[0].kind.value, road.matches[0].zone
    is_none = kind == MatchKind.STEERED.value and road.decision is not None and road.decision.pick_count == 0
    answer_class = class_of(kind, is_none)
    version = 4 if len(client.address) == 4 else 6
    verdict = charge(rates, limit, version, halves(client.address)[0], zone, answer_class, now_us, draw)
    if verdict == RATE_WITHIN:
        return Limited(verdict, reply)
    return Limited(verdict, None if verdict == RATE_DROPPED else cut_reply(reply), answer_class)


def cut_reply(reply: bytes) -> bytes:
    """Return of a reply its header, with TC, its question and its OPT record."""
    end = HEADER_BYTES
    if reply[5]:
        end = (skip_name(reply, HEADER_BYTES) or HEADER_BYTES) + QUESTION_TAIL_BYTES
    opt = _opt_of(reply, end)
    flags = int.from_bytes(reply[_FLAGS_AT:4]) | FLAG_TC
    counts = bytes(HEADER_BYTES - _COUNTS_AT - 1) + bytes((1 if opt else 0,))
    return reply[:_FLAGS_AT] + flags.to_bytes(2) + reply[4:_COUNTS_AT] + counts + reply[HEADER_BYTES:end] + opt


def _opt_of(reply: bytes, position: int) -> bytes:
    """Return the OPT record among those from `position` on, empty where there is none."""
    while position < len(reply):
        owner_end = skip_name(reply, position) or len(reply)
        data = owner_end + _RECORD_HEAD_BYTES
        end = data + int.from_bytes(reply[data - 2 : data])
        if int.from_bytes(reply[owner_end : owner_end + 2]) == TYPE_OPT:
            return reply[position:end]
        position = end
    return b""
