"""What can be served of a store in which some objects cannot be read: the zones that these have nothing to do with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lbdns.base.kinds import BALANCING, PROBING, Kind
from lbdns.dns.master.draft import STORE_START
from lbdns.dns.name import BadName, encode_canonical, text_suffixes
from lbdns.dns.zone import Zone
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.state import State
from lbdns.model.configuration import UnreadyZone
from lbdns.model.view_names import EVERY_VIEW, labelled, parted

NO_ZONE: Final = b""
"""The apex of no zone: who tolerates it does without objects that no zone is known to need."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """The objects that can be served, and the zones that cannot."""

    state: State
    unready: tuple[UnreadyZone, ...]


def rescued(state: State, tolerates: Callable[[bytes, str], bool]) -> Rescued | None:
    """Return what is left of a state without the zones that its unreadable objects have to do with: what stands in
    them, or is answered there. None where not all of those are tolerated, by apex and view."""
    broken = _broken(state)
    zones = _zones(state)
    told: dict[str, list[str]] = {}
    for zone, problem in _concerned(state, broken, zones):
        if zone in zones.values():
            told.setdefault(zone, []).append(problem)
    unready = []
    for label, problems in told.items():
        name, view = parted(label)
        try:
            apex = encode_canonical(name)
        except BadName:  # nobody can ask for it
            if not tolerates(NO_ZONE, EVERY_VIEW):
                return None
            continue
        if not tolerates(apex, view):
            return None
        unready.append(UnreadyZone(Zone(apex, (), f"{STORE_START}{label}", view), tuple(dict.fromkeys(problems))))
    if not told and not tolerates(NO_ZONE, EVERY_VIEW):
        return None
    gone = [Change(item, None) for item in _left_out(state, broken, zones, told)]
    return Rescued(state.changed(gone, state.revision), tuple(unready))


def _broken(state: State) -> dict[str, str]:
    """Return, by id, the balancing objects that cannot be read or refer to such, and why."""
    found = {one.id: str(one.problem()) for one in state.unreadable}
    for kind in BALANCING:
        for id, item in state.all(kind).items():
            why = next((found[other] for other in item.references() if other in found), None)
            if why is not None:
                found[id] = why
    return found


def _zones(state: State) -> dict[str, str]:
    """Return the labels of all zones by id, those that cannot be read too where their names can be told."""
    found = {id: item.label for id, item in state.all(Kind.ZONE).items()}
    return found | {
        one.id: labelled(one.name, one.view) for one in state.unreadable if one.kind == Kind.ZONE and one.name
    }


def _zones_of(zone_id: str, name: str, view: str, zones: Mapping[str, str]) -> list[str]:
    """Return the labels of the zones that an object is in: its own, and where it is of all views, each view's around
    its name."""
    labels = dict.fromkeys(zones.values())
    found = [zones[zone_id]] if zone_id in zones else []
    for seen_by in [view] if view else dict.fromkeys(parted(label)[1] for label in labels):
        around = (labelled(suffix, one) for suffix in text_suffixes(name) for one in (seen_by, EVERY_VIEW))
        found += [label for label in around if label in labels][:1]
    return list(dict.fromkeys(found))


def _concerned(state: State, broken: Mapping[str, str], zones: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for one in state.unreadable:
        if one.id in zones:
            yield zones[one.id], broken[one.id]
        elif one.kind == Kind.RECORD and one.zone_id in zones:
            yield zones[one.zone_id], broken[one.id]
        elif one.kind not in PROBING:
            yield from ((zone, broken[one.id]) for zone in _zones_of(one.zone_id, one.name, one.view, zones))
    for id, item in state.all(Kind.LOAD_BALANCER).items():
        if id in broken:
            yield from ((zone, broken[id]) for zone in _zones_of(item.zone_id, item.name, item.view, zones))


def _left_out(
    state: State, broken: Mapping[str, str], zones: Mapping[str, str], unready: Mapping[str, object]
) -> Iterator[Item]:
    for kind in BALANCING:
        for id, item in state.all(kind).items():
            if id in broken:
                yield item
            elif kind is Kind.LOAD_BALANCER:
                around = _zones_of(item.zone_id, item.name, item.view, zones)
                if around and all(zone in unready for zone in around):
                    yield item
    for id, item in state.all(Kind.ZONE).items():
        if item.label in unready:
            yield item
            yield from state.records(id).values()
