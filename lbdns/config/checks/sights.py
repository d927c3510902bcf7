"""Zones as each view sees them, for checks: what everybody sees, and what a view's own content makes of it.

A view's sight of a zone is another where the view has records in it. These are checked together with what is left of
everybody's; what is wrong with that already is told once, there.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from lbdns.base.errors import Problem
from lbdns.base.wording import nearest
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.checks.private_checks import overridden
from lbdns.config.checks.sight_memo import BalancersByName, PlainBalancers
from lbdns.config.checks.wildcards import Balancers, check_wildcards
from lbdns.config.yaml.objects import Objects
from lbdns.dns.codes import TYPE_CNAME
from lbdns.dns.master.draft import ZoneDraft
from lbdns.dns.master.zone_checks import ZoneIndex, check_zone
from lbdns.dns.name import BadName, encode_canonical, longest_match, show_name
from lbdns.model.balancer import LoadBalancer
from lbdns.model.placements import private_views, ramps
from lbdns.model.view_content import displaces_balancer, displaces_records
from lbdns.model.view_names import EVERY_VIEW, PUBLIC, VIEW, VIEW_SIGN
from lbdns.model.views import ViewSettings

ZoneKey = tuple[bytes, str]
"""A zone's apex, and the view that it is of."""


def zone_key(text: str) -> ZoneKey:
    """Return what a name and its view are of: `example.com` or `example.com@office`. Raises BadName."""
    name, sign, view = text.partition(VIEW_SIGN)
    if sign and not view:
        raise BadName(f'"{text}" has no view behind its "@"')
    return encode_canonical(name), view


@dataclass(frozen=True, slots=True)
class Sight:
    """What a view sees: zones by apex, and enabled load balancers by name and type. `own`: apexes of the zones that it
    sees otherwise than everybody."""

    view: str
    zones: Mapping[bytes, ZoneIndex]
    balancers: Balancers
    own: frozenset[bytes] = frozenset()

    def shows(self, balancer: LoadBalancer, name: bytes) -> bool:
        """Return whether the view sees one of its own load balancers, or of everybody's, at its name (wire)."""
        if balancer.view == self.view or not balancer.enabled:
            return balancer.view in (EVERY_VIEW, self.view)
        at = self.balancers.get(name, {}).get(balancer.type)
        return balancer.view == EVERY_VIEW and at is not None and at.item is balancer


Sights = Mapping[str, Sight]
"""By view; everybody's under "", and those of views that have something of their own."""


def enabled_balancers(
    objects: Objects, memo: CheckMemo, views: Mapping[str, ViewSettings] | None
) -> tuple[Balancers, dict[str, BalancersByName]]:
    """Return the load balancers that exist, by name and type: those of all views, and those of one by the view."""
    private = private_views(views or {})
    checked = memo.of_all(objects.load_balancers)
    if memo.balancers.are_plain and not objects.overrides:
        return memo.sights.balancers(memo.balancers), {}
    found: dict[str, BalancersByName] = {EVERY_VIEW: {}}
    known = ((one.placed, one.wire) for one in checked)
    for placed, wire in chain(known, ((one, encode_canonical(one.item.name)) for one in overridden(objects))):
        one = placed.item
        if one.enabled and placed.knows("name", "type", "enabled", "view"):
            for view in ramps(one, private) if one.is_private else (one.view,):
                of_view = found.setdefault(view, {})
                of_view.setdefault(wire, {})[one.type] = placed
    everybody = found.pop(EVERY_VIEW)
    return everybody, found


def sights_of(
    drafts: Mapping[ZoneKey, ZoneDraft],
    objects: Objects,
    memo: CheckMemo,
    views: Mapping[str, ViewSettings] | None,
) -> Sights:
    """Return what each view sees that has something of its own. `drafts`: zones, everybody's and those of views, and
    overlays; `views`: those that are declared, None where they are not known."""
    everybody, balancers = enabled_balancers(objects, memo, views)
    names = memo.sights.names if isinstance(everybody, PlainBalancers) else _address_names(everybody)
    of_view: dict[str, dict[bytes, ZoneDraft]] = {EVERY_VIEW: {}}
    for (apex, view), draft in drafts.items():
        of_view.setdefault(view, {})[apex] = draft
    zones = {apex: memo.sights.index(draft, names) for apex, draft in of_view.pop(EVERY_VIEW).items()}
    found = {EVERY_VIEW: Sight(EVERY_VIEW, zones, everybody)}
    for view in dict.fromkeys((*of_view, *balancers)):
        if views is not None and view != PUBLIC and view not in views:
            continue  # which is told
        found[view] = _sight(view, zones, of_view.get(view, {}), everybody, balancers.get(view, {}))
    return found


def _address_names(balancers: Balancers) -> frozenset[bytes]:
    """Return the names that load balancers answer with addresses."""
    return frozenset(name for name, by_type in balancers.items() if "A" in by_type)


def _sight(
    view: str,
    zones: dict[bytes, ZoneIndex],
    drafts: Mapping[bytes, ZoneDraft],
    everybody: Balancers,
    balancers: BalancersByName,
) -> Sight:
    merged = {apex: draft for apex, draft in drafts.items() if not draft.is_overlay}
    apexes = ChainMap({apex: apex for apex in merged}, {apex: apex for apex in zones})
    balanced: dict[bytes, list[bytes]] = {}
    for name in balancers:
        apex = longest_match(name, apexes)
        if apex is not None and apex not in merged:
            balanced.setdefault(apex, []).append(name)
    for apex in dict.fromkeys((*drafts, *balanced)):
        if apex in zones and apex not in merged:
            made = _laid_over(zones[apex].draft, drafts.get(apex), balanced.get(apex, ()), view)
            if made is not zones[apex].draft:
                merged[apex] = made
    changed: BalancersByName = {}
    for name in dict.fromkeys((*(owner for draft in drafts.values() for owner in draft.nodes), *balancers)):
        if name not in everybody and name not in balancers:
            continue
        apex = longest_match(name, apexes)
        own = drafts[apex].nodes.get(name, ()) if apex is not None and apex in drafts else ()
        types = {rrset.type for rrset in own}
        left = {kind: one for kind, one in everybody.get(name, {}).items() if not displaces_balancer(types, kind)}
        changed[name] = {**left, **balancers.get(name, {})}
    seen: Balancers = {**everybody, **changed}
    names = (_address_names(everybody) - changed.keys()) | _address_names(changed)
    indexes = {apex: ZoneIndex(draft, names) for apex, draft in merged.items()}
    return Sight(view, ChainMap(indexes, zones), seen, frozenset(merged))


def _laid_over(zone: ZoneDraft, overlay: ZoneDraft | None, balanced: Iterable[bytes], view: str) -> ZoneDraft:
    """Return a zone with a view's RRsets in place of those that cannot stand beside them, nor beside its load balancers
    at `balanced`: itself where that changes nothing."""
    aliased = [name for name in balanced if zone.rrset(name, TYPE_CNAME) is not None]
    if overlay is None and not aliased:
        return zone
    nodes = dict(zone.nodes)
    for name in aliased:
        nodes[name] = [rrset for rrset in nodes[name] if rrset.type != TYPE_CNAME]
    for owner, own in overlay.nodes.items() if overlay else ():
        types = {rrset.type for rrset in own}
        is_apex = owner == zone.apex
        left = [rrset for rrset in nodes.get(owner, ()) if not displaces_records(types, rrset.type, is_apex)]
        nodes[owner] = [*left, *own]
    lost = zone.lost | (overlay.lost if overlay else set())
    lines = {**zone.include_lines, **(overlay.include_lines if overlay else {})}
    file = overlay.file if overlay else zone.file
    return ZoneDraft(zone.apex, file, {name: one for name, one in nodes.items() if one}, [], lines, lost, view)


def check_sights(sights: Sights, is_complete: bool, memo: CheckMemo) -> Iterator[Problem]:
    """Yield what is wrong with each zone as each view sees it. `is_complete`: there are no more zones."""
    everybody = sights[EVERY_VIEW]
    found = memo.sights.problems(everybody.zones)
    kept = tuple(check_wildcards(everybody.zones, everybody.balancers)) if is_complete else ()
    for problems in (*found.values(), kept):
        yield from problems
    for view, sight in sights.items():
        if view == EVERY_VIEW:
            continue
        for apex in sorted(sight.own):
            told = set(found.get(apex, ()))
            index = sight.zones[apex]
            yield from (_of_view(one, view, index.draft) for one in check_zone(index) if one not in told)
        if is_complete:
            told = set(kept)
            wildcards = check_wildcards(sight.zones, sight.balancers)
            yield from (in_view(one, view) for one in wildcards if one not in told)


def _of_view(problem: Problem, view: str, draft: ZoneDraft) -> Problem:
    """Return a problem of a merged zone at the view's own records: everybody's are right without these."""
    if problem.file == draft.file or draft.include_lines.get(problem.file):
        return in_view(problem, view)
    place = f"{problem.file}:{problem.line}" if problem.line else problem.file
    message = f'{problem.message} ({place}, in the view "{view}")'
    return replace(problem, file=draft.file, line=0, message=message)


def in_view(problem: Problem, view: str) -> Problem:
    """Return a problem that is one in a view alone."""
    return replace(problem, message=f'{problem.message} (in the view "{view}")')


def check_views(
    drafts: Mapping[ZoneKey, ZoneDraft], views: Iterable[str] | None, is_complete: bool
) -> Iterator[Problem]:
    """Yield a problem for each zone of a view that there is not, and for records that lie over no zone. `views`: those
    that are declared, None where they are not known; `is_complete`: there are no more zones."""
    known = None if views is None else tuple(views)
    for draft in drafts.values():
        if known is not None and draft.view and draft.view not in (PUBLIC, *known):
            yield Problem(draft.file, 0, "", missing_view(draft.view, known), at=(VIEW,) if draft.is_stored else ())
        if draft.is_overlay and is_complete and (draft.apex, EVERY_VIEW) not in drafts:
            message = (
                f'there is no zone "{show_name(draft.apex)}" that everybody sees for these records to lie over; '
                f'with an SOA they are a zone of the view "{draft.view}"'
            )
            yield Problem(draft.file, 0, "", message)


def missing_view(view: str, known: Iterable[str]) -> str:
    """Return what to say of a view that is not declared; `known`: those that are."""
    near = nearest(view, (PUBLIC, *known))
    hint = f'did you mean "{near}"?' if near is not None else "views are declared in lbdns.yaml (views)"
    return f'unknown view "{view}"; {hint}'
