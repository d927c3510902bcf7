"""Balancing objects: what is stored <-> what the API says.

Stored bodies leave out what is at its default; the API echoes every field but those marked SHOWN_WHERE_SET, and what is
AsSent as it was sent. Requests may repeat what only the server sets, so that an object that was read can be sent back,
and may set to nothing what lbdns has no use for.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel

from lbdns.base.errors import Problem
from lbdns.base.json_values import as_written
from lbdns.base.kinds import ALERTING, BALANCING, NETWORKING, SECONDARY_DNS, Kind
from lbdns.base.reference_paths import ITEMS, KEYS, VALUES, Path
from lbdns.base.words import INNER_SET_BY_SERVER, NETWORKS_SET_BY_SERVER, SET_BY_SERVER, STORED
from lbdns.manage.api.frame.pointers import Steps
from lbdns.manage.api.frame.reply_messages import tell
from lbdns.manage.store.disabling import origin_key
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State
from lbdns.model.fields import AsSent, never_shown, shown_where_set
from lbdns.model.kind_models import MODELS, NAMED_BESIDE, REQUIRED

EMPTY_ALONE: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.POOL: {
        "notification_email": "who is told stands in notification policies, and in lbdns.yaml under notifications"
    },
}
"""Fields of the v4 API that lbdns does not have, and why. They may be sent empty: who fills them wants something done.
Those that ask for nothing are fields of the models, kept without effect."""
READ_AS: Final[Mapping[Kind, Mapping[str, Mapping[str, str]]]] = {
    Kind.LOAD_BALANCER: {"steering_policy": {"random_steering": "random"}},
}
"""Values that the v4 API's documents print, and the values that they mean."""
ALSO_CALLED: Final[Mapping[Kind, Mapping[str, str]]] = {Kind.VIRTUAL_NETWORK: {"is_default": "is_default_network"}}
"""Other names that the v4 API has for fields, and what they are called here."""
NO_EFFECT: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.ROUTE: {"tunnel_id": "how a network is reached says its via"},
    Kind.POLICY: {"alert_interval": "no alert of load balancing is told again while it lasts"},
}
"""Fields of the v4 API that are kept and shown, and why they do not act."""
ALSO_EMPTY: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.LOAD_BALANCER: ("session_affinity",)}
"""Fields where clients send "" for none, beside references that need not be."""
ECHOED: Final[Mapping[Kind, dict[str, Any]]] = {Kind.POOL: {"notification_email": ""}}
"""Fields without effect that clients expect to read back."""

_TIMES: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.WEBHOOK: ("created_at", ""),
    Kind.PAGERDUTY: ("", ""),
    Kind.POLICY: ("created", "modified"),
    Kind.SILENCE: ("created_at", "updated_at"),
    Kind.TSIG: ("", ""),
    Kind.PEER: ("", ""),
    Kind.ACL: ("", ""),
    Kind.INCOMING: ("created_time", "modified_time"),
    Kind.OUTGOING: ("created_time", "modified_time"),
}
"""What the v4 API calls when an object was made, and when it was changed last, where not as elsewhere; "": it says
nothing of it."""
WEBHOOK_STATE: Final = ("type", "last_success", "last_failure")
"""What the v4 API says of a webhook beside what was sent."""

TRANSFER_STATE: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INCOMING: ("checked_time", "soa_serial"),
    Kind.OUTGOING: ("checked_time", "last_transferred_time", "soa_serial"),
}
"""What it says of a zone's transfers, likewise."""

Fill = Callable[[Any], Any]


def times_of(kind: Kind) -> tuple[str, ...]:
    """Return the fields that say when objects of a kind were made and changed last."""
    if kind.area == NETWORKING:
        return ("created_at", "deleted_at")
    return tuple(filter(None, _TIMES.get(kind, ("created_on", "modified_on"))))


def set_by_server(kind: Kind) -> tuple[str, ...]:
    """Return the fields of a kind's objects that the API shows, or may show, and ignores in requests."""
    if kind.area == NETWORKING:
        return NETWORKS_SET_BY_SERVER
    if kind.area.startswith(ALERTING):
        return ("id", *times_of(kind), *(WEBHOOK_STATE if kind is Kind.WEBHOOK else ()))
    if kind.area == SECONDARY_DNS:
        return ("id", *times_of(kind), *TRANSFER_STATE.get(kind, ()))
    return SET_BY_SERVER


class ShownField(NamedTuple):
    """A field of a model: what it is called in stored bodies, its default as JSON, and how to fill what it holds.

    `always`: it is shown at its default too.
    """

    name: str
    default: Any
    fill: Fill | None
    always: bool


def _fields(model: type[BaseModel], path: Path, api_fields: Mapping[Path, str]) -> tuple[ShownField, ...]:
    """Return the fields of a model with their defaults, whole: also inside of defaults nothing is left out.

    `path` leads to the model, inside an object whose references `api_fields` has by their paths, items left out.
    """
    found = []
    where_set, secret = shown_where_set(model), never_shown(model)
    for name, field in model.model_fields.items():
        if name in secret:
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            default = filler(type(default), (*path, name), api_fields)({})
        elif isinstance(default, tuple):
            default = list(default)
        elif isinstance(default, float):
            default = as_written(default)
        at = (*path, name)
        fill = _filler_of(field.annotation, at, api_fields)
        found.append(ShownField(api_fields.get(at, name), default, fill, name not in where_set))
    return tuple(found)


def _filler_of(annotation: Any, path: Path, api_fields: Mapping[Path, str]) -> Fill | None:
    """Return what fills the models that an annotation such as `tuple[Endpoint, ...]` holds; None: it has none, or what
    it has is shown as it was sent."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return None if issubclass(annotation, AsSent) else filler(annotation, path, api_fields)
    held = next(filter(None, (_filler_of(one, path, api_fields) for one in get_args(annotation))), None)
    if held is None or get_origin(annotation) is not dict:
        return held
    fill = held
    return lambda value: {key: fill(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def filler(model: type[BaseModel], path: Path, api_fields: Mapping[Path, str]) -> Fill:
    """Return what gives a stored body, or each of a list, the fields that it leaves out."""
    return _filling(_fields(model, path, api_fields))


def _filling(fields: tuple[ShownField, ...]) -> Fill:
    def fill(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: default if name not in value else value[name] if inner is None else inner(value[name])
                for name, default, inner, always in fields
                if always or name in value
            }
        return [fill(item) for item in value] if isinstance(value, (list, tuple)) else value

    return fill


def _api_fields(kind: Kind) -> dict[Path, str]:
    """Return what the API calls the fields of a kind's references, by their paths without what is no field."""
    return {
        tuple(step for step in field.path if step not in (ITEMS, VALUES, KEYS)): field.api_path[-1]
        for field in kind.references
        if field.api_field
    }


SHOWN_FIELDS: Final = {kind: _fields(MODELS[kind], (), _api_fields(kind)) for kind in BALANCING}
"""What is shown of a kind's objects, in this order, between what stands before and behind."""
_FILLERS: Final = {kind: _filling(fields) for kind, fields in SHOWN_FIELDS.items()}
_SAYS_WHEN: Final = {
    kind: ("created_at", "") if kind.area == NETWORKING else _TIMES.get(kind, ("created_on", "modified_on"))
    for kind in Kind
}
_EMPTY_IS_NONE: Final = {
    kind: (
        *(field.path[0] for field in kind.references if len(field.path) == 1 and field.path[0] not in REQUIRED[kind]),
        *ALSO_EMPTY.get(kind, ()),
    )
    for kind in BALANCING
}


class ShownBeside(NamedTuple):
    """What is shown of an object beside its fields: an attribute of it, or ("") the same of all of its kind."""

    name: str
    attribute: str = ""
    same: Any = None

    def of(self, item: Item) -> Any:
        """Return what is shown of an object."""
        return getattr(item, self.attribute) if self.attribute else self.same


@lru_cache(1024)
def shown_beside(kind: Kind, zone_name: str | None) -> tuple[Sequence[ShownBeside], Sequence[ShownBeside]]:
    """Return what is shown before and behind the fields of objects of a kind; `zone_name`: of the zone that they are
    in, None where they are in none."""
    before, behind = [ShownBeside("id", "id")], list[ShownBeside]()
    if kind in NAMED_BESIDE:
        before.append(ShownBeside("name", "name"))
    if zone_name is not None:
        behind.append(ShownBeside("zone_name", same=zone_name))
    behind += [ShownBeside(name, same=value) for name, value in ECHOED.get(kind, {}).items()]
    times = zip(_SAYS_WHEN[kind], ("created_on", "modified_on"), strict=True)
    behind += [ShownBeside(name, attribute) for name, attribute in times if name]
    if kind.area == NETWORKING:
        behind.append(ShownBeside("deleted_at"))
    return tuple(before), tuple(behind)


def zone_name_of(item: Item, state: State) -> str | None:
    """Return the name of the zone that an object is in, "" where there is none such, None where it is in none."""
    if not item.zone_id:
        return None
    zone = state.get(Kind.ZONE, item.zone_id)
    return zone.name if zone is not None else ""


def shown(item: Item, state: State) -> dict[str, Any]:
    """Return an object as the API says it: every field, references by id."""
    beside = shown_beside(item.kind, zone_name_of(item, state))
    before, behind = ({one.name: one.of(item) for one in those} for those in beside)
    body: dict[str, Any] = before | _FILLERS[item.kind](item.body) | behind
    for key, since in item.disabled_at:
        for at in (origin for origin in body["origins"] if origin_key(origin) == key) if key else (body,):
            at["disabled_at"] = since
    return body


def taken(kind: Kind, body: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """Return a request's body as the store takes it; what lbdns cannot do goes into `problems`, and what it reads
    otherwise or passes over into the reply's messages."""
    passed_over = set_by_server(kind)
    made = {key: value for key, value in body.items() if key not in passed_over}
    name = made[kind.called_by] if isinstance(made.get(kind.called_by), str) else ""
    for key, field in ALSO_CALLED.get(kind, {}).items():
        if key in made and made.setdefault(field, made[key]) != made.pop(key):
            message = f"{key} is another name of {field}, and says otherwise; leave one out"
            problems.append(Problem(STORED, 0, key, message, at=(kind.section, name, key)))
    for key, why in NO_EFFECT.get(kind, {}).items():
        if made.get(key) not in (None, ""):
            tell(f"{key}: has no effect: {why}", (key,))
    for key, why in EMPTY_ALONE.get(kind, {}).items():
        value = made.pop(key, None)
        if value not in (None, "", []):
            problems.append(Problem(STORED, 0, key, f"{why}; leave it out", at=(kind.section, name, key)))
        elif value is not None:
            tell(f"{key}: has no effect: {why}", (key,))
    for key, meanings in READ_AS.get(kind, {}).items():
        meant = meanings.get(made[key]) if isinstance(made.get(key), str) else None
        if meant is not None:
            tell(f'{key}: "{made[key]}" is read as "{meant}"', (key,))
            made[key] = meant
    for key in _EMPTY_IS_NONE[kind]:
        if made.get(key) == "":
            made[key] = None
    for key, ignored in INNER_SET_BY_SERVER.items():
        _each(made, key, ignored)
    return made


def by_names_sent(kind: Kind, steps: Steps, sent: Container[str | int]) -> Steps:
    """Return the way to a value in a request's body, which may call a field by its other name."""
    if steps and steps[0] not in sent:
        for key, field in ALSO_CALLED.get(kind, {}).items():
            if field == steps[0] and key in sent:
                return (key, *steps[1:])
    return steps


def _each(body: dict[str, Any], key: str, ignored: tuple[str, ...]) -> None:
    """Leave out what the server sets of each object in a list."""
    items = body.get(key)
    if isinstance(items, list):
        body[key] = [
            {name: value for name, value in item.items() if name not in ignored} if isinstance(item, dict) else item
            for item in items
        ]
