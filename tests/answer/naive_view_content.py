"""What is in a view, slowly and obviously: all of one view's content as if there were no other.

Content is a list of items, each of a view ("" for all): zones, which are there or not; RRsets, in the zone that they
were written into; load balancers, in whatever zone stands above them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

HIDDEN = {"A": {"A", "AAAA", "CNAME"}, "MX": {"MX"}, "SRV": {"SRV"}}
"""What a load balancer of each type takes from the records at its name."""


@dataclass(frozen=True)
class RecordSet:
    """An RRset as its master file has it: names with their final dot, data a text each."""

    zone: str
    owner: str
    type: str
    data: tuple[str, ...]
    view: str


@dataclass(frozen=True)
class Balancer:
    """A load balancer: the fields of its file, name and type and view among them."""

    fields: tuple[tuple[str, Any], ...]

    def __getitem__(self, key: str) -> Any:
        return dict(self.fields).get(key, "")


@dataclass(frozen=True)
class Content:
    """All that is configured: (name, view) of each zone that has an SOA, RRsets and load balancers."""

    zones: frozenset[tuple[str, str]]
    records: tuple[RecordSet, ...]
    balancers: tuple[Balancer, ...]


def seen_in(content: Content, view: str) -> Content:
    """Return what who is in a view sees, as content of all."""
    zones = {apex for apex, _view in content.zones if _view in ("", view)}
    own_zones = {apex for apex, _view in content.zones if _view == view}
    own = [one for one in content.records if one.view == view and one.zone in zones]
    shared = [one for one in content.records if one.view == "" and one.zone in zones - own_zones]
    own_balancers = [one for one in content.balancers if one["view"] == view and zone_of(one, zones)]
    shared_balancers = [one for one in content.balancers if one["view"] == "" and zone_of(one, zones)]
    kept = []
    for one in shared:
        beside = [other for other in own if (other.zone, other.owner) == (one.zone, one.owner)]
        places = [(f"{other['name']}.", zone_of(other, zones)) for other in own_balancers]
        if not is_displaced(one, beside, (one.owner, one.zone) in places):
            kept.append(one)
    balancers = [*own_balancers]
    for balancer in shared_balancers:
        zone = zone_of(balancer, zones)
        types = {one.type for one in own if one.owner == f"{balancer['name']}." and one.zone == zone}
        same = any((one["name"], one["type"]) == (balancer["name"], balancer["type"]) for one in own_balancers)
        if not same and not types & {"CNAME", *HIDDEN[balancer["type"]]}:
            balancers.append(balancer)
    return Content(
        frozenset((apex, "") for apex in zones),
        tuple(RecordSet(one.zone, one.owner, one.type, one.data, "") for one in (*kept, *own)),
        tuple(Balancer(tuple((key, value) for key, value in one.fields if key != "view")) for one in balancers),
    )


def is_displaced(shared: RecordSet, own: Iterable[RecordSet], is_balanced: bool) -> bool:
    """Return whether a view's own RRsets or load balancers at its owner take the place of an RRset of all views."""
    types = {one.type for one in own}
    if shared.type in types:
        return True
    if shared.type == "CNAME":
        return bool(types) or is_balanced
    return "CNAME" in types and shared.owner != f"{shared.zone}."


def zone_of(balancer: Balancer, zones: Iterable[str]) -> str:
    """Return the longest of some zones that a load balancer stands in, "" where it is in none."""
    name = balancer["name"]
    above = [apex for apex in zones if name == apex or name.endswith(f".{apex}")]
    return max(above, key=len, default="")
