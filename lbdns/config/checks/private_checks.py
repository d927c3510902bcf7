"""Checks of private load balancers, and of the overrides that lead to them.

a private load balancer ...                                              verdict
whose on_ramps are none, and no view is private                          error
with an on_ramp that is no view, is `public`, or stands there twice      error
with a view beside its on_ramps                                          error
with an address outside 100.112.0.0/16 and RFC 1918, or of another type  error
an override ...
that leads to a load balancer that is not private                        error
of a name that another load balancer has in one of its views             error
of a name that a load balancer answers for everybody                     warning: it is hidden in these views
of a name that a zone has                                                as of a load balancer there

That an override leads to nothing, references.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from lbdns.base.errors import Problem
from lbdns.base.wording import listed, nearest
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed, Source
from lbdns.model.balancer import LoadBalancer
from lbdns.model.placements import private_views, ramps
from lbdns.model.private_names import as_address, name_mistake
from lbdns.model.view_names import PUBLIC
from lbdns.model.views import ViewSettings

NO_VIEW: Final = (
    "nobody would be answered: no view is private; mark one in lbdns.yaml (views: {office: {networks: [...], "
    "private: true}}), or name one in on_ramps"
)


def check_private(objects: Objects, views: Mapping[str, ViewSettings] | None, memo: CheckMemo) -> Iterator[Problem]:
    """Yield every problem of private load balancers and overrides. `views`: those of the settings; None where they are
    not known."""
    memo.of_all(objects.load_balancers)
    if not objects.overrides and memo.balancers.are_plain:
        return
    private = private_views(views or {})
    by_name: dict[str, list[Placed[LoadBalancer]]] = {}
    taken: dict[tuple[str, str, str], Source] = {}
    for placed in objects.load_balancers:
        one = placed.item
        if not placed.knows("name", "on_ramps", "type"):
            continue
        if one.is_private:
            by_name.setdefault(one.name, []).append(placed)
            yield from _check_name(placed)
            yield from _check_ramps(placed, private, views)
        elif one.view:
            taken[one.name, one.type, one.view] = placed.source
    for name, several in by_name.items():
        for placed in several:
            for view in ramps(placed.item, private):
                there = taken.setdefault((name, placed.item.type, view), placed.source)
                if there is not placed.source:
                    message = f'in the view "{view}" that is the name of the load balancer of {there.place()} already'
                    yield placed.source.problem(("name",), message)
    yield from _check_overrides(objects, by_name, taken, private)


def overridden(objects: Objects) -> Iterator[Placed[LoadBalancer]]:
    """Yield, as it stands at each override's name, the private load balancer that answers there."""
    if not objects.overrides:
        return
    by_name: dict[str, list[Placed[LoadBalancer]]] = {}
    for placed in objects.load_balancers:
        if placed.knows("name") and placed.item.is_private:
            by_name.setdefault(placed.item.name, []).append(placed)
    for override in objects.overrides.values():
        for target in by_name.get(override.item.load_balancer, ()) if override.knows("name") else ():
            here = target.item.model_copy(update={"name": override.item.name, "on_ramps": target.item.on_ramps or ()})
            yield replace(target, item=here, source=override.source)


def _check_name(placed: Placed[LoadBalancer]) -> Iterator[Problem]:
    if message := name_mistake(placed.item.name):
        yield placed.source.problem(("name",), message)
    elif placed.item.type != "A" and as_address(placed.item.name) is not None:
        message = f"{placed.item.name} is an IP address; {placed.item.type} is asked for by names"
        yield placed.source.problem(("type",), message)


def _check_ramps(
    placed: Placed[LoadBalancer], private: tuple[str, ...], views: Mapping[str, ViewSettings] | None
) -> Iterator[Problem]:
    one, source = placed.item, placed.source
    if one.view:
        message = "on_ramps name the views of a private load balancer; leave one of the two out"
        yield source.problem(("view",), message)
    seen: set[str] = set()
    for index, name in enumerate(one.on_ramps or ()):
        if name in seen:
            yield source.problem(("on_ramps", index), f'"{name}" is listed already; list it once')
        elif name == PUBLIC:
            message = f'"{PUBLIC}" is who is in no view, so the load balancer would not be private; name views'
            yield source.problem(("on_ramps", index), message)
        elif views is not None and name not in views:
            yield source.problem(("on_ramps", index), _unknown(name, views))
        seen.add(name)
    if views is not None and not one.on_ramps and not private:
        yield source.problem(("on_ramps",) if one.on_ramps is not None else ("name",), NO_VIEW)


def _unknown(name: str, views: Mapping[str, ViewSettings]) -> str:
    near = nearest(name, views)
    if near is not None:
        return f'there is no view "{name}"; did you mean "{near}"?'
    known = f"the views are {listed([*views])}" if views else "lbdns.yaml declares none under views"
    return f'there is no view "{name}"; {known}'


def _check_overrides(
    objects: Objects,
    by_name: Mapping[str, list[Placed[LoadBalancer]]],
    taken: Mapping[tuple[str, str, str], Source],
    private: tuple[str, ...],
) -> Iterator[Problem]:
    plain = [placed for placed in objects.load_balancers if placed.knows("name") and not placed.item.is_private]
    others = {placed.item.name for placed in plain}
    everybodys = {(one.item.name, one.item.type): one.source for one in plain if not one.item.view}
    for placed in objects.overrides.values():
        override, source = placed.item, placed.source
        if not placed.knows("name", "load_balancer"):
            continue
        if override.load_balancer in others:
            message = (
                f'"{override.load_balancer}" is no private load balancer: give it on_ramps, or lead to one that has'
            )
            yield source.problem(("load_balancer",), message)
        for target in by_name.get(override.load_balancer, ()):
            for view in ramps(target.item, private):
                there = taken.get((override.name, target.item.type, view))
                if there is not None:
                    message = (
                        f'in the view "{view}" a load balancer has this name ({there.place()}); keep one of the two'
                    )
                    yield source.problem(("name",), message)
            hidden = everybodys.get((override.name, target.item.type))
            if hidden is not None:
                seen = listed([*ramps(target.item, private)])
                message = f"hides, in the views {seen}, the load balancer of this name ({hidden.place()})"
                yield source.warning(("name",), message)
