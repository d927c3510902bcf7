"""From what a look-up matched to an answer: chains followed, referrals, negative answers, additional data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from lbdns.answer.exchange import Exchange
from lbdns.answer.match import MADE_TYPES, Match, MatchKind, is_signed_as_asked, match
from lbdns.answer.reply import ASKED, Answer, Records, Transport
from lbdns.answer.serving_view import ServingView
from lbdns.answer.signing_types import take_made
from lbdns.answer.steered import records_of, steer
from lbdns.answer.zone_stream import ZoneNotice, ZoneStream
from lbdns.dns.codes import (
    ADDITIONAL_NAMES_MAX,
    EDE_NOT_AUTHORITATIVE,
    EDE_NOT_READY,
    EDE_PROHIBITED,
    NAME_BYTES_MAX,
    NXDOMAIN,
    REFUSED,
    SERVFAIL,
    TYPE_ANY,
    TYPE_CNAME,
    TYPE_DNAME,
    TYPE_NS,
    TYPE_NSEC,
    YXDOMAIN,
)
from lbdns.dns.minimal_any import ANY_RDATA, ANY_TTL_S, ANY_TYPE
from lbdns.dns.name import WILDCARD_LABEL, is_at_or_below
from lbdns.dns.rdata.record_types import ADDRESS_TYPES, NAME_OFFSETS, types_where
from lbdns.dns.zone import RRset
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.counter_words import COOKIE_NONE
from lbdns.snapshot.lookup.look_up import directory_of, has_load_balancer
from lbdns.snapshot.lookup.name_rows import NAME_OCCLUDED
from lbdns.snapshot.lookup.view_of import view_of
from lbdns.steering.kernel.view import Decision, Query

CHAIN_HOPS_MAX = 16
ANY_RECORDS = Records(ASKED, ANY_TYPE, ANY_TTL_S, (ANY_RDATA,), signed_ttl=ANY_TTL_S)
TARGET_OFFSETS = {number: NAME_OFFSETS[number] for number in types_where(lambda row: row.points_to_host)}


NO_ZONE: Final = -1


@dataclass(slots=True)
class Road:
    """The way to one answer: the number of the view it is given in, every match on it, and the decision at its end
    where a load balancer stands there.

    Where a client asks: his query, the number of the view that key or listener said, and the ECS scope.

    `dnssec_ok`, `compact_ok`: whether he wants DNSSEC's records, and takes NXDOMAIN with a compact denial (RFC 9824
    section 5.1). `falls_back`: whether what a zone's chain can prove is left to it where a signature would have to be
    made. `lacking`: what would have to be signed, for want of which there is no answer; `given`: the RRSIG data that
    was then made of some. `now_s`: of CLOCK_MONOTONIC. `cookie`: how the query's cookie stands (COOKIE_* of
    mapped/counter_words.py); `is_signed`: the query is signed, and well; `is_barred`: who asks may not ask the zone.
    """

    matches: list[Match] = field(default_factory=list)
    decision: Decision | None = None
    view: int = 0
    query: Query | None = None
    known_view: int = 0
    scope: int = 0
    dnssec_ok: bool = False
    compact_ok: bool = False
    falls_back: bool = False
    lacking: list[Unsigned] = field(default_factory=list)
    given: Mapping[Unsigned, tuple[bytes, ...]] = field(default_factory=dict)
    now_s: int = 0
    stream: ZoneStream | None = None
    update: Exchange | None = None
    notice: ZoneNotice | None = None
    zone: int = NO_ZONE
    cookie: int = COOKIE_NONE
    is_signed: bool = False
    is_barred: bool = False


def answer_client(
    view: ServingView,
    known: int,
    name: bytes,
    asked: bytes,
    qtype: int,
    query: Query,
    transport: Transport,
    road: Road,
    may_ask: Callable[[int], bool] | None = None,
) -> Answer:
    """Return the answer for a name to whom a query is from: what the view shows that they are in, with the ECS scope
    that this takes.

    `known`: the number of the view that the query's key or listener is of, 0 for none; `may_ask`: whether they may ask
    a zone, where that is not so of all. The rest: as in `answer`.
    """
    seen = view_of(view.steering, query, known)
    road.view, road.query, road.known_view = seen >> 8, query, known
    if may_ask is not None:
        found = match(view, directory_of(road.view), name, qtype)
        road.is_barred = found.kind is not MatchKind.OUT_OF_ZONE and not may_ask(found.zone)
    if road.is_barred:
        reply = Answer(REFUSED, is_authoritative=False, ede=EDE_PROHIBITED)
    else:
        reply = answer(view, directory_of(road.view), name, asked, qtype, query, transport, road)
    road.scope = reply.scope = max(reply.scope, seen & 0xFF)
    return reply


def answer(
    view: ServingView,
    directory: int,
    name: bytes,
    asked: bytes,
    qtype: int,
    query: Query | None,
    transport: Transport,
    road: Road,
) -> Answer:
    """Return the answer for a name (`asked`: as the client spelled it) in the zones of a directory, and note the way to
    it in `road`.

    CNAME and DNAME are followed within the first zone, at most CHAIN_HOPS_MAX times; what stands at the end gives the
    RCODE, what stood at the beginning the AA bit (RFC 6604 section 2). Without a `query` nothing is decided, and a load
    balancer has no records.
    """
    reply = Answer()
    road.now_s = query.now_s if query else 0
    owner, spelled = ASKED, asked
    first_zone: int | None = None
    seen: set[bytes] = set()
    for _ in range(CHAIN_HOPS_MAX + 1):
        found = match(view, directory, name, qtype)
        if first_zone is None:
            first_zone = found.zone
            if found.kind is MatchKind.OUT_OF_ZONE:
                road.matches.append(found)
                return Answer(REFUSED, is_authoritative=False, ede=EDE_NOT_AUTHORITATIVE)
            if found.kind is MatchKind.UNREADY:
                road.matches.append(found)
                return Answer(SERVFAIL, is_authoritative=False, ede=EDE_NOT_READY)
            _begin(view, first_zone, reply, road)
        if found.kind is MatchKind.OUT_OF_ZONE or found.zone != first_zone or name in seen:
            return reply
        seen.add(name)
        road.matches.append(found)
        target = _take(view, found, owner, spelled, qtype, query, transport, reply, road)
        if target is None:
            return reply
        owner, spelled, name = target, target, target.lower()
    return reply


def answer_beyond(view: ServingView, directory: int, target: bytes, qtype: int, road: Road) -> Answer:
    """Return what `answer` adds after a CNAME record of a load balancer that leads to `target` in its zone."""
    reply = Answer(answer=[Records(ASKED, TYPE_CNAME, 0, (target,), is_plain=True)])
    name = target
    for _ in range(CHAIN_HOPS_MAX):
        found = match(view, directory, name, qtype)
        if found.kind in (MatchKind.OUT_OF_ZONE, MatchKind.UNREADY) or (
            road.matches and found.zone != road.matches[0].zone
        ):
            break
        _begin(view, found.zone, reply, road)
        road.matches.append(found)
        after = _take(view, found, target, target, qtype, None, Transport.UDP, reply, road)
        if after is None:
            break
        target, name = after, after.lower()
    del reply.answer[0]
    return reply


def find_signatures(view: ServingView, zone: int, road: Road, unsigned: Unsigned) -> tuple[bytes, ...] | None:
    """Return the RRSIG data over what is signed as it is asked for, None where it has yet to be signed."""
    given = road.given.get(unsigned)
    return view.find_signatures(zone, unsigned, road.now_s) if given is None else given


def signatures_of(view: ServingView, zone: int, road: Road, unsigned: Unsigned) -> tuple[bytes, ...]:
    """Return the same; none where it has yet to be signed, which `road` then says."""
    signatures = find_signatures(view, zone, road, unsigned)
    if signatures is None:
        road.lacking.append(unsigned)
        return ()
    return signatures


def _begin(view: ServingView, zone: int, reply: Answer, road: Road) -> None:
    reply.apex = view.apex(zone)
    if road.dnssec_ok:
        reply.is_signed = view.is_signed(zone)


def _take(
    view: ServingView,
    found: Match,
    owner: bytes,
    spelled: bytes,
    qtype: int,
    query: Query | None,
    transport: Transport,
    reply: Answer,
    road: Road,
) -> bytes | None:
    """Put what one match gives into the reply; return the name that the chain goes on to, if it does.

    `owner` is what the records stand under, `spelled` the same name written out.
    """
    if qtype in MADE_TYPES:
        signatures = partial(signatures_of, view, found.zone, road)
        if take_made(view, found, owner, qtype, reply, signatures):
            return None
    if found.kind is MatchKind.REFERRAL:
        _refer(view, found, reply)
    elif found.kind is MatchKind.STEERED:
        return _take_steered(view, found, owner, qtype, query, reply, road)
    elif found.kind is MatchKind.HIT:
        _take_records(view, found, owner, qtype, transport, reply)
    elif found.kind is MatchKind.CNAME:
        reply.answer.append(_records(view, found, found.rrsets[0], owner, reply))
        return found.rrsets[0].rdatas[0]
    elif found.kind is MatchKind.DNAME:
        target = _take_dname(found, owner, spelled, reply)
        # The synthesised CNAME is what a query for CNAME wants, and ANY is not followed.
        return None if qtype in (TYPE_CNAME, TYPE_ANY) else target
    else:
        if found.kind is MatchKind.NXDOMAIN:
            reply.rcode = NXDOMAIN
        _deny(view, found.zone, reply)
    return None


def _records(view: ServingView, found: Match, rrset: RRset, owner: bytes, reply: Answer) -> Records:
    """Return the records that answer under a name, signed where that is wanted."""
    if not reply.is_signed:
        return Records(owner, rrset.type, rrset.ttl, rrset.rdatas)
    signed_ttl = rrset.ttl if is_signed_as_asked(view, found) else None
    return Records(owner, rrset.type, rrset.ttl, rrset.rdatas, signatures=rrset.signatures, signed_ttl=signed_ttl)


def _own_records(rrset: RRset, is_signed: bool, is_apart: bool = False) -> Records:
    """Return records under their own name, signed where that is wanted."""
    signatures = rrset.signatures if is_signed else ()
    return Records(rrset.owner, rrset.type, rrset.ttl, rrset.rdatas, is_apart=is_apart, signatures=signatures)


def _deny(view: ServingView, zone: int, reply: Answer, ttl_max_s: int | None = None) -> None:
    """Give the zone's SOA, whose TTL is how long the answer holds (RFC 2308 section 5): at most `ttl_max_s`."""
    soa = view.negative(zone)
    ttl_s = soa.ttl if ttl_max_s is None else min(soa.ttl, ttl_max_s)
    signatures = soa.signatures if reply.is_signed else ()
    reply.authority.append(Records(soa.owner, soa.type, ttl_s, soa.rdatas, signatures=signatures))


def _take_steered(
    view: ServingView, found: Match, owner: bytes, qtype: int, query: Query | None, reply: Answer, road: Road
) -> bytes | None:
    if reply.is_signed and found.name.startswith(WILDCARD_LABEL):
        # With what it gives and an NSEC record, caches would answer for every name below it (RFC 8198).
        _deny(view, found.zone, reply, 0)
        return None
    if query is None:
        _deny(view, found.zone, reply)
        return None
    decision = road.decision = steer(view, found, qtype, query)
    reply.scope = decision.scope
    records = records_of(view, owner, qtype, found.family, decision)
    if records is None:
        _deny(view, found.zone, reply, decision.ttl)
        return None
    reply.answer.append(records)
    if records.type == TYPE_CNAME:
        return None if qtype == TYPE_CNAME else records.rdatas[0]
    add_targets(view, found.zone, records, reply, is_apart=True)
    return None


def _take_records(
    view: ServingView, found: Match, owner: bytes, qtype: int, transport: Transport, reply: Answer
) -> None:
    rrsets = found.rrsets
    if qtype == TYPE_ANY:
        if has_load_balancer(view.steering, found.entry) or not rrsets:
            reply.answer.append(ANY_RECORDS)
            return
        rrsets = tuple(rrset for rrset in rrsets if rrset.type != TYPE_NSEC)
        if transport is Transport.UDP:
            rrsets = rrsets[:1]
    for rrset in rrsets:
        records = _records(view, found, rrset, owner, reply)
        _give_once(records, reply)
        add_targets(view, found.zone, records, reply)


def _give_once(records: Records, reply: Answer) -> None:
    """Add an RRset to the answer unless it stands there: the names of a chain differ, but many lie below one DNAME."""
    if records.type == TYPE_DNAME:
        owner = records.owner.lower()
        if any(given.type == TYPE_DNAME and given.owner.lower() == owner for given in reply.answer):
            return
    reply.answer.append(records)


def _take_dname(found: Match, owner: bytes, spelled: bytes, reply: Answer) -> bytes | None:
    """Give the DNAME and the CNAME that follows from it (RFC 6672 section 3.2), or YXDOMAIN where that is too long."""
    dname = found.rrsets[0]
    prefix = spelled[: len(spelled) - len(dname.owner)]
    target = prefix + dname.rdatas[0]
    _give_once(_own_records(dname, reply.is_signed), reply)
    if len(target) > NAME_BYTES_MAX:
        reply.rcode = YXDOMAIN
        return None
    reply.answer.append(Records(owner, TYPE_CNAME, dname.ttl, (target,), is_plain=True, is_synthesised=True))
    return target


def _refer(view: ServingView, found: Match, reply: Answer) -> None:
    """Send the client to the servers below a cut, with the glue without which it could not reach them (RFC 9471)."""
    servers = view.rrset(found.entry, TYPE_NS)
    if servers is None:
        raise AssertionError("a cut has NS records")
    if not reply.answer:
        reply.is_authoritative = False
    reply.authority.append(_own_records(servers, reply.is_signed))
    for target in servers.rdatas:
        name = target.lower()
        section = reply.glue if is_at_or_below(name, servers.owner) else reply.additional
        _add_addresses(view, found.zone, name, section, reply.is_signed, occluded=True)


def add_targets(view: ServingView, zone: int, records: Records, reply: Answer, is_apart: bool = False) -> None:
    """Add the addresses of the hosts that NS, MX and SRV records name: those of our own zone, from its records."""
    offset = TARGET_OFFSETS.get(records.type)
    if offset is None:
        return
    for rdata in records.rdatas[:ADDITIONAL_NAMES_MAX]:
        _add_addresses(view, zone, rdata[offset:].lower(), reply.additional, reply.is_signed, is_apart=is_apart)


def _add_addresses(
    view: ServingView,
    zone: int,
    name: bytes,
    section: list[Records],
    is_signed: bool,
    occluded: bool = False,
    is_apart: bool = False,
) -> None:
    """Add a name's A and AAAA records, once; those below a cut only as glue (`occluded`)."""
    entry = view.find_name(zone, name)
    if entry is None or (view.name_flags(entry) & NAME_OCCLUDED and not occluded):
        return
    for rtype in ADDRESS_TYPES:
        rrset = view.rrset(entry, rtype)
        if rrset is not None and all(records.owner != name or records.type != rtype for records in section):
            section.append(_own_records(rrset, is_signed, is_apart))
