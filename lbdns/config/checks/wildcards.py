"""Wildcards that do not reach a name, because something makes it exist (RFC 4592 section 2.2): it is answered NODATA.

    *.apps                      a wildcard load balancer, or records that one would take the place of
    _acme-challenge.foo.apps    makes foo.apps exist, as an empty name: it has no address, and nothing says so
    bar.apps TXT                makes bar.apps exist: the same
    baz.apps A                  is meant: baz.apps has an address of its own

What makes a name exist may be any record at or below it, a wildcard among them, and any enabled load balancer. Names
with a label such as _dmarc are asked for no addresses and no mail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from lbdns.base.errors import OWNER_NAMES, Problem
from lbdns.base.kinds import Kind
from lbdns.base.wording import listed
from lbdns.config.checks.sight_memo import PlainBalancers
from lbdns.config.yaml.source import Placed
from lbdns.dns.codes import TYPE_CNAME, TYPE_NS
from lbdns.dns.master.draft import RRsetDraft, subject
from lbdns.dns.master.zone_checks import ZoneIndex
from lbdns.dns.name import WILDCARD_LABEL, labels_of, longest_match, parent, show_name
from lbdns.dns.rdata.record_types import HIDDEN_TYPES, STEERED_TYPES, type_text
from lbdns.model.balancer import LoadBalancer

KEPT_MAX: Final = 1000
"""Warnings about one zone: with more there is no need to look on."""
_SHOWN_MAX: Final = 2
"""Names that one record keeps from a wildcard: nearly always one."""
_SERVICES: Final = "SRV"
_ANSWERED: Final = {kind: HIDDEN_TYPES[kind] | {TYPE_CNAME, TYPE_NS} for kind in HIDDEN_TYPES}
"""What a name that a wildcard of this type does not reach may have instead: records of one of these types."""

Balancers = Mapping[bytes, Mapping[str, Placed[LoadBalancer]]]
"""Enabled load balancers by name (wire, lower case) and type."""


class _Wildcard(NamedTuple):
    """One thing that answers what does not exist below a name: in words, what it is and does; as which type of load
    balancer."""

    words: str
    kind: str


class _Kept(NamedTuple):
    """What an owner keeps from a wildcard: names, nearest first."""

    wildcard: _Wildcard
    above: bytes
    names: list[bytes]


def check_wildcards(zones: Mapping[bytes, ZoneIndex], balancers: Balancers) -> Iterator[Problem]:
    """Yield a warning for whatever keeps a wildcard from a name that has nothing else to answer; `zones` by apex."""
    in_zones = any(index.wildcards for index in zones.values())
    if not in_zones and not _has_wildcards(balancers):
        return
    steered: dict[bytes, list[bytes]] = {apex: [] for apex in zones}
    for name in balancers:
        found = longest_match(name, steered)
        if found is not None:
            found.append(name)
    for apex, index in zones.items():
        wildcards = _wildcards(index, balancers, steered[apex])
        if wildcards:
            yield from islice(_check_zone_names(index, balancers, steered[apex], wildcards), KEPT_MAX)


def _has_wildcards(balancers: Balancers) -> bool:
    if isinstance(balancers, PlainBalancers):
        return balancers.has_wildcards
    return any(name.startswith(WILDCARD_LABEL) for name in balancers)


def _wildcards(index: ZoneIndex, balancers: Balancers, steered: list[bytes]) -> dict[bytes, list[_Wildcard]]:
    """Return the wildcards of a zone, by the name that they stand below."""
    found: dict[bytes, list[_Wildcard]] = {}
    for name in steered:
        if name.startswith(WILDCARD_LABEL):
            for kind, placed in balancers[name].items():
                place = f" ({placed.source.place(('name',))})" if placed.source.line() else ""
                words = f'load balancer "{placed.item.name}"{place} does'
                found.setdefault(parent(name), []).append(_Wildcard(words, kind))
    for name in index.wildcards:
        for kind, types in HIDDEN_TYPES.items():
            first = next((rrset for rrset in index.draft.nodes[name] if rrset.type in types), None)
            if first is not None and kind not in balancers.get(name, ()):
                words = f'{type_text(first.type)} records of "{show_name(name)}" ({first.place}) do'
                found.setdefault(parent(name), []).append(_Wildcard(words, kind))
    return found


def _check_zone_names(
    index: ZoneIndex, balancers: Balancers, steered: list[bytes], wildcards: Mapping[bytes, list[_Wildcard]]
) -> Iterator[Problem]:
    for owner in steered:
        if owner not in index.draft.nodes:
            placed = next(iter(balancers[owner].values()))
            for kept in _kept(index, balancers, wildcards, owner):
                yield replace(placed.source.warning(("name",), _message(kept)), beside=_beside(kept))
    for owner, drafts in _suspects(index, wildcards):
        for kept in _kept(index, balancers, wildcards, owner):
            path, at = subject(owner, drafts[0].type), ("name",)
            yield Problem(drafts[0].file, drafts[0].line, path, _message(kept), "warning", at, _beside(kept))


def _suspects(index: ZoneIndex, wildcards: Mapping[bytes, list[_Wildcard]]) -> Iterator[tuple[bytes, list[RRsetDraft]]]:
    """Yield the owners that may keep something from a wildcard, the newest first: few, if any, of very many."""
    nodes = index.draft.nodes
    meant = {
        above: frozenset.intersection(*(_ANSWERED[wildcard.kind] for wildcard in found))
        for above, found in wildcards.items()
    }
    for owner, drafts in reversed(nodes.items()):
        above = owner[owner[0] + 1 :]
        types = meant.get(above)
        if types is None or owner.startswith(WILDCARD_LABEL):
            if above not in nodes:
                yield owner, drafts
        elif drafts[0].type not in types and not any(rrset.type in types for rrset in drafts):
            yield owner, drafts


def _kept(
    index: ZoneIndex, balancers: Balancers, wildcards: Mapping[bytes, list[_Wildcard]], owner: bytes
) -> Iterator[_Kept]:
    """Yield what an owner keeps from the wildcard that would reach it if nothing stood there."""
    nodes, apex = index.draft.nodes, index.apex
    if owner == apex:
        return
    is_wildcard = owner.startswith(WILDCARD_LABEL)
    names = [] if is_wildcard else [owner]
    above = parent(owner)
    while is_wildcard or above not in wildcards:
        if above == apex or above in nodes or above in balancers:
            return
        is_wildcard = False
        names.append(above)
        above = parent(above)
    if index.cut_above(owner) is not None or index.redirect_above(owner) is not None:
        return
    for wildcard in wildcards[above]:
        lacking = [name for name in names if _lacks(index, balancers, name, wildcard.kind)]
        if lacking:
            yield _Kept(wildcard, above, lacking)


def _lacks(index: ZoneIndex, balancers: Balancers, name: bytes, kind: str) -> bool:
    """Tell whether a name has nothing of what a wildcard of this kind answers, and somebody may ask for it."""
    if kind in balancers.get(name, ()):
        return False
    if any(rrset.type in _ANSWERED[kind] for rrset in index.draft.nodes.get(name, ())):
        return False
    return kind == _SERVICES or not any(label.startswith(b"_") for label in labels_of(name))


def _message(kept: _Kept) -> str:
    names = listed([show_name(name) for name in kept.names], _SHOWN_MAX)
    wanted = " or ".join(type_text(rtype) for rtype in STEERED_TYPES[kept.wildcard.kind])
    them, they_have, their = ("it", "it has", "its") if len(kept.names) == 1 else ("them", "they have", "their")
    return (
        f"makes {names} exist, so the {kept.wildcard.words} not reach {them} (RFC 4592), and {they_have} no {wanted}; "
        f"give {them} a load balancer or records of {their} own, or do without this one"
    )


def _beside(kept: _Kept) -> tuple[tuple[str, str], ...]:
    """Return the wildcard and the names that it does not reach: a change of one of them tells this as well."""
    wildcard = show_name(WILDCARD_LABEL + kept.above)
    return (
        (Kind.LOAD_BALANCER.section, wildcard),
        *((OWNER_NAMES, show_name(name)) for name in (WILDCARD_LABEL + kept.above, *kept.names)),
    )
