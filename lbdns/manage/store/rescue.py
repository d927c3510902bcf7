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
from lbdns.model.views import EVERY_VIEW

NO_ZONE: Final = b""
"""The apex of no zone: who tolerates it does without objects that no zone is known to need."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """The objects that can be served, and the zones that cannot."""

    state: State
    unready: tuple[UnreadyZone, ...]


def rescued(state: State, tolerates: Callable[[bytes, str], bool]) -> Rescued | None:
    """Return what is left of a state without the zones that its unreadable objects have to do with: what stands in
    them, or is answered there. None where not all of those are tolerated, by apex."""
    broken = _broken(state)
    zones = _zones(state)
    told: dict[str, list[str]] = {}
    for zone, problem in _concerned(state, broken, zones):
        if zone in zones.values():
            told.setdefault(zone, []).append(problem)
    unready = []
    for name, problems in told.items():
        try:
            apex = encode_canonical(name)
        except BadName:  # nobody can ask for it
            if not tolerates(NO_ZONE, EVERY_VIEW):
                return None
            continue
        if not tolerates(apex, EVERY_VIEW):
            return None
        unready.append(UnreadyZone(Zone(apex, (), f"{STORE_START}{name}"), tuple(dict.fromkeys(problems))))
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
    """Return the names of all zones by id, those that cannot be read too where their names can be told."""
    found = {id: item.name for id, item in state.all(Kind.ZONE).items()}
    return found | {one.id: one.name for one in state.unreadable if one.kind == Kind.ZONE and one.name}


def _zone_of(zone_id: str, name: str, zones: Mapping[str, str]) -> str:
    """Return the name of the zone that an object is in, "" where it is in none."""
    if zone_id in zones:
        return zones[zone_id]
    names = {*zones.values()}
    return next((suffix for suffix in text_suffixes(name) if suffix in names), "")


def _concerned(state: State, broken: Mapping[str, str], zones: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for one in state.unreadable:
        if one.kind not in PROBING:
            yield zones.get(one.id) or _zone_of(one.zone_id, one.name, zones), broken[one.id]
    for id, item in state.all(Kind.LOAD_BALANCER).items():
        if id in broken:
            yield _zone_of(item.zone_id, item.name, zones), broken[id]


def _left_out(
    state: State, broken: Mapping[str, str], zones: Mapping[str, str], unready: Mapping[str, object]
) -> Iterator[Item]:
    for kind in BALANCING:
        for id, item in state.all(kind).items():
            is_in = kind is Kind.LOAD_BALANCER and _zone_of(item.zone_id, item.name, zones) in unready
            if id in broken or is_in:
                yield item
    for id, item in state.all(Kind.ZONE).items():
        if item.name in unready:
            yield item
            yield from state.records(id).values()
