"""Signatures of what is signed as it is asked for: looked up, and where there are none yet, said to be lacking."""

from __future__ import annotations

from lbdns.answer.answer import Road, signatures_of
from lbdns.answer.reply import Answer, Records
from lbdns.answer.serving_view import ServingView
from lbdns.dns.codes import EDE_NOT_READY, SERVFAIL
from lbdns.dnssec.unsigned import Unsigned


def sign(view: ServingView, reply: Answer, road: Road) -> Answer:
    """Return an answer with the signatures that it is still without, or a failure where one of them would have to be
    made first, of what `road.lacking` says: who wants signatures never gets an answer without."""
    if reply.is_signed:
        for section in (reply.answer, reply.authority):
            for index, records in enumerate(section):
                if records.signed_ttl is not None:
                    signatures = signatures_of(view, road.matches[0].zone, road, unsigned_of(reply, records, road))
                    section[index] = records._replace(signatures=signatures)
    if road.lacking:
        return Answer(SERVFAIL, is_authoritative=False, scope=reply.scope, ede=EDE_NOT_READY)
    return reply


def unsigned_of(reply: Answer, records: Records, road: Road) -> Unsigned:
    """Return what is signed of records."""
    owner = (records.owner or road.matches[0].name).lower()
    ttl = records.ttl if records.signed_ttl is None else records.signed_ttl
    return Unsigned(reply.apex, owner, records.type, ttl, records.rdatas)
