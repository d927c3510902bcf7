"""A health check of the v4 API <-> the pool and the monitor that it is here.

It is a pool of one endpoint that belongs to a zone, and a monitor of its own. No load balancer of the API finds such a
pool in the account's list, so that it is watched, notified of and shown, and answers nothing.

    name, address       the endpoint's        type, interval, timeout, retries, consecutive_...    the monitor's
    suspended           pool not enabled      http_config, tcp_config                              the monitor's
    check_regions, description                                                                     the pool's
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import Kind
from lbdns.base.probe_types import PROBE_TYPES
from lbdns.base.wording import unknown_field
from lbdns.base.words import STORED
from lbdns.manage.api.frame.openapi import ID, TIME, component, nullable
from lbdns.manage.api.frame.pointers import Steps
from lbdns.model import bounds
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool

TYPES: Final = ("HTTP", "HTTPS", "TCP")
HTTP: Final = "http_config"
TCP: Final = "tcp_config"
TCP_PORT: Final = 80
"""Where a health check by TCP goes that names no port."""
SECTION: Final = "healthchecks"
CONFIG_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    HTTP: (
        "allow_insecure",
        "expected_body",
        "expected_codes",
        "follow_redirects",
        "header",
        "method",
        "path",
        "port",
    ),
    TCP: ("method", "port"),
}
MONITOR_FIELDS: Final = {
    "consecutive_fails": "consecutive_down",
    "consecutive_successes": "consecutive_up",
    "interval": "interval",
    "retries": "retries",
    "timeout": "timeout",
}
"""What the v4 API calls a monitor's fields here."""
POOL_FIELDS: Final = ("check_regions", "description")
READ_ONLY: Final = ("id", "created_on", "modified_on", "status", "failure_reason")
FIELDS: Final = ("name", "address", "type", "suspended", *POOL_FIELDS, *MONITOR_FIELDS, *CONFIG_FIELDS)
_NUMBER: Final[dict[str, Any]] = {"type": "integer"}


def parts_of(body: Mapping[str, Any], problems: list[Problem]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the bodies of the monitor and of the pool that a health check is; its own mistakes go into `problems`."""

    def report(message: str, *steps: str) -> None:
        problems.append(Problem(STORED, 0, ".".join(steps), message, at=(SECTION, "", *steps)))

    for key in body:
        if key not in FIELDS and key not in READ_ONLY:
            report(unknown_field(key, FIELDS), key)
    given = {key: value for key, value in body.items() if value is not None}
    type_ = given.get("type", TYPES[0])
    if not isinstance(type_, str) or type_.upper() not in TYPES:
        report(f"expected one of {', '.join(TYPES)}", "type")
        type_ = TYPES[0]
    suspended = given.get("suspended", False)
    if not isinstance(suspended, bool):
        report("expected true or false", "suspended")
        suspended = False
    monitor: dict[str, Any] = {own: given[key] for key, own in MONITOR_FIELDS.items() if key in given}
    monitor["type"] = type_.lower()
    for key, fields in CONFIG_FIELDS.items():
        config: Any = given.get(key) or {}
        if not isinstance(config, Mapping):
            report("expected an object", key)
            continue
        for field in config:
            if field not in fields:
                report(unknown_field(str(field), fields), key, str(field))
        if key == _config_of(monitor["type"]):
            monitor |= {field: config[field] for field in fields if config.get(field) is not None}
    codes = monitor.get("expected_codes")
    if isinstance(codes, list) and all(isinstance(code, str) for code in codes):
        monitor["expected_codes"] = ",".join(codes)
    if monitor["type"] == "tcp":
        monitor = {"port": TCP_PORT, "method": "connection_established"} | monitor
    origin = {key: given[key] for key in ("name", "address") if key in given}
    pool: dict[str, Any] = {
        "origins": [origin],
        "enabled": not suspended,
        **{key: given[key] for key in POOL_FIELDS if key in given},
    }
    return monitor, pool


def pointing(problem: Problem) -> Steps | None:
    """Tell where in a health check's body a problem stands: with itself, its monitor or its pool."""
    section, steps = problem.at[:1], problem.at[2:]
    if section == (SECTION,):
        return steps
    if section == (Kind.POOL.section,):
        if steps[:2] == ("origins", 0):
            return steps[2:]
        return ("suspended",) if steps[:1] == ("enabled",) else steps
    if section == (Kind.MONITOR.section,) and steps:
        renamed = {own: key for key, own in MONITOR_FIELDS.items()}
        field = str(steps[0])
        if field in renamed or field == "type":
            return (renamed.get(field, field), *steps[1:])
        return (HTTP, *steps)
    return None


def shown(monitor: Monitor, pool: Pool, id: str, times: Mapping[str, str], live: Mapping[str, str]) -> dict[str, Any]:
    """Return a health check as the v4 API says it. `times`: created_on and modified_on; `live`: what is known of it."""
    (endpoint,) = pool.origins[:1]
    config = _config_of(monitor.type)
    values: dict[str, Any] = monitor.model_dump(mode="json")
    values["expected_codes"] = monitor.expected_codes.split(",")
    values["port"] = monitor.port or PROBE_TYPES[monitor.type].default_port
    return {
        "id": id,
        "name": endpoint.name,
        "address": endpoint.address,
        "type": monitor.type.upper(),
        "suspended": not pool.enabled,
        "description": pool.description,
        "check_regions": list(pool.check_regions) if pool.check_regions else None,
        **{key: values[own] for key, own in MONITOR_FIELDS.items()},
        "consecutive_fails": monitor.consecutive_down or 1,
        "consecutive_successes": monitor.consecutive_up or 1,
        **{
            key: {field: values[field] for field in fields} if key == config else None
            for key, fields in CONFIG_FIELDS.items()
        },
        **live,
        **times,
    }


def merged(before: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a health check that was shown becomes by a change of some fields, inside of its configs too."""
    made = {key: value for key, value in before.items() if key not in READ_ONLY}
    for key, value in fields.items():
        old = made.get(key)
        inner = key in CONFIG_FIELDS and isinstance(old, Mapping) and isinstance(value, Mapping)
        made[key] = {**old, **value} if inner else value  # type: ignore[dict-item]
    return made


def _config_of(monitor_type: str) -> str:
    return TCP if monitor_type == "tcp" else HTTP


def _config_schema(key: str) -> dict[str, Any]:
    monitor: dict[str, dict[str, Any]] = {
        "allow_insecure": {"type": "boolean"},
        "expected_body": {"type": "string"},
        "expected_codes": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
        "follow_redirects": {"type": "boolean"},
        "header": {"type": "object"},
        "method": {"type": "string"},
        "path": {"type": "string"},
        "port": _NUMBER,
    }
    properties = {field: nullable(monitor[field]) for field in CONFIG_FIELDS[key]}
    return nullable({"type": "object", "properties": properties, "additionalProperties": False})


_PROPERTIES: Final[dict[str, Any]] = {
    "name": {"type": "string", "minLength": 1, "maxLength": bounds.MAX_OBJECT_NAME_CHARS},
    "address": {"type": "string"},
    "type": nullable({"enum": [*TYPES, *(type_.lower() for type_ in TYPES)]}),
    "suspended": nullable({"type": "boolean"}),
    "description": nullable({"type": "string"}),
    "check_regions": nullable({"type": "array", "items": {"type": "string"}}),
    **{key: nullable(_NUMBER) for key in MONITOR_FIELDS},
    **{key: _config_schema(key) for key in CONFIG_FIELDS},
}
_SET_BY_SERVER: Final[dict[str, Any]] = {
    "id": ID,
    "created_on": TIME,
    "modified_on": TIME,
    "status": {"enum": ["unknown", "healthy", "unhealthy", "suspended"]},
    "failure_reason": {"type": "string"},
}
_IGNORED: Final = {key: {"readOnly": True, "description": "set by the server; ignored"} for key in READ_ONLY}
HEALTHCHECK: Final = component(
    "Healthcheck",
    {
        "type": "object",
        "properties": {**_PROPERTIES, **_SET_BY_SERVER},
        "required": list(FIELDS),
        "additionalProperties": False,
    },
)
HEALTHCHECK_CHANGED: Final = component(
    "HealthcheckChanged",
    {"type": "object", "properties": {**_PROPERTIES, **_IGNORED}, "additionalProperties": False},
)
HEALTHCHECK_WRITTEN: Final = component(
    "HealthcheckWritten",
    {
        "type": "object",
        "properties": {**_PROPERTIES, **_IGNORED},
        "required": ["name", "address"],
        "additionalProperties": False,
    },
)
