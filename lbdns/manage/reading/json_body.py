"""A JSON text -> plain values, its bounds looked at before it is parsed."""

from __future__ import annotations

from typing import Any, Final

from pydantic_core import from_json

from lbdns.manage.reading.body_refused import BadBody
from lbdns.manage.reading.request_bounds import (
    DEPTH_MAX,
    FIELDS_MAX,
    KEY_CHARS_MAX,
    MEMORY_LEAST,
    MEMORY_PER_BYTE,
    OPENING_BYTES,
    VALUES_MAX,
)

WHOLE_FLOAT_MAX: Final = 2.0**53
"""Up to here a float holds every whole number."""


def parse_json(body: bytes, fields_max: int = FIELDS_MAX) -> Any:
    """Return what a JSON text says; raises BadBody. A whole number is an int, however it is written.

    `fields_max`: what one object in it may have.
    """
    if not body:
        raise BadBody("the body is empty; expected JSON")
    openings = body.count(b"[") + body.count(b"{")
    count = body.count(b",") + openings
    if openings * OPENING_BYTES > MEMORY_LEAST + MEMORY_PER_BYTE * len(body) // 2:
        told = f"the body has {openings:,} opening brackets in {len(body):,} octets; send less in one request"
        raise BadBody(told, is_too_large=True)
    if count > VALUES_MAX:
        told = f"the body has {count:,} commas and opening brackets; expected at most {VALUES_MAX:,}"
        raise BadBody(told, is_too_large=True)
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise BadBody(f"the body is not JSON: {error}") from None
    return _plain(value, fields_max, 0)


def _plain(value: Any, fields_max: int, depth: int) -> Any:
    """Return a parsed value with whole numbers as int; lists and mappings are changed, not copied. Raises BadBody."""
    if isinstance(value, float):
        return _whole_where_it_is(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth >= DEPTH_MAX:
        raise BadBody(f"the body is nested too deeply; expected at most {DEPTH_MAX} levels")
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (float, dict, list)):
                value[index] = _plain(item, fields_max, depth + 1)
        return value
    if depth and len(value) > fields_max:
        told = f"the body has an object of {len(value):,} fields; expected at most {fields_max:,}"
        raise BadBody(told, is_too_large=True)
    for key, item in value.items():
        if len(key) > KEY_CHARS_MAX:
            raise BadBody(f"the body has a key of {len(key):,} characters; expected at most {KEY_CHARS_MAX:,}")
        if isinstance(item, (float, dict, list)):
            value[key] = _plain(item, fields_max, depth + 1)
    return value


def _whole_where_it_is(value: float) -> int | float:
    if abs(value) <= WHOLE_FLOAT_MAX:
        return int(value) if value.is_integer() else value
    if value - value != 0.0:
        raise BadBody("the body is not JSON for us: a number is too large")
    return value
