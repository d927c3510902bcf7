"""The OpenAPI document: what FastAPI knows of the routes, and what only we know of bodies, results and refusals.

It is at OPENAPI_PATH and takes a token like every other path: it names the account. A route says
`**describe(RESULT, body=BODY)`, where each is a type (a TypedDict, a model) or a JSON schema. Schemas of balancing
objects come from lbdns.model (object_schemas.py), so that a bound or a default is declared in one place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from lbdns import __version__
from lbdns.base.words import GUARD_HEADER, V4_PATH
from lbdns.manage.api.frame.envelope import JSON_TYPE
from lbdns.model import bounds

OPENAPI_PATH: Final = f"{V4_PATH}/openapi.json"
ACCOUNT_PARAMETER: Final = "account_id"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_REF: Final = "#/components/schemas/{model}"
ID: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
NETWORK_ID: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
"""Of virtual networks and routes."""
TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
VIEW_SHOWN: Final[dict[str, Any]] = {
    "type": "string",
    "description": "the view that sees it, public for who is in none; not there where all do",
}
VIEW_WRITTEN: Final[dict[str, Any]] = {
    "anyOf": [{"type": "string", "maxLength": bounds.MAX_VIEW_NAME_CHARS}, {"type": "null"}],
    "description": "the view that sees it, public for who is in none; nothing, or left out, where all do",
}
DELETED: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"id": {"anyOf": [ID, NETWORK_ID]}},
    "required": ["id"],
    "additionalProperties": False,
}
"""The result of deleting something."""

_components: Final[dict[str, Any]] = {
    "Failure": {
        "type": "object",
        "properties": {
            "result": {"type": "null"},
            "success": {"const": False},
            "errors": {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(model="Error")}},
            "messages": {"type": "array", "maxItems": 0},
        },
        "required": ["result", "success", "errors", "messages"],
        "additionalProperties": False,
    },
    "Error": {
        "type": "object",
        "properties": {
            "code": {"type": "integer", "minimum": 1000},
            "message": {"type": "string"},
            "source": {"$ref": _REF.format(model="Source")},
        },
        "required": ["code", "message"],
        "additionalProperties": False,
    },
    "Message": {
        "type": "object",
        "properties": {
            "code": {"type": "integer", "minimum": 1000},
            "message": {"type": "string"},
            "source": {"$ref": _REF.format(model="Source")},
        },
        "required": ["code", "message"],
        "additionalProperties": False,
    },
    "Source": {
        "type": "object",
        "properties": {"pointer": {"type": "string", "description": "a JSON pointer (RFC 6901) into the body"}},
        "required": ["pointer"],
        "additionalProperties": False,
    },
    "ResultInfo": {
        "type": "object",
        "properties": {
            name: {"type": "integer", "minimum": 0}
            for name in ("page", "per_page", "count", "total_count", "total_pages")
        },
        "required": ["page", "per_page", "count", "total_count", "total_pages"],
        "additionalProperties": False,
    },
}
_FAILURES: Final[dict[str, str]] = {
    "400": "What was sent is not valid, or shows no token",
    "403": "The token is unknown or its scopes do not cover this, or the objects come from files",
    "404": "There is no such object, or no such path",
    "405": "The path does not take this method",
    "408": "The body did not come",
    "412": "Others use the object, it changed since, or more clients move than the guard allows",
    "413": "The body is too large",
    "429": "Too many requests",
    "500": "lbdns failed",
}
_IF_MATCH: Final[dict[str, Any]] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "the ETag of the object as it was read; the change is refused where it has changed since",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,15}"$'},
}
_GUARD: Final[dict[str, Any]] = {
    "name": GUARD_HEADER,
    "in": "header",
    "required": False,
    "description": "how much of the last hour's recorded traffic the change may move, such as 5%; it is refused where "
    "it moves more, or where that cannot be told",
    "schema": {"type": "string", "pattern": r"^(100|[0-9]{1,2}(\.[0-9]{1,6})?)%$"},
}


def component(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Add a named schema to the document and return a reference to it."""
    known = _components.setdefault(name, dict(schema))
    assert known == schema, f"there are two schemas {name}"
    return {"$ref": _REF.format(model=name)}


def followed(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema that a reference leads to; another one as it is."""
    found: Mapping[str, Any] = _components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def without(reference: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Return the schema that a reference leads to, without one of its properties."""
    schema = followed(reference)
    return {**schema, "properties": {key: one for key, one in schema["properties"].items() if key != field}}


def schema_of(shape: Any) -> dict[str, Any]:
    """Return the schema of a type; a schema is returned as it is."""
    if isinstance(shape, Mapping):
        return dict(shape)
    schema = TypeAdapter(shape).json_schema(mode="serialization", ref_template=_REF)
    for name, definition in schema.pop("$defs", {}).items():
        component(name, definition)
    return schema


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that null fits as well."""
    return {"anyOf": [dict(schema), {"type": "null"}]}


def enveloped(result: Mapping[str, Any], paged: bool = False) -> dict[str, Any]:
    """Return the schema of a success with a result."""
    properties = {
        "result": dict(result),
        "success": {"const": True},
        "errors": {"type": "array", "maxItems": 0},
        "messages": {"type": "array", "items": {"$ref": _REF.format(model="Message")}},
    }
    if paged:
        properties["result_info"] = {"$ref": _REF.format(model="ResultInfo")}
    return {
        "type": "object",
        "properties": properties,
        "required": ["result", "success", "errors", "messages"],
        "additionalProperties": False,
    }


def describe(
    result: Any, body: Any = None, *, paged: bool = False, guarded: bool = False, content_type: str = JSON_TYPE
) -> dict[str, Any]:
    """Return what a route's decorator takes to describe its result and body.

    `paged`: the answer may have result_info. `guarded`: If-Match is heeded. `content_type` is the body's.
    """
    answer = {"content": {JSON_TYPE: {"schema": enveloped(schema_of(result), paged)}}, "description": "Done"}
    extra: dict[str, Any] = {}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": {content_type: {"schema": schema_of(body)}}}
    if guarded:
        extra["parameters"] = [_IF_MATCH]
    return {"responses": {200: answer}, "openapi_extra": extra, "response_model": None}


def document(app: FastAPI, account_id: str) -> dict[str, Any]:
    """Return the document of an application's routes, for a server whose one account has an id."""
    made = get_openapi(
        title="lbdns",
        version=__version__,
        summary="Manage an authoritative DNS load-balancing server, in the shapes of Cloudflare's v4 API",
        routes=app.routes,
        separate_input_output_schemas=True,
    )
    for path in made["paths"].values():
        for method, operation in path.items():
            if method != "get":  # whatever may change something is held to a guard (manage/store/guarding.py)
                operation.setdefault("parameters", []).append(_GUARD)
            operation["responses"].pop("422", None)
            for status, description in _FAILURES.items():
                operation["responses"].setdefault(status, _failure(description))
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == ACCOUNT_PARAMETER:
                    parameter["schema"] = {"const": account_id}
    _add_links(made["paths"])
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.update(_components)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-Auth-Key"},
        "email": {"type": "apiKey", "in": "header", "name": "X-Auth-Email"},
    }
    made["security"] = [{"token": []}, {"key": [], "email": []}]
    return made


def _add_links(paths: Mapping[str, Any]) -> None:
    """Link what creates an object to whatever takes its id in the path."""
    for path, operations in paths.items():
        if "post" not in operations:
            continue
        links = {
            operation["operationId"]: {"operationId": operation["operationId"], "parameters": _linked(path, below)}
            for below, there in paths.items()
            if below.startswith(f"{path}/{{")
            for operation in there.values()
        }
        if links:
            operations["post"]["responses"]["200"]["links"] = links


def _linked(path: str, below: str) -> dict[str, str]:
    """Return what the path parameters of a path below another one are, after a request to that one."""
    known = {name: f"$request.path.{name}" for name in _PARAMETER.findall(path)}
    new = _PARAMETER.findall(below[len(path) :])[0]
    return {**known, new: "$response.body#/result/id"}


def _failure(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {JSON_TYPE: {"schema": {"$ref": _REF.format(model="Failure")}}},
    }
