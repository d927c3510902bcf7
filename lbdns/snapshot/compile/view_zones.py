"""Zones as views see them: instances, with what stands in each, and the directories that they are in.

What everybody sees is there once. A view that has something of its own in a zone sees another instance of it, in which
that takes the place of what cannot stand beside it:

| of a view       | takes the place of what everybody sees                                                    |
|-----------------|-------------------------------------------------------------------------------------------|
| a zone          | the zone of that name                                                                     |
| a CNAME         | all records and load balancers at its owner                                               |
| another RRset   | the RRset of its type, a CNAME, and the load balancer that would hide it                  |
| a load balancer | the load balancer of its type, and a CNAME; records are hidden by it as by any            |

Views that see the same in a zone share one instance.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.memo import BySequence, are_same
from lbdns.dns.codes import TYPE_CNAME
from lbdns.dns.name import encode_canonical, longest_match
from lbdns.dns.zone import RRset, Zone
from lbdns.model.balancer import LoadBalancer
from lbdns.model.configuration import Configuration
from lbdns.model.placements import made_apex, made_zone, placements
from lbdns.model.view_content import displaces_balancer, displaces_records
from lbdns.model.view_names import EVERY_VIEW, PUBLIC, view_numbers
from lbdns.snapshot.lookup.look_up import directory_of
from lbdns.snapshot.lookup.name_rows import NO_NAME


class BalancerPlace(NamedTuple):
    """A load balancer at a name of an instance (by its index). `position`: among those that are enabled."""

    instance: int
    owner: bytes
    kind: str
    position: int
    is_apex: bool


class DirectoryRow(NamedTuple):
    """A zone in a directory: an instance's index; NO_NAME where a zone of the public view is not there."""

    directory: int
    apex: bytes
    instance: int


class ViewedZones(NamedTuple):
    """Instances of zones, where they are, and all load balancers in them."""

    zones: tuple[Zone, ...]
    rows: tuple[DirectoryRow, ...]
    standing: tuple[BalancerPlace, ...]

    def rows_by_position(self, count: int) -> list[tuple[bool, ...]]:
        """Return whether each of `count` load balancers stands at an apex: once for each that it is answered in another
        way for."""
        found: list[dict[bool, None]] = [{} for _ in range(count)]
        for one in self.standing:
            found[one.position][one.is_apex] = None
        return [tuple(flags) or (False,) for flags in found]


class ViewedMemo:
    """What views saw of the last configuration: the same again where nothing of it changed."""

    def __init__(self) -> None:
        """Begin with none."""
        self._viewed: ViewedZones | None = None
        self._zones: Sequence[Zone] = ()
        self._placed: Sequence[tuple[str, str, str, int]] = ()
        self._views: Sequence[str] = ()
        self._of_view: BySequence[LoadBalancer, bool] = BySequence()
        self._of_view_count = 0

    def see(self, configuration: Configuration) -> ViewedZones | None:
        """Return the zones of a configuration as views see them; None where everybody sees all of them."""
        zones = (*configuration.zones, *(one.zone for one in configuration.unready))
        if not self._has_views(configuration, zones):
            self._viewed = None
            return None
        placed = tuple(placements(configuration))
        enabled = (one for one in configuration.load_balancers if one.enabled)
        positions = {id(one): position for position, one in enumerate(enabled)}
        standing = [(name, view, one.type, positions[id(one)]) for name, view, one in placed]
        views = tuple(configuration.settings.views)
        inputs = (*zones, *configuration.overlays)
        is_same = are_same(inputs, self._zones)
        if self._viewed is None or not is_same or standing != self._placed or views != self._views:
            self._viewed = _Viewing(zones, configuration.overlays, standing, views).finish()
            self._zones, self._placed, self._views = inputs, standing, views
        return self._viewed

    def _has_views(self, configuration: Configuration, zones: Iterable[Zone]) -> bool:
        """Return whether anything is of one view alone."""
        self._of_view.of_all(configuration.load_balancers, lambda one: bool(one.view))
        self._of_view_count += sum(self._of_view.came) - sum(self._of_view.went)
        if configuration.overlays or any(zone.view for zone in zones):
            return True
        if configuration.settings.views:
            return any(one.view for one in placements(configuration))
        return bool(self._of_view_count)


class _Placed(NamedTuple):
    owner: bytes
    kind: str
    position: int


@dataclass(slots=True)
class _Content:
    """What is of one view, or of all: zones and overlays by apex, load balancers in their order."""

    zones: dict[bytes, Zone] = field(default_factory=dict)
    overlays: dict[bytes, Zone] = field(default_factory=dict)
    balancers: list[_Placed] = field(default_factory=list)


class _Viewing:
    """One configuration's content by view, and the instances that come of it."""

    def __init__(
        self,
        zones: Iterable[Zone],
        overlays: Iterable[Zone],
        placed: Iterable[tuple[str, str, str, int]],
        views: Sequence[str],
    ) -> None:
        self._numbers = view_numbers(views)
        self._content = {view: _Content() for view in (EVERY_VIEW, *self._numbers)}
        for zone in zones:
            self._of(zone.view).zones[zone.apex] = zone
        for overlay in overlays:
            self._of(overlay.view).overlays[overlay.apex] = overlay
        for name, view, kind, position in placed:
            self._of(view).balancers.append(_Placed(encode_canonical(name), kind, position))
        everybody = self._content[EVERY_VIEW]
        self._zones = everybody.zones
        self._apexes = {apex: apex for apex in self._zones}
        for view in self._numbers:
            self._make_zones(self._of(view))
        self._balancers: dict[bytes | None, list[_Placed]] = {}
        for one in everybody.balancers:
            self._balancers.setdefault(longest_match(one.owner, self._apexes), []).append(one)
        self._instances: list[Zone] = []
        self._standing: list[BalancerPlace] = []
        self._known: dict[object, int] = {}

    def _make_zones(self, content: _Content) -> None:
        """Give a view a zone for each of its load balancers that is in none, however near another one's may be."""
        apexes = ChainMap({apex: apex for apex in content.zones}, self._apexes)
        alone = [one.owner for one in content.balancers if longest_match(one.owner, apexes) is None]
        content.zones.update({apex: made_zone(apex) for apex in map(made_apex, alone)})

    def _of(self, view: str) -> _Content:
        found = self._content.get(view)
        if found is None:
            raise LbdnsError(f'there is no view "{view}"; the configuration was not checked')
        return found

    def finish(self) -> ViewedZones:
        """Return the instances and their directories: the public one as a whole, of the others what is not as there."""
        of_public = self._see(PUBLIC)
        public = {apex: of_public.get(apex, self._seen_by_all(apex)) for apex in self._zones} | of_public
        rows = [DirectoryRow(directory_of(0), apex, instance) for apex, instance in public.items()]
        for view, number in self._numbers.items():
            if view == PUBLIC:
                continue
            own = self._see(view)
            for apex in dict.fromkeys((*own, *of_public)):
                instance = own[apex] if apex in own else self._seen_by_all(apex)
                if instance != public.get(apex, NO_NAME):
                    rows.append(DirectoryRow(directory_of(number), apex, instance))
        return ViewedZones(tuple(self._instances), tuple(rows), tuple(self._standing))

    def _seen_by_all(self, apex: bytes) -> int:
        """Return the instance of who has nothing of their own in a zone, NO_NAME where it is of another view."""
        zone = self._zones.get(apex)
        return NO_NAME if zone is None else self._instance(zone, None, self._balancers.get(apex, ()), ())

    def _see(self, view: str) -> dict[bytes, int]:
        """Return the instances of the zones in which a view has something of its own, by their apexes."""
        content = self._of(view)
        apexes = ChainMap({apex: apex for apex in content.zones}, self._apexes)
        own: dict[bytes, list[_Placed]] = {}
        for one in content.balancers:
            apex = longest_match(one.owner, apexes)
            if apex is None:
                raise LbdnsError(f"load balancer {one.position} stands in no zone; the configuration was not checked")
            own.setdefault(apex, []).append(one)
        above = {apex: longest_match(apex, self._apexes) for apex in content.zones}
        touched = dict.fromkeys((*content.zones, *content.overlays, *own, *(one for one in above.values() if one)))
        found = {}
        for apex in touched:
            zone = content.zones.get(apex, self._zones.get(apex))
            if zone is None:
                raise LbdnsError(f"{apex!r} has records of a view and no zone; the configuration was not checked")
            candidates = self._balancers.get(above.get(apex, apex), ())
            shared = [one for one in candidates if longest_match(one.owner, apexes) == apex]
            found[apex] = self._instance(zone, content.overlays.get(apex), shared, own.get(apex, ()))
        return found

    def _instance(self, zone: Zone, overlay: Zone | None, shared: Sequence[_Placed], own: Sequence[_Placed]) -> int:
        """Return the index of an instance: a zone with what a view lays over it, and load balancers of all views and of
        that one."""
        if not zone.rrsets:  # not ready to be served
            overlay, shared, own = None, (), ()
        types = _types(zone.rrsets if zone.view else (), overlay.rrsets if overlay else ())
        taken = {(one.owner, one.kind) for one in own}
        left = [one for one in shared if (one.owner, one.kind) not in taken]
        left = [one for one in left if not displaces_balancer(types.get(one.owner, ()), one.kind)]
        balancers = tuple(sorted((*left, *own), key=lambda one: one.position))
        key = id(zone), overlay.rrsets if overlay else (), balancers, tuple(one.owner for one in own)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self._instances)
            self._instances.append(laid_over(zone, overlay, {one.owner for one in own}))
            self._standing += [
                BalancerPlace(found, one.owner, one.kind, one.position, one.owner == zone.apex) for one in balancers
            ]
        return found


def _types(*several: Iterable[RRset]) -> dict[bytes, set[int]]:
    """Return the types at each owner."""
    found: dict[bytes, set[int]] = {}
    for rrsets in several:
        for rrset in rrsets:
            found.setdefault(rrset.owner, set()).add(rrset.type)
    return found


def laid_over(zone: Zone, overlay: Zone | None, balanced: set[bytes]) -> Zone:
    """Return a zone with a view's RRsets in place of those that cannot stand beside them, nor beside its load balancers
    at `balanced`: itself where that changes nothing."""
    types = _types(overlay.rrsets if overlay else ())

    def stays(rrset: RRset) -> bool:
        if rrset.type == TYPE_CNAME and not zone.view and rrset.owner in balanced:
            return False
        own = types.get(rrset.owner)
        return own is None or not displaces_records(own, rrset.type, rrset.owner == zone.apex)

    kept = tuple([rrset for rrset in zone.rrsets if stays(rrset)])
    if overlay is None:
        return zone if len(kept) == len(zone.rrsets) else Zone(zone.apex, kept, zone.file, zone.view)
    return Zone(zone.apex, (*kept, *overlay.rrsets), zone.file, overlay.view)
