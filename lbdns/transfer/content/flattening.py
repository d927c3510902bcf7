"""Load balancers as records: what a client at this PoP gets that tells no network (no ECS), decided as any query is.

| where a query has a choice                        | a transfer has                                                   |
|---------------------------------------------------|------------------------------------------------------------------|
| the client's place, rules on its address          | this server's PoP, 0.0.0.0                                       |
| a draw (weights, shares that are shed)            | the middle of all draws: what most clients get, where most do    |
| the name below a wildcard                         | the wildcard itself                                              |
| a TTL that ends with a hostname's resolution      | the load balancer's                                              |
| the order of addresses                            | none                                                             |
| a CNAME where the name has other records          | the addresses that the hostname resolves to                      |

The same health gives the same records, always. A load balancer that answers nothing now has none; one at a cut, below
one or below a DNAME answers nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Final, NamedTuple

from lbdns.answer.match import Match, MatchKind
from lbdns.answer.serving_view import ServingView
from lbdns.answer.steered import steer
from lbdns.dns.codes import TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_DNAME, TYPE_NS, TYPE_NSEC, TYPE_RRSIG
from lbdns.dns.name import parent
from lbdns.dns.rdata.record_types import HIDDEN_TYPES, STEERED_TYPES
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.resolved import Family, read_addresses
from lbdns.snapshot.lookup.name_table import set_name
from lbdns.snapshot.lookup.steered_data import steered_data
from lbdns.steering.kernel.numbers import FAMILY_A, FAMILY_AAAA, FAMILY_NAMED
from lbdns.steering.kernel.view import Query

MIDDLE_DRAW: Final = 1 << 63
"""Of 64 bits."""
_FAMILIES: Final = {TYPE_A: FAMILY_A, TYPE_AAAA: FAMILY_AAAA}
_RESOLVED: Final[dict[int, Family]] = {TYPE_A: 4, TYPE_AAAA: 6}
_BESIDE_CNAME: Final = frozenset({TYPE_RRSIG, TYPE_NSEC})


class SteeredName(NamedTuple):
    """A load balancer at a name: its kind (BALANCER_TYPES), and its row in the snapshot."""

    owner: bytes
    kind: str
    row: int


class Answered(NamedTuple):
    """What a load balancer answers: `rrsets`, and where one of them is a CNAME, what stands in its place where that
    cannot."""

    standing: SteeredName
    rrsets: tuple[RRset, ...]
    instead: tuple[RRset, ...] = ()


class Flattened(NamedTuple):
    """A zone with load balancers as records: `hidden`, its own RRsets that they take the place of; `rrsets`, theirs."""

    hidden: tuple[RRset, ...]
    rrsets: tuple[RRset, ...]


def answers_of(view: ServingView, standing: Iterable[SteeredName]) -> tuple[Answered, ...]:
    """Return what load balancers answer."""
    return tuple([_answered(view, one) for one in standing])


def _answered(view: ServingView, one: SteeredName) -> Answered:
    rrsets: list[RRset] = []
    instead: list[RRset] = []
    for qtype in STEERED_TYPES[one.kind]:
        query = Query()
        query.draw_fixed, query.draw_base = True, MIDDLE_DRAW
        set_name(view.suffixes, one.owner)
        family = _FAMILIES.get(qtype, FAMILY_NAMED)
        matched = Match(MatchKind.STEERED, load_balancer=one.row, family=family)
        decision = steer(view, matched, qtype, query)
        data = steered_data(view.columns, qtype, family, decision)
        if data is None:
            continue
        rdatas = tuple(sorted(set(data.rdatas)))
        rrset = RRset(one.owner, data.type, decision.signed_ttl, rdatas)
        if rrset.type == TYPE_CNAME:
            slot = view.columns["endpoint_slot"][decision.picked()[0]]
            addresses = tuple(sorted(set(read_addresses(view.table.columns, slot, _RESOLVED[qtype]))))
            if addresses:
                instead.append(RRset(one.owner, qtype, decision.signed_ttl, addresses))
        if rrset not in rrsets:
            rrsets.append(rrset)
    return Answered(one, tuple(rrsets), tuple(instead))


def flattened(zone: Zone, answers: Sequence[Answered]) -> Flattened:
    """Return a zone with what its load balancers answer; in a signed zone nothing is hidden, as it was left out."""
    hiding: dict[bytes, frozenset[int]] = {}
    for one in answers:
        owner = one.standing.owner
        hiding[owner] = hiding.get(owner, frozenset()) | HIDDEN_TYPES[one.standing.kind]
    cuts: set[bytes] = set()
    redirected: set[bytes] = set()
    own: dict[bytes, list[RRset]] = {}
    for rrset in zone.rrsets:
        if rrset.type == TYPE_NS and rrset.owner != zone.apex:
            cuts.add(rrset.owner)
        elif rrset.type == TYPE_DNAME:
            redirected.add(rrset.owner)
        if rrset.owner in hiding:
            own.setdefault(rrset.owner, []).append(rrset)
    hidden = tuple([one for owner, found in own.items() for one in found if one.type in hiding[owner]])
    left = {owner: [one for one in found if one.type not in hiding[owner]] for owner, found in own.items()}
    by_owner: dict[bytes, list[Answered]] = {}
    for answer in answers:
        if not _is_cut_off(answer.standing.owner, zone.apex, cuts, redirected):
            by_owner.setdefault(answer.standing.owner, []).append(answer)
    rrsets: list[RRset] = []
    for owner, found in by_owner.items():
        rrsets += _at_name(left.get(owner, ()), found)
    return Flattened(hidden, tuple(rrsets))


def _at_name(beside: Iterable[RRset], answers: Sequence[Answered]) -> list[RRset]:
    """Return what load balancers answer at one name, beside its own records: a CNAME stands alone (RFC 1034 section
    3.6.2)."""
    answered = [rrset for one in answers for rrset in one.rrsets]
    alias = next((rrset for rrset in answered if rrset.type == TYPE_CNAME), None)
    if alias is None:
        return answered
    is_alone = not any(one.type not in _BESIDE_CNAME for one in beside)
    if is_alone and not any(one.standing.kind != "A" and one.rrsets for one in answers):
        return [alias]
    found = {rrset.type: rrset for one in answers for rrset in one.instead}
    found |= {rrset.type: rrset for rrset in answered if rrset.type != TYPE_CNAME}
    return list(found.values())


def _is_cut_off(owner: bytes, apex: bytes, cuts: Set[bytes], redirected: Set[bytes]) -> bool:
    """Return whether a name is a cut, below one, or below a DNAME, under which nothing may stand (RFC 6672)."""
    while (cuts or redirected) and owner != apex:
        if owner in cuts:
            return True
        owner = parent(owner)
        if owner in redirected:
            return True
    return False
