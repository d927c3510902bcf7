"""Differences as people and programs read them: of a change, or between two states; references by name.

Of an object that changed, the fields that differ, each by its path, defaults spelled out:

    {"action": "update", "kind": "load_balancer", "id": "...", "name": "www.example.com", "type": "A",
     "fields": [{"field": "steering_policy", "before": "off", "after": "geo"},
                {"field": "region_pools.ENAM", "after": ["us", "eu"]}]}

Of one that was created, the fields that are not at their default; of one that was deleted, those that were not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel

from lbdns.base.kinds import SHOWN, Kind
from lbdns.manage.store.bodies import placed_of
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.records.record_bodies import NAME_SERVER
from lbdns.manage.store.references_by_name import to_names
from lbdns.manage.store.state import State
from lbdns.model.fields import never_shown
from lbdns.model.kind_models import MODELS, NAMED_BESIDE
from lbdns.model.monitors import GroupMember
from lbdns.model.pool import Endpoint
from lbdns.model.rule import PoolSet, Rule
from lbdns.model.view_names import VIEW

Action = Literal["create", "update", "delete"]
_LISTS: Final[dict[str, tuple[str, type[BaseModel]]]] = {
    "origins": ("name", Endpoint),
    "members": ("monitor", GroupMember),
    "rules": ("name", Rule),
    "pool_sets": ("name", PoolSet),
}
"""Lists of mappings: what tells their items apart, and what these are."""
SECRET_FIELDS: Final = {kind: never_shown(MODELS[kind]) if kind in MODELS else frozenset() for kind in Kind}
"""The fields that hold secrets."""
SECRET: Final = "(secret)"
"""Stands for a secret's value."""
_MISSING: Final = object()


def between(before: State, after: State) -> list[Change]:
    """Return the changes that lead from one state to another."""
    changes = []
    for kind in Kind:
        old, new = before.all(kind), after.all(kind)
        if old is new:
            continue
        changes += [Change(item, None) for id, item in old.items() if id not in new]
        changes += [Change(old.get(id), item) for id, item in new.items() if _differ(old.get(id), item)]
    return changes


def describe(changes: Iterable[Change], before: State, after: State) -> list[dict[str, Any]]:
    """Return each change as JSON, in the order of SHOWN; `before` and `after` are the states around all of them."""
    return list(described(changes, before, after))


def described(changes: Iterable[Change], before: State, after: State) -> Iterator[dict[str, Any]]:
    """Yield the same one by one: of a whole configuration they take more than it does."""
    return (_described(change, before, after) for change in sorted(changes, key=_place))


def count(changes: Iterable[Change]) -> dict[str, dict[str, int]]:
    """Return how many objects of each kind are created, updated and deleted: {"create": {"pool": 2}, ...}."""
    counts: dict[str, dict[str, int]] = {"create": {}, "update": {}, "delete": {}}
    for change in changes:
        of_action = counts[_action(change)]
        of_action[change.item.kind] = of_action.get(change.item.kind, 0) + 1
    return counts


def _place(change: Change) -> tuple[int, str, str, str]:
    """Return what puts changes in order: by kind, then as they came; records by zone, name and type."""
    item = change.item
    if item.kind is not Kind.RECORD:
        return SHOWN.index(item.kind), "", "", ""
    return SHOWN.index(item.kind), item.zone_id, item.name, str(item.body["type"])


def _differ(before: Item | None, after: Item) -> bool:
    return before is None or before.body != after.body or before.zone_id != after.zone_id


def _action(change: Change) -> Action:
    if change.before is None:
        return "create"
    return "delete" if change.after is None else "update"


def _described(change: Change, before: State, after: State) -> dict[str, Any]:
    item = change.item
    made: dict[str, Any] = {"action": _action(change), "kind": item.kind.value, "id": item.id, "name": item.name}
    if item.view:
        made[VIEW] = item.view
    zone = _zone_name(item, after) or _zone_name(item, before)
    if zone is not None:
        made["zone"] = zone
    if item.kind in (Kind.LOAD_BALANCER, Kind.RECORD):
        made["type"] = item.body.get("type", "A")
    if change.before is not None and change.after is not None:
        whole = _whole(change.before, before), _whole(change.after, after)
        made["fields"] = [_without_secret(one, item.kind) for one in _compared(*whole)]
        if change.before.zone_id != change.after.zone_id:
            made["fields"].append(_field("zone", _zone_name(change.before, before), _zone_name(change.after, after)))
    else:
        side, state = ("before", before) if change.after is None else ("after", after)
        made["fields"] = [
            _without_secret({"field": field, side: value}, item.kind) for field, value in _sparse(item, state)
        ]
    return made


def _without_secret(field: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """Return a field that differs; of a secret, that it does, and not what it is."""
    if field["field"] not in SECRET_FIELDS[kind]:
        return field
    return {key: value if key == "field" or value is None else SECRET for key, value in field.items()}


def _zone_name(item: Item, state: State) -> str | None:
    zone = state.get(Kind.ZONE, item.zone_id) if item.zone_id else None
    return zone.label if zone is not None else None


def _sparse(item: Item, state: State) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are not at their default, but name, type and view, and whose a name server's record is."""
    for field, value in to_names(item.kind, item.body, state).items():
        is_title = field in ("name", VIEW) or (field == "type" and item.kind in (Kind.LOAD_BALANCER, Kind.RECORD))
        if not is_title and field != NAME_SERVER:
            yield field, value


def _whole(item: Item, state: State) -> dict[str, Any]:
    """Return every field with its value, defaults included, references by name."""
    if item.kind in (Kind.ZONE, Kind.RECORD):
        return dict(item.body)
    body: dict[str, Any] = placed_of(item, state).item.model_dump(mode="json")
    return {"name": item.name, **body} if item.kind in NAMED_BESIDE else body


def _compared(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[dict[str, Any]]:
    """Yield the fields that differ."""
    for field in {**before, **after}:
        old, new = before.get(field, _MISSING), after.get(field, _MISSING)
        if old == new:
            continue
        where = f"{path}.{field}" if path else field
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _compared(old, new, where)
        elif field in _LISTS and isinstance(old, list) and isinstance(new, list):
            yield from _compared_lists(old, new, where, *_LISTS[field])
        else:
            yield _field(where, old, new)


def _compared_lists(
    old: list[Any], new: list[Any], where: str, key: str, model: type[BaseModel]
) -> Iterator[dict[str, Any]]:
    """Yield the items that came, went or changed; their order, where nothing but it differs. Where one has no name of
    its own, the lists are told as a whole."""
    before, after = ({str(item[key]): item for item in items if item.get(key)} for items in (old, new))
    if len(before) < len(old) or len(after) < len(new):
        yield _field(where, old, new)
        return
    for name in {**before, **after}:
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            yield _field(f"{where}.{name}", _shortened(was, key, model), _shortened(now, key, model))
        else:
            yield from _compared(was, now, f"{where}.{name}")
    common = [name for name in before if name in after]
    if common != [name for name in after if name in before]:
        yield _field(where, list(before), list(after))


def _shortened(item: Mapping[str, Any] | None, key: str, model: type[BaseModel]) -> Any:
    """Return an item of a list without the name that its path says, and without what is at its default."""
    if item is None:
        return _MISSING
    defaults = {name: field.get_default(call_default_factory=True) for name, field in model.model_fields.items()}
    return {field: value for field, value in item.items() if field != key and value != defaults.get(field)}


def _field(where: str, old: Any, new: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"field": where}
    if old is not _MISSING:
        made["before"] = old
    if new is not _MISSING:
        made["after"] = new
    return made
