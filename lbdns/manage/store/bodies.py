"""What stands in an object: an API-shaped body -> the model that checks it, and the canonical body that is stored.

Canonical means: checked, in the model's own spelling, fields at their default left out, references by id. Two bodies
that mean the same are then equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import KeptProblems
from lbdns.base.kinds import Kind
from lbdns.base.probe_types import PROBE_TYPES
from lbdns.base.words import STORED
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, Source
from lbdns.manage.store.item import Item
from lbdns.manage.store.records.record_reading import canonical_record
from lbdns.manage.store.references_by_name import NamesOf, as_api_says, to_ids, to_names
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import canonical_zone, is_secondary
from lbdns.model import bounds
from lbdns.model.balancer import LoadBalancer
from lbdns.model.kind_models import MODELS, NAMED_BESIDE
from lbdns.model.mistakes import name_mistakes
from lbdns.model.monitors import Monitor
from lbdns.model.view_names import VIEW
from lbdns.model.virtual_network import lasting_network_id

_NOT_IN_NAMES: Final = re.compile(r"[^-_a-zA-Z0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class CheckedBody:
    """An object's canonical body, and its model where it has one. With mistakes, the model is what could be mended."""

    body: dict[str, Any]
    placed: Placed[Any] | None = None


def check_body(
    kind: Kind, body: Mapping[str, Any], id: str, state: State, zone: Item | None, problems: list[Problem]
) -> CheckedBody:
    """Check one body; every mistake goes into `problems`. `zone` is that of a record or of a zone's load balancer."""
    body = without_nulls(body)
    if kind is Kind.RECORD:
        assert zone is not None, "a record has a zone"
        if is_secondary(zone):
            message = f'the records of "{zone.label}" come from its primaries; change them there'
            problems.append(Problem(STORED, 0, zone.label, message, at=(kind.section, id)))
        return CheckedBody(canonical_record(body, zone.name, problems, (kind.section, id), zone.view))
    if kind is Kind.ZONE:
        return CheckedBody(canonical_zone(body, problems, (kind.section, str(body.get("name", "")))))
    if kind is Kind.LOAD_BALANCER and zone is not None and zone.view:
        body = {**body, VIEW: body.get(VIEW) or zone.view}
    if kind is Kind.MONITOR:
        body = _without_empty(body)
    named = to_names(kind, body, state)
    name = _own_name(kind, named, id) if kind in NAMED_BESIDE else named.get(kind.called_by)
    source = Source(STORED, 0, kind.section, name if isinstance(name, str) else id)
    found = KeptProblems()
    if kind in NAMED_BESIDE:
        named.pop("name", None)
        found += [source.problem(("name",), message) for message in name_mistakes(name)]
    placed = build(MODELS[kind], named, source, found)
    told = (replace(problem, at=(*problem.at[:2], *as_api_says(kind, problem.at[2:]))) for problem in found)
    problems.extend(KeptProblems(told, found.more))
    if placed is None or found:
        return CheckedBody(dict(body) | {kind.called_by: name}, placed)
    if kind.is_of_zone:
        problems.extend(_of_another(placed, kind, zone))
    if isinstance(placed.item, LoadBalancer) and zone is not None:
        problems.extend(_outside(placed, zone))
        if placed.item.is_private:
            message = f'a private load balancer is in no zone: make it the account\'s, not one of "{zone.name}"'
            problems.append(placed.source.problem(("on_ramps",), message))
    dumped = placed.item.model_dump(mode="json", exclude_defaults=True)
    if kind is Kind.VIRTUAL_NETWORK:
        dumped.pop("id", None)  # it is the object's own
    if kind in NAMED_BESIDE:
        dumped = {"name": name, **dumped}
    return CheckedBody(to_ids(kind, dumped, state), placed)


def placed_of(item: Item, names: State | NamesOf, problems: list[Problem] | None = None) -> Placed[Any]:
    """Return the model of a stored object, which passed its checks when it was stored; `names`: of its state.

    `problems` gets what these say now: another release stored it, or it is damaged.
    """
    problems = [] if problems is None else problems
    named = to_names(item.kind, item.body, names)
    if item.kind is Kind.VIRTUAL_NETWORK and item.id != lasting_network_id(item.name):
        named["id"] = item.id
    source = Source(STORED, 0, item.kind.section, item.name)
    if item.kind in NAMED_BESIDE:
        problems += [source.problem(("name",), message) for message in name_mistakes(named.pop("name", None))]
    placed = build(MODELS[item.kind], named, source, problems, is_stored=True)
    if placed is None:
        placed = Placed(MODELS[item.kind].model_construct(), source)
    return placed


def without_nulls(value: Any) -> Any:
    """Return a body without the fields that are null: null says that a field goes back to its default."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [without_nulls(item) for item in value]
    return value


def _without_empty(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a monitor's body without the fields that act with its type and are "": clients that send every field, set
    or not, mean none by it."""
    row = PROBE_TYPES.get(str(body.get("type", Monitor.model_fields["type"].default)))
    own = row.own_fields if row is not None else ()
    return {key: value for key, value in body.items() if value != "" or key not in own}


def _own_name(kind: Kind, body: Mapping[str, Any], id: str) -> Any:
    """Return a monitor's or group's name: as given, else made of its description, else of its type and id."""
    if "name" in body:
        return body["name"]
    description = body.get("description")
    made = _NOT_IN_NAMES.sub("-", description).strip("-") if isinstance(description, str) else ""
    stem = str(body.get("type", "http")) if kind is Kind.MONITOR else kind.words.rpartition(" ")[2]
    return f"{made[: bounds.MAX_OBJECT_NAME_CHARS - 9]}-{id[:8]}" if made else f"{stem}-{id[:8]}"


def _of_another(placed: Placed[Any], kind: Kind, zone: Item | None) -> list[Problem]:
    """Return what is wrong with transfers of a zone that stand in another, or in none."""
    if zone is None or placed.item.name != zone.name:
        where = f"those of {zone.name}" if zone is not None else "of no zone here"
        return [placed.source.problem(("name",), f'the {kind.words} of "{placed.item.name}" would be {where}')]
    if kind is Kind.INCOMING and not is_secondary(zone):
        message = f'"{zone.name}" has records of its own; a zone that comes from peers is of the type "secondary"'
        return [placed.source.problem(("name",), message)]
    return []


def _outside(placed: Placed[Any], zone: Item) -> list[Problem]:
    name, view = placed.item.name, placed.item.view
    if name != zone.name and not name.endswith(f".{zone.name}"):
        return [placed.source.problem(("name",), f'"{name}" is not in the zone "{zone.label}"')]
    if zone.view not in ("", view):
        message = f'what is in the zone "{zone.label}" is of its view, "{zone.view}"; leave it out'
        return [placed.source.problem((VIEW,), message)]
    return []
