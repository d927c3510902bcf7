"""A state -> the Configuration that is served, by the checks that files go through. What is unchanged is kept."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress
from typing import Any

from lbdns.base.errors import Problem
from lbdns.base.kinds import ALERTING, BALANCING, REFERRED, Kind
from lbdns.base.memo import are_same
from lbdns.base.words import STORED
from lbdns.config.checks.check_memo import CheckMemo
from lbdns.config.checks.references import check_references
from lbdns.config.examined import Examined
from lbdns.config.loading import examine_objects
from lbdns.config.yaml.objects import Objects
from lbdns.config.yaml.source import Placed
from lbdns.dns.name import BadName, encode_canonical
from lbdns.dns.zone import Zone
from lbdns.manage.store.bodies import placed_of
from lbdns.manage.store.edit import unique_key
from lbdns.manage.store.item import Item
from lbdns.manage.store.kept_models import KeptModels
from lbdns.manage.store.located_problems import LocatedProblems, beside
from lbdns.manage.store.making import destinations_by_tokens, pools_by_tokens
from lbdns.manage.store.private_balancers import is_misnamed, is_unplaced
from lbdns.manage.store.references_by_name import NamesOf
from lbdns.manage.store.state import Items, State
from lbdns.manage.store.unreadable import Unreadable, set_aside
from lbdns.manage.store.zones.drafted_zones import DraftedZone, drafted_zone
from lbdns.manage.store.zones.zone_bodies import by_view, is_secondary
from lbdns.model.configuration import UnreadyZone
from lbdns.model.placements import private_views
from lbdns.model.private_names import as_address, name_mistake
from lbdns.model.settings import Settings
from lbdns.model.view_names import VIEW


class Builder:
    """Reads states one after another; keeps the models and zones of the last one."""

    def __init__(self, account_id: str = "") -> None:
        """Begin with nothing; `account_id` goes into every configuration."""
        self._account_id = account_id
        self._referred: dict[Kind, Items] = {kind: {} for kind in REFERRED}
        self._models = {kind: KeptModels() for kind in BALANCING}
        self._drafted: dict[str, dict[str, DraftedZone]] = {}  # by a zone's id: it under "", and by view what that sees
        self._opened: dict[str, tuple[Placed[Any], Placed[Any]]] = {}  # as stored, as served to the private views
        self._memo = CheckMemo()
        self._warnings = LocatedProblems()
        self._busy = threading.Lock()

    def examine(self, state: State, settings: Settings, mended: Mapping[str, Placed[Any]] | None = None) -> Examined:
        """Check a state. `mended`, where bodies have mistakes, has by id what could be made of them; then there is no
        configuration: nothing may be asked of such bodies."""
        with self._busy:
            return self._examine(state, settings, mended)

    def forget(self) -> None:
        """Read every object anew: references that led nowhere may lead somewhere."""
        with self._busy:
            self._forget_models()

    def sift(self, state: State) -> State:
        """Return a state as it was stored, with what cannot be read set aside.

        That is what its model refuses, what has the name of another, and what is in a zone that there is not.
        """
        with self._busy:
            self._follow_names(state)
            refused: dict[str, Unreadable] = {}
            for item, why in chain(self._refused_objects(state), self._refused_zones(state), _astray(state)):
                if item.id not in refused:
                    refused[item.id] = set_aside(item, why)
            return state.beside(refused) if refused else state

    def _refused_objects(self, state: State) -> Iterator[tuple[Item, Sequence[str]]]:
        names = NamesOf(state)
        for kind in BALANCING:
            read: list[tuple[Item, Placed[Any]]] = []
            for item in state.all(kind).values():
                problems: list[Problem] = []
                try:
                    model = placed_of(item, names, problems)
                except Exception as error:  # whatever a body may hold, it is told and not raised
                    yield item, (f"lbdns failed on it: {error!r}",)
                    continue
                if problems:
                    yield item, [f"{one.path}: {one.message}" for one in problems]
                else:
                    read.append((item, model))
            self._models[kind].hold(read)

    def _refused_zones(self, state: State) -> Iterator[tuple[Item, Sequence[str]]]:
        for id, item in state.all(Kind.ZONE).items():
            records, lost = state.records(id), dict[str, str]()
            try:
                self._drafted[id] = self._zones(item, state, lost)
            except Exception as error:
                yield item, (str(error) if isinstance(error, BadName) else f"lbdns failed on it: {error!r}",)
                continue
            if lost:
                del self._drafted[id]
            for lost_id, why in lost.items():
                yield records.get(lost_id, item), (why,)

    def _examine(self, state: State, settings: Settings, mended: Mapping[str, Placed[Any]] | None) -> Examined:
        self._follow_names(state)
        objects = Objects()
        apart = Objects(declared=objects.declared)  # the load balancers that nobody could ask for
        private = private_views(settings.views)
        self._objects(state, objects, apart, bool(private), mended or {})
        by_zone = {id: self._zones(item, state) for id, item in state.all(Kind.ZONE).items()}
        drafted = [one for of_zone in by_zone.values() for one in of_zone.values()]
        self._drafted = by_zone
        keyed = {(one.draft.apex, one.draft.view): one for one in drafted}
        examined = examine_objects(
            settings,
            objects,
            {key: one.draft for key, one in keyed.items()},
            {key: one.zone for key, one in keyed.items()},
            self._memo,
        )
        places = {one.draft.file: one for one in drafted}
        apart_errors = check_references(apart, CheckMemo())
        errors = *LocatedProblems().located(examined.errors, places), *apart_errors, *_beside_own(state)
        warnings = self._warnings.located(examined.warnings, places)
        warnings = beside(warnings, (*_unanswered(apart), *_public(state, objects, private)))
        configuration = None
        are_local = all(one.are_local for one in self._models.values())
        if not errors and mended is None and examined.configuration is not None:
            configuration = replace(
                examined.configuration,
                pool_ids=self._models[Kind.POOL].ids_by_name(objects.pools),
                account_id=self._account_id,
                pools_by_tokens=pools_by_tokens(state, are_local, any(one.is_foreign for one in drafted)),
                store_revision=state.revision,
                alerting_ids=_alerting_ids(state),
                destinations_by_tokens=destinations_by_tokens(state),
                unready=(*examined.configuration.unready, *_without_primaries(state)),
            )
        return replace(examined, configuration=configuration, errors=errors, warnings=warnings)

    def _objects(
        self, state: State, objects: Objects, apart: Objects, opens: bool, mended: Mapping[str, Placed[Any]]
    ) -> None:
        """Sort the objects of a state into `objects`, and into `apart` those that nobody could ask for.

        `opens`: there is a view that serves private load balancers.
        """
        self._opened, opened = {}, self._opened
        names = NamesOf(state)
        for kind in BALANCING:
            items, known = state.all(kind), self._models[kind]
            placed = known.read(items, lambda item: placed_of(item, names))
            if mended:
                placed = [mended.get(id, one) for id, one in zip(items, placed, strict=True)]
            if kind.is_keyed:
                objects.declared[kind.section], objects.keyed[kind] = known.by_name(placed)
            elif kind is Kind.LOAD_BALANCER and not known.are_of_zones:
                self._sort_balancers(state, objects, apart, opens, zip(items.values(), placed, strict=True), opened)
            else:
                objects.put(kind, placed)

    def _sort_balancers(
        self,
        state: State,
        objects: Objects,
        apart: Objects,
        opens: bool,
        balancers: Iterable[tuple[Item, Placed[Any]]],
        opened: Mapping[str, tuple[Placed[Any], Placed[Any]]],
    ) -> None:
        """Sort load balancers of which some may be such that nobody could ask for them; `opened`: those of before."""
        placed_here: list[Placed[Any]] = []
        left_apart: list[Placed[Any]] = []
        for item, placed in balancers:
            if not is_unplaced(item, state):
                placed_here.append(placed)
            elif opens and not is_misnamed(item.name):
                before = opened.get(item.id)
                if before is None or before[0] is not placed:
                    before = placed, replace(placed, item=placed.item.model_copy(update={"on_ramps": ()}))
                self._opened[item.id] = before
                placed_here.append(before[1])
            else:
                left_apart.append(placed)
        objects.put(Kind.LOAD_BALANCER, placed_here)
        apart.put(Kind.LOAD_BALANCER, left_apart)

    def _zones(self, item: Item, state: State, lost: dict[str, str] | None = None) -> dict[str, DraftedZone]:
        """Return a zone, and by view what each sees otherwise in it; what is unchanged is what it was."""
        records = state.records(item.id)
        if is_secondary(item):
            return {}
        before = self._drafted.get(item.id, {})
        if before and before[""].item is item and before[""].records is records:
            return before
        found = {}
        for view, own in by_view(records).items():
            there = before.get(view) if view else None
            if there is not None and _are_same(there.own, own):
                found[view] = there
                continue
            found[view] = drafted_zone(item, records, own, view, before.get(view), lost)
        return found

    def _follow_names(self, state: State) -> None:
        """Forget every model where an object that others refer to has another name than before."""
        referred = {kind: state.all(kind) for kind in REFERRED if any(state.all(user) for user in kind.users)}
        for kind, before in self._referred.items():
            now = referred.get(kind, {})
            if now is before:
                continue
            others = compress(now.values(), map(operator.is_not, now.values(), map(before.get, now)))
            if any(item.id in before and before[item.id].name != item.name for item in others):
                self._forget_models()
        self._referred = referred

    def _forget_models(self) -> None:
        for known in self._models.values():
            known.clear()


def _without_primaries(state: State) -> Iterator[UnreadyZone]:
    """Yield each secondary zone of which nobody has said where it comes from."""
    coming = {item.name for item in state.all(Kind.INCOMING).values() if item.body.get("peers")}
    for zone in state.all(Kind.ZONE).values():
        if is_secondary(zone) and zone.name not in coming:
            why = f"{zone.label} is secondary, and has no primaries yet: give it incoming transfers"
            yield UnreadyZone(Zone(encode_canonical(zone.name), (), "", zone.view), (why,))


def _alerting_ids(state: State) -> dict[str, str]:
    """Return the ids of policies and destinations, by kind and name."""
    kinds = (kind for kind in BALANCING if kind.area.startswith(ALERTING))
    return {f"{kind} {item.name}": id for kind in kinds for id, item in state.all(kind).items()}


def _are_same(before: Items, now: Items) -> bool:
    """Tell whether records are the very ones that they were, in the same order."""
    return are_same(tuple(before.values()), tuple(now.values()))


def _beside_own(state: State) -> Iterator[Problem]:
    """Yield a problem for what a view sees in a zone that all see where it has a zone of the same name: who may write
    one of the two has no say in the other."""
    for zone in state.all(Kind.ZONE).values():
        base = state.named(Kind.ZONE, zone.name) if zone.view else None
        if base is None:
            continue
        message = f'the view "{zone.view}" has a zone of its own, "{zone.label}", which this is to be in'
        for record in state.records(base.id).values():
            if record.view == zone.view:
                path = f"{record.name} {record.body.get('type')}"
                yield Problem(STORED, 0, path, message, at=("records", record.id, VIEW))
        for balancer in state.all(Kind.LOAD_BALANCER).values():
            if balancer.zone_id == base.id and balancer.view == zone.view:
                section = Kind.LOAD_BALANCER.section
                yield Problem(STORED, 0, f"{section}.{balancer.name}", message, at=(section, balancer.name, VIEW))


def _astray(state: State) -> Iterator[tuple[Item, Sequence[str]]]:
    """Yield what is in a zone that there is not, and what has the name of an object before it."""
    zones = {*state.all(Kind.ZONE), *(one.id for one in state.unreadable if one.kind == Kind.ZONE)}
    for zone_id in state.zones_of_records():
        if zone_id not in zones:
            for record in state.records(zone_id).values():
                yield record, (f'its zone "{zone_id}" is not in the store',)
    for kind in (*BALANCING, Kind.ZONE):
        first: dict[tuple[str, ...], Item] = {}
        for item in state.all(kind).values():
            other = first.setdefault(unique_key(item), item)
            if other is not item:
                yield item, (f"it has the name of the {kind.words} {other.id}; names are unique",)
            elif item.zone_id and item.zone_id not in zones:
                yield item, (f'its zone "{item.zone_id}" is not in the store',)


def _unanswered(apart: Objects) -> Iterator[Problem]:
    """Yield a warning for each load balancer that is kept for want of a view or zone: an earlier release stored it."""
    for placed in apart.load_balancers:
        name = placed.item.name
        if mistake := name_mistake(name):
            message = f"{mistake}; it is kept, and answers nobody"
        elif as_address(name) is not None:
            message = f"{name} is an IP address, and no view is private; it is kept, and answers nobody until one is"
        else:
            message = (
                f'"{name}" is in none of the zones hosted here, and no view is private; it is kept, and answers nobody '
                "until one is"
            )
        yield placed.source.warning(("name",), message)


def _public(state: State, objects: Objects, private: Sequence[str]) -> Iterator[Problem]:
    """Yield a warning for each load balancer of the account that a zone serves to everybody, where there are views for
    it to be private in: an earlier release stored it."""
    if not private:
        return
    kept = {
        (item.name, item.body.get("type", "A"))
        for item in state.all(Kind.LOAD_BALANCER).values()
        if not item.zone_id and item.body.get("on_ramps") is None and not item.body.get("view")
    }
    for placed in objects.load_balancers if kept else ():
        if not placed.item.is_private and (placed.item.name, placed.item.type) in kept:
            message = "is the account's and names no on_ramps: a zone has its name, so everybody is answered"
            yield placed.source.warning(("name",), message)
