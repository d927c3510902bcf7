"""JSON schemas of balancing objects, made of lbdns.model's classes: bounds and defaults are declared there, once.

For each kind there are three: what is shown (every field), what is written (defaults may be left out, null resets),
and what is changed (nothing is required).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pydantic.json_schema import models_json_schema

from lbdns.base.words import PLACE_MAPS
from lbdns.manage.api.frame.object_shapes import BALANCING, ECHOED, READ_ONLY, WITHOUT_EFFECT
from lbdns.manage.api.frame.openapi import ID, TIME, component, nullable, schema_of
from lbdns.manage.store.bodies import MODELS, NAMED_BESIDE
from lbdns.manage.store.item import Kind
from lbdns.model.fields import ObjectName

_REF: Final = "#/components/schemas/"
_MEMBER: Final = "GroupMember"

Schema = dict[str, Any]


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
    _refer_by_id(definitions)
    tops = {MODELS[kind].__name__ for kind in BALANCING}
    for name, definition in definitions.items():
        if name not in tops:
            component(name, _shown(definition))
            component(f"{name}Written", _written(definition))
    return {kind: _shapes(kind, definitions[MODELS[kind].__name__]) for kind in BALANCING}


def _shapes(kind: Kind, definition: Schema) -> Shapes:
    title = MODELS[kind].__name__
    shown, written = _shown(definition), _written(definition)
    named = {"name": schema_of(ObjectName)} if kind in NAMED_BESIDE else {}
    echoed = {key: {"const": value} for key, value in ECHOED[kind].items()}
    properties = {"id": ID, **named, **shown["properties"], **echoed, "created_on": TIME, "modified_on": TIME}
    optional = {"zone_name": {"type": "string"}} if kind is Kind.LOAD_BALANCER else {}
    shown |= {"properties": {**properties, **optional}, "required": list(properties)}
    ignored = {key: {"readOnly": True, "description": "set by the server; ignored"} for key in READ_ONLY}
    empty: Schema = {key: {"enum": [None, "", []], "description": why} for key, why in WITHOUT_EFFECT[kind].items()}
    names = {key: nullable(schema) for key, schema in named.items()}
    written |= {"properties": {**names, **written["properties"], **empty, **ignored}}
    changed = {key: value for key, value in written.items() if key != "required"}
    return Shapes(component(title, shown), component(f"{title}Written", written), component(f"{title}Changed", changed))


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
    """Say that references are ids, and that a member's is called monitor_id."""
    pool = definitions[MODELS[Kind.POOL].__name__]["properties"]
    pool["monitor"] = pool["monitor_group"] = {**nullable(ID), "default": None}
    balancer = definitions[MODELS[Kind.LOAD_BALANCER].__name__]["properties"]
    balancer["fallback_pool"] = ID
    balancer["default_pools"]["items"] = ID
    for key in PLACE_MAPS:
        balancer[key]["additionalProperties"]["items"] = ID
    member = definitions[_MEMBER]
    member["properties"] = {
        "monitor_id": ID,
        **{key: value for key, value in member["properties"].items() if key != "monitor"},
    }
    member["required"] = ["monitor_id"]


def _shown(definition: Schema) -> Schema:
    """Return the schema of what is shown: nothing is left out."""
    made: Schema = _renamed(definition, lambda name: name)
    return {**made, "required": list(made["properties"])}


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
