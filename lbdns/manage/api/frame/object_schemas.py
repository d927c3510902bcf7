"""JSON schemas of balancing objects, made of lbdns.model's classes: bounds and defaults are declared there, once.

For each kind there are three: what is shown (every field), what is written (defaults may be left out, null resets),
and what is changed (nothing is required).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lbdns.base.kinds import BALANCING, NETWORKING, Kind
from lbdns.base.reference_paths import ITEMS, VALUES, ReferenceField
from lbdns.manage.api.frame.object_shapes import ALSO_CALLED, ECHOED, EMPTY_ALONE, set_by_server, times_of
from lbdns.manage.api.frame.openapi import ID, NETWORK_ID, TIME, component, nullable, schema_of
from lbdns.model.fields import AsSent, ObjectName, never_shown, shown_where_set
from lbdns.model.kind_models import MODELS, NAMED_BESIDE, models_held
from lbdns.model.pool import Endpoint

_REF: Final = "#/components/schemas/"
_INNER: Final = {ITEMS: "items", VALUES: "additionalProperties"}
"""Steps of a reference's path, and what holds the schema of what they lead to."""

Schema = dict[str, Any]

_HEALTH: Final[dict[str, Schema]] = {
    "healthy": {**nullable({"type": "boolean"}), "description": "null where nobody knows; there while a server runs"},
    "disabled_at": {**TIME, "description": "since when it is disabled"},
}
_SERVER_SET: Final[Mapping[Kind, Mapping[str, Schema]]] = {
    Kind.LOAD_BALANCER: {"zone_name": {"type": "string"}},
    Kind.POOL: _HEALTH,
}
"""What the server adds to an object, where it has it."""
_INNER_SET: Final[Mapping[str, Mapping[str, Schema]]] = {Endpoint.__name__: _HEALTH}
"""The same of the objects inside, by their models."""


def id_of(kind: Kind) -> Schema:
    """Return the schema of the ids of a kind."""
    return NETWORK_ID if kind.area == NETWORKING else ID


class Shapes(NamedTuple):
    """References to the schemas of one kind."""

    shown: Schema
    written: Schema
    changed: Schema


def _make() -> dict[Kind, Shapes]:
    models: Any = [(MODELS[kind], "validation") for kind in BALANCING]
    definitions: dict[str, Schema] = models_json_schema(models, ref_template=_REF + "{model}")[1]["$defs"]
    for definition in definitions.values():
        _mend(definition)
    where_set = {model.__name__: _where_set(model) for kind in BALANCING for model in models_held(MODELS[kind])}
    _refer_by_id(definitions)
    tops = {MODELS[kind].__name__ for kind in BALANCING}
    for name, definition in definitions.items():
        if name not in tops:
            name_of = _as_sent if name in _AS_SENT else str
            component(name, _shown(definition, where_set[name], _INNER_SET.get(name, {}), name_of))
            component(f"{name}Written", _written(definition))
    return {kind: _shapes(kind, definitions[MODELS[kind].__name__], where_set) for kind in BALANCING}


_AS_SENT: Final = {
    model.__name__ for kind in BALANCING for model in models_held(MODELS[kind]) if issubclass(model, AsSent)
}
"""What is shown as it was sent."""


def _as_sent(name: str) -> str:
    """Return the definition of what stands in something that is shown as it was sent."""
    return name if name in _AS_SENT else f"{name}Written"


def _where_set(model: type[BaseModel]) -> Container[str]:
    """Return the fields of a model that are not always shown."""
    return model.model_fields if issubclass(model, AsSent) else shown_where_set(model)


def _shapes(kind: Kind, definition: Schema, where_set: Mapping[str, Container[str]]) -> Shapes:
    title = MODELS[kind].__name__
    shown, written = _shown(_without_secrets(definition, MODELS[kind]), where_set[title]), _written(definition)
    named = {"name": schema_of(ObjectName)} if kind in NAMED_BESIDE else {}
    echoed = {key: {"const": value} for key, value in ECHOED.get(kind, {}).items()}
    times = {name: nullable(TIME) if name == "deleted_at" else TIME for name in times_of(kind)}
    always = {"id": id_of(kind), **named, **echoed, **times}
    shown |= {
        "properties": {**always, **shown["properties"], **_SERVER_SET.get(kind, {})},
        "required": [*always, *shown["required"]],
    }
    ignored = {key: {"readOnly": True, "description": "set by the server; ignored"} for key in set_by_server(kind)}
    empty: Schema = {
        key: {"enum": [None, "", []], "description": why} for key, why in EMPTY_ALONE.get(kind, {}).items()
    }
    names = {key: nullable(schema) for key, schema in named.items()}
    also = {key: written["properties"][field] for key, field in ALSO_CALLED.get(kind, {}).items()}
    written |= {"properties": {**names, **written["properties"], **also, **empty, **ignored}}
    changed = {key: value for key, value in written.items() if key != "required"}
    return Shapes(component(title, shown), component(f"{title}Written", written), component(f"{title}Changed", changed))


def _without_secrets(definition: Schema, model: type[BaseModel]) -> Schema:
    """Return the schema of an object without what the API never shows."""
    secret = never_shown(model)
    properties = {key: value for key, value in definition["properties"].items() if key not in secret}
    return {**definition, "properties": properties}


def _mend(schema: Any) -> None:
    """Mend what pydantic says of mappings with a bound, and drop titles that only repeat the key."""
    if isinstance(schema, list):
        for item in schema:
            _mend(item)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and "maxLength" in schema:
        schema["maxProperties"] = schema.pop("maxLength")
    for value in schema.get("properties", {}).values():
        value.pop("title", None)
    for value in schema.values():
        _mend(value)


def _refer_by_id(definitions: dict[str, Schema]) -> None:
    """Say that references are ids, by the names that the API has for their fields."""
    for kind in BALANCING:
        for field in kind.references:
            _refer(definitions, definitions[MODELS[kind].__name__], field)


def _refer(definitions: dict[str, Schema], schema: Schema, field: ReferenceField) -> None:
    """Put the schema of an id where a path leads to, from the schema of an object."""
    *way, last = field.path
    for step in way:
        schema = schema[_INNER[step]] if step in _INNER else schema["properties"][step]
        schema = next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), schema)
        if "$ref" in schema:
            schema = definitions[schema["$ref"].removeprefix(_REF)]
    id = id_of(Kind(field.kind))
    if last in _INNER:
        schema[_INNER[last]] = id
    elif last in schema.get("properties", ()):
        is_required = last in schema.get("required", ())
        put = {field.api_path[-1]: id if is_required else {**nullable(id), "default": None}}
        old = schema["properties"]
        schema["properties"] = {}
        for name, value in old.items():
            schema["properties"] |= put if name == last else {name: value}
        if is_required:
            schema["required"] = [field.api_path[-1] if name == last else name for name in schema["required"]]


def _shown(
    definition: Schema,
    where_set: Container[str],
    server_set: Mapping[str, Schema] = {},
    name_of: Callable[[str], str] = str,
) -> Schema:
    """Return the schema of what is shown: nothing is left out but what is shown `where_set`, and by the server.
    `name_of`: the definitions that references lead to."""
    made: Schema = _renamed(definition, name_of)
    required = [name for name in made["properties"] if name not in where_set]
    return {**made, "properties": {**made["properties"], **server_set}, "required": required}


def _written(definition: Schema) -> Schema:
    """Return the schema of what is written: null resets what is not required."""
    made: Schema = _renamed(definition, lambda name: f"{name}Written")
    required = made.get("required", ())
    properties = made["properties"]
    made["properties"] = {key: schema if key in required else _or_null(schema) for key, schema in properties.items()}
    return made


def _renamed(schema: Any, rename: Callable[[str], str]) -> Any:
    """Return a copy whose references lead to renamed definitions."""
    if isinstance(schema, Mapping):
        return {
            key: _REF + rename(value.removeprefix(_REF)) if key == "$ref" else _renamed(value, rename)
            for key, value in schema.items()
        }
    return [_renamed(item, rename) for item in schema] if isinstance(schema, list) else copy.copy(schema)


def _or_null(schema: Schema) -> Schema:
    if {"type": "null"} in schema.get("anyOf", ()):
        return schema
    beside: Schema = {str(key): schema[key] for key in ("default", "description") if key in schema}
    return {**nullable({key: value for key, value in schema.items() if key not in beside}), **beside}


SHAPES: Final = _make()
"""By kind."""
