"""Checks of load balancers against the zones that they stand in, and against the pools that they answer from.

a load balancer ...                                               verdict
in no hosted zone, at or below a delegation, below a DNAME        error
of the same name and type as another                              error
of type MX or SRV with an origin that is no hostname              error
of type SRV with an origin without a port                         error
of type MX or SRV at a CNAME                                      error
that hides records, or has fields that do not act                 warning (effects.py)
that is private, and what overrides lead to                       private_checks.py
whose answers do not fit into a datagram                          warning (balancer_sizes.py)
whose rules or pool sets are wrong                                error, or a warning (rule_checks.py)
that costs signatures, or is seen otherwise, in a signed zone     warning (signed_checks.py)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from lbdns.base.errors import Problem
from lbdns.base.wording import listed
from lbdns.config.checks.balancer_sizes import check_sizes
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.checks.checked_balancer import Checked
from lbdns.config.checks.checked_balancers import CheckedBalancers
from lbdns.config.checks.effects import check_apex, check_effects, check_hidden
from lbdns.config.checks.facts import Facts
from lbdns.config.checks.private_checks import check_private, overridden
from lbdns.config.checks.rule_checks import check_rules
from lbdns.config.checks.sights import Sight, Sights, in_view, missing_view
from lbdns.config.checks.signed_checks import check_signed
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed, Source
from lbdns.dns.codes import TYPE_CNAME
from lbdns.dns.master.zone_checks import ZoneIndex
from lbdns.dns.name import encode_canonical, longest_match, show_name
from lbdns.model.balancer import LoadBalancer
from lbdns.model.placements import private_views, ramps
from lbdns.model.pool import Pool
from lbdns.model.view_names import EVERY_VIEW, PUBLIC


class BalancerProblems(NamedTuple):
    """Problems of load balancers together, and those that each has by itself: these are the very same sequence as long
    as they are alike."""

    together: Sequence[Problem]
    each: Sequence[Problem] = ()


def check_balancers(objects: Objects, sights: Sights | None, facts: Facts, memo: CheckMemo) -> BalancerProblems:
    """Return every problem of the load balancers. `sights` have all zones that are hosted; None: some are not known."""
    private = tuple(check_private(objects, facts.views, memo))
    checked = memo.of_all(objects.load_balancers)
    if sights is not None and len(sights) == 1 and memo.balancers.are_plain:
        twice = () if memo.balancers.are_named_apart else _check_unique(objects)
        each = _check_plain(objects, sights[EVERY_VIEW], facts, memo.balancers)
        return BalancerProblems((*private, *twice, *_check_overridden(objects, sights, facts)), each)
    overridden_there = _check_overridden(objects, sights, facts) if sights is not None else ()
    return BalancerProblems((*private, *_check_each(objects, sights, facts, checked), *overridden_there))


def _check_plain(objects: Objects, sight: Sight, facts: Facts, those: CheckedBalancers) -> Sequence[Problem]:
    """Check load balancers that all see, each by itself: what was found of one that is the same is known."""
    zones, pools = sight.zones, objects.pools
    for one in those.unsettled:
        if one.about_zone is None:
            one.about_zone = tuple(_check_zone(one.placed, one.wire, pools, zones, facts))
        if one.about_fields is None:
            one.about_fields = _check_fields(one, pools, facts)
    those.settle()
    return those.problems()


def _check_unique(objects: Objects) -> Iterator[Problem]:
    """Yield a problem for each load balancer that has name, type and view of one before it."""
    first: dict[tuple[str, str, str], Source] = {}
    for placed in objects.load_balancers:
        if placed.knows("name", "type"):
            key = (placed.item.name, placed.item.type, placed.item.view)
            if key in first:
                kind = {"A": "an address"}.get(placed.item.type, f"an {placed.item.type}")
                there = first[key].place()
                message = (
                    f"{kind} load balancer of this name is declared in {there} already; a name has one of each type"
                )
                yield placed.source.problem(("name",), message)
            first.setdefault(key, placed.source)


def _check_each(objects: Objects, sights: Sights | None, facts: Facts, checked: Sequence[Checked]) -> Iterator[Problem]:
    """Check load balancers of which some have a view, or mistakes."""
    yield from _check_unique(objects)
    for placed, one in zip(objects.load_balancers, checked, strict=True):
        view = placed.item.view
        is_seen = not view or facts.views is None or view in (PUBLIC, *facts.views)
        if not is_seen and facts.views is not None:
            yield placed.source.problem(("view",), missing_view(view, facts.views))
        if placed.knows("name") and sights is not None and is_seen:
            if len(sights) > 1:  # what views see of a zone hangs on the other load balancers too
                yield from _check_sights(placed, one.wire, objects.pools, sights, facts)
            elif one.about_zone is None:
                zones = sights[EVERY_VIEW].zones
                one.about_zone = tuple(_check_zone(placed, one.wire, objects.pools, zones, facts))
        if one.about_fields is None:
            one.about_fields = _check_fields(one, objects.pools, facts)
        if sights is not None and len(sights) == 1:
            yield from one.about_zone or ()
        yield from one.about_fields


def _check_fields(one: Checked, pools: Mapping[str, Placed[Pool]], facts: Facts) -> tuple[Problem, ...]:
    """Return what is wrong with a load balancer wherever it stands."""
    placed = one.placed
    plain = replace(placed, item=placed.item.without_rules()) if placed.item.has_rules else placed
    hosts, effects = _check_hosts(placed, pools), check_effects(plain, pools, facts)
    rules, sizes = check_rules(placed, pools, facts), check_sizes(placed, one.wire, one.names, pools)
    return (*hosts, *effects, *rules, *(sizes if facts.tells_effects else ()))


def _check_overridden(objects: Objects, sights: Sights, facts: Facts) -> Iterator[Problem]:
    """Check what answers at the names of overrides."""
    private = private_views(facts.views or {})
    for placed in overridden(objects):
        seeing = [sights.get(view, sights[EVERY_VIEW]) for view in ramps(placed.item, private)]
        name = encode_canonical(placed.item.name)
        found = (_check_zone(placed, name, objects.pools, one.zones, facts) for one in seeing)
        yield from dict.fromkeys(chain.from_iterable(found))


def _check_sights(
    placed: Placed[LoadBalancer], name: bytes, pools: Mapping[str, Placed[Pool]], sights: Sights, facts: Facts
) -> Iterator[Problem]:
    """Check a load balancer in each view that sees it; what everybody is told of it is told once."""
    seeing = [one for one in sights.values() if one.shows(placed.item, name)] or [sights[EVERY_VIEW]]
    inside = [one for one in seeing if longest_match(name, one.zones) is not None] or seeing[:1]
    told: set[Problem] = set()
    for sight in inside:
        index = longest_match(name, sight.zones)
        if sight is inside[0] or (index is not None and index.apex in sight.own):
            for problem in _check_zone(placed, name, pools, sight.zones, facts):
                if problem not in told:
                    told.add(problem)
                    yield problem if sight.view == EVERY_VIEW else in_view(problem, sight.view)


def _check_zone(
    placed: Placed[LoadBalancer],
    name: bytes,
    pools: Mapping[str, Placed[Pool]],
    zones: Mapping[bytes, ZoneIndex],
    facts: Facts,
) -> Iterator[Problem]:
    source = placed.source
    index = longest_match(name, zones)
    if index is None and placed.item.is_private:
        return
    if index is None:
        hosted = listed([show_name(apex) for apex in zones])
        message = f"in none of the zones hosted here ({hosted}); add the zone or correct the name"
        none = "in no zone: no zone is hosted here"
        yield source.problem(("name",), f'"{placed.item.name}" is {message if zones else none}')
        return
    cut = name if name in index.cuts else index.cut_above(name)
    if cut is not None:
        there = index.cuts[cut]
        message = (
            f'"{show_name(cut)}" is delegated to other servers ({there.place}), so nobody asks this one for names there'
        )
        yield source.problem(("name",), message)
        return
    redirect = index.redirect_above(name)
    if redirect is not None:
        dname = index.redirects[redirect]
        message = f'nothing may stand below the DNAME of "{show_name(redirect)}" ({dname.place})'
        yield source.problem(("name",), message)
        return
    if not placed.item.enabled or not placed.knows("type", "enabled"):
        return
    if placed.item.type != "A":
        cname = index.draft.rrset(name, TYPE_CNAME)
        if cname is not None:
            message = f"a CNAME stands at this name ({cname.place}), which excludes {placed.item.type} records"
            yield source.problem(("name",), message)
    yield from check_hidden(placed, index, name)
    yield from check_apex(placed, pools, index, name)
    if index.apex in facts.signed:
        yield from check_signed(placed, pools, facts)


def _check_hosts(placed: Placed[LoadBalancer], pools: Mapping[str, Placed[Pool]]) -> Iterator[Problem]:
    """Check that MX and SRV load balancers have hosts to point to, and SRV ones their ports."""
    balancer = placed.item
    if balancer.type == "A" or not placed.knows("type", "default_pools", "fallback_pool"):
        return
    for name in sorted(balancer.pool_names() & pools.keys()):
        pool = pools[name]
        if not pool.knows("origins"):
            continue
        seen: set[str] = set()
        for index, endpoint in enumerate(pool.item.origins):
            place = f'origin "{endpoint.name}" of pool "{name}" ({pool.source.place(("origins", index))})'
            if endpoint.ip is not None:
                message = f"{place} has the address {endpoint.address}; {balancer.type} records point to hostnames"
                yield placed.source.problem(("type",), message)
            if endpoint.address in seen:
                message = f"{place} has the host {endpoint.address} as another has, in another virtual network"
                yield placed.source.problem(("type",), f"{message}; {balancer.type} records name it once")
            seen.add(endpoint.address)
            if balancer.type == "SRV" and endpoint.port == 0:
                yield placed.source.problem(("type",), f"{place} has no port; SRV records need one")
