"""Balancing objects: what is stored <-> what the API says.

Stored bodies leave out what is at its default; the API echoes every field. Requests may repeat what only the server
sets, so that an object that was read can be sent back, and may set to nothing what lbdns has no use for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from lbdns.base.errors import Problem
from lbdns.base.words import STORED
from lbdns.manage.store.bodies import MODELS, NAMED_BESIDE, SECTIONS
from lbdns.manage.store.item import Item, Kind
from lbdns.manage.store.state import State

BALANCING: Final = (Kind.MONITOR, Kind.MONITOR_GROUP, Kind.POOL, Kind.LOAD_BALANCER)
READ_ONLY: Final = ("id", "created_on", "modified_on", "disabled_at", "zone_name")
"""Fields that the server sets; ignored in requests."""
MEMBER_READ_ONLY: Final = ("created_at", "updated_at")
WITHOUT_EFFECT: Final[dict[Kind, dict[str, str]]] = {
    Kind.MONITOR: {"probe_zone": "lbdns probes as itself"},
    Kind.MONITOR_GROUP: {},
    Kind.POOL: {
        "notification_email": "who is notified stands in lbdns.yaml, under notifications",
        "health_sources": "there is one source of health",
        "networks": "there is one network",
    },
    Kind.LOAD_BALANCER: {
        "networks": "there is one network",
        "pool_sets": "pool sets are not served; use region_pools, country_pools or pop_pools",
    },
}
"""Fields of the v4 API that lbdns has no use for, and why: they may be sent empty alone."""
EMPTY_IS_NONE: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.MONITOR: (),
    Kind.MONITOR_GROUP: (),
    Kind.POOL: ("monitor", "monitor_group"),
    Kind.LOAD_BALANCER: ("session_affinity",),
}
"""Fields where clients send "" for none."""
ECHOED: Final[dict[Kind, dict[str, Any]]] = {
    Kind.MONITOR: {},
    Kind.MONITOR_GROUP: {},
    Kind.POOL: {"notification_email": ""},
    Kind.LOAD_BALANCER: {},
}
"""Fields without effect that clients expect to read back."""

Fill = Callable[[Any], Any]


class _Field(NamedTuple):
    """A field of a model: what it is called in stored bodies, its default as JSON, and how to fill what it holds."""

    name: str
    default: Any
    fill: Fill | None


def _models_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation such as `tuple[Endpoint, ...]` or `NotificationScope | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_models_in, getattr(annotation, "__args__", ()))), None)


def _fields(model: type[BaseModel]) -> tuple[_Field, ...]:
    """Return the fields of a model with their defaults, whole: also inside of defaults nothing is left out."""
    found = []
    for name, field in model.model_fields.items():
        held = _models_in(field.annotation)
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            default = default.model_dump(mode="json")
        elif isinstance(default, tuple):
            default = list(default)
        found.append(_Field(name, default, _filler(held) if held is not None else None))
    return tuple(found)


def _filler(model: type[BaseModel]) -> Fill:
    fields = _fields(model)

    def fill(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: default if name not in value else value[name] if inner is None else inner(value[name])
                for name, default, inner in fields
            }
        return [fill(item) for item in value] if isinstance(value, (list, tuple)) else value

    return fill


_FILLERS: Final = {kind: _filler(MODELS[kind]) for kind in BALANCING}
_MEMBER_FILLER: Final = _filler(_models_in(MODELS[Kind.MONITOR_GROUP].model_fields["members"].annotation))  # type: ignore[arg-type]


def shown(item: Item, state: State) -> dict[str, Any]:
    """Return an object as the API says it: every field, references by id."""
    body: dict[str, Any] = {"id": item.id}
    if item.kind in NAMED_BESIDE:
        body["name"] = item.name
    body |= _FILLERS[item.kind](item.body)
    if item.kind is Kind.MONITOR_GROUP:
        body["members"] = [_member(member) for member in item.body["members"]]
    if item.zone_id:
        zone = state.get(Kind.ZONE, item.zone_id)
        body["zone_name"] = zone.name if zone is not None else ""
    return body | ECHOED[item.kind] | {"created_on": item.created_on, "modified_on": item.modified_on}


def _member(member: Mapping[str, Any]) -> dict[str, Any]:
    filled: dict[str, Any] = _MEMBER_FILLER(member)
    filled.pop("monitor")
    return {"monitor_id": member["monitor_id"], **filled}


def taken(kind: Kind, body: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return a request's body as the store takes it; what lbdns cannot do goes into `problems`."""
    made = {key: value for key, value in body.items() if key not in READ_ONLY}
    name = made["name"] if isinstance(made.get("name"), str) else ""
    for key, why in WITHOUT_EFFECT[kind].items():
        if made.pop(key, None) not in (None, "", []):
            problems.append(Problem(STORED, 0, key, f"{why}; leave it out", at=(SECTIONS[kind], name, key)))
    for key in EMPTY_IS_NONE[kind]:
        if made.get(key) == "":
            made[key] = None
    if kind is Kind.POOL:
        _each(made, "origins", ("disabled_at",))
    elif kind is Kind.MONITOR_GROUP:
        _each(made, "members", MEMBER_READ_ONLY)
    return made


def _each(body: dict[str, Any], key: str, ignored: tuple[str, ...]) -> None:
    """Leave out what the server sets of each object in a list."""
    items = body.get(key)
    if isinstance(items, list):
        body[key] = [
            {name: value for name, value in item.items() if name not in ignored} if isinstance(item, dict) else item
            for item in items
        ]
