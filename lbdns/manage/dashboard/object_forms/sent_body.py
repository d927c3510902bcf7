"""What was typed into a form -> the body that the API is sent, and how it differs from what there is.

What stands at its default is left out, as are rows in which nothing was typed. What is no number is sent as it was
typed: what is wrong with it says the API, beside the field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lbdns.manage.dashboard.object_forms.form_field import NO_DEFAULT, FieldControl, FormField
from lbdns.manage.dashboard.object_forms.object_names import ObjectNames
from lbdns.manage.dashboard.object_forms.typed_values import UNSET, YES, Typed, is_choice

LACKING: Final = object()
"""A value that is left out."""
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})", re.ASCII)


def body_of(field: FormField, typed: Typed, names: ObjectNames) -> dict[str, Any]:
    """Return the body that a whole form makes: what is not at its default."""
    made = _sent(field, typed, names)
    return made if isinstance(made, dict) else {}


def _sent(field: FormField, typed: Typed, names: ObjectNames) -> Any:
    if typed is None:  # it is optional, and not there
        return LACKING
    match field.control:
        case FieldControl.FIELDS:
            inner = ((one.key, _sent(one, typed[one.key], names)) for one in field.inner)
            made = {key: value for key, value in inner if value is not LACKING}
            return made if made or field.is_optional or field.is_required else LACKING
        case FieldControl.ROWS:
            rows = [_sent(field.item, row, names) for row in typed if not is_blank(field.item, row)]
            return _or_default(field, [{} if row is LACKING else row for row in rows])
        case FieldControl.ENTRIES:
            made = {}
            for key, inner in typed:
                if key.strip() or not is_blank(field.item, inner):
                    value = _sent(field.item, inner, names)
                    made[_key(field, key.strip(), names)] = None if value is LACKING else value
            return made if made or field.is_optional else LACKING
        case FieldControl.WORDS | FieldControl.LINES:
            split = typed.replace(",", " ").split() if field.control is FieldControl.WORDS else typed.split("\n")
            return _or_default(field, [one.strip() for one in split if one.strip()])
        case FieldControl.REFERENCE:
            return _reference(field, typed.strip(), names)
    return _or_default(field, _scalar(field, typed))


def _or_default(field: FormField, value: Any) -> Any:
    """Return a value, LACKING where that means the same."""
    if field.is_required or field.is_optional:
        return value
    empty: tuple[Any, ...] = (None,) if is_choice(field) else (None, "", [])
    is_empty = value in empty and field.default in (None, NO_DEFAULT)
    return LACKING if value is LACKING or is_empty or _is_same(value, field.default) else value


def _is_same(value: Any, default: Any) -> bool:
    return isinstance(value, bool) is isinstance(default, bool) and bool(value == default)


def _scalar(field: FormField, typed: Typed) -> Any:
    if is_choice(field):
        if typed == UNSET:
            return None
        return typed == YES if field.control is FieldControl.FLAG else typed
    if field.control in (FieldControl.WHOLE, FieldControl.NUMBER):
        return _number(field, typed.strip())
    if isinstance(typed, str) and field.control is FieldControl.TEXT:
        return typed.strip()
    return typed


def _number(field: FormField, text: str) -> Any:
    if not text:
        return None if field.default is None or field.is_required else field.default
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if field.control is FieldControl.NUMBER and _NUMBER.fullmatch(text) else text


def _reference(field: FormField, name: str, names: ObjectNames) -> Any:
    if not name:
        return None if field.is_required else LACKING
    assert field.refers_to is not None, "a reference says what it refers to"
    return names.id_of(field.refers_to, name)


def _key(field: FormField, key: str, names: ObjectNames) -> str:
    return names.id_of(field.refers_to, key) if field.refers_to is not None else key


def is_blank(field: FormField, typed: Typed) -> bool:
    """Whether nothing was typed into a field, or only what stands there by itself."""
    if typed is None:
        return True
    match field.control:
        case FieldControl.FIELDS:
            return all(is_blank(one, typed[one.key]) for one in field.inner)
        case FieldControl.ROWS:
            return all(is_blank(field.item, row) for row in typed)
        case FieldControl.ENTRIES:
            return all(not key.strip() and is_blank(field.item, inner) for key, inner in typed)
    default = None if field.default is NO_DEFAULT else field.default
    if isinstance(typed, bool):
        return typed is bool(default)
    if is_choice(field):
        return bool(typed == (UNSET if default is None else default))
    return not typed.strip() or _is_same(_scalar(field, typed), default)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a PATCH says to make one body the other: null puts a field back to its default.

    Both are what `body_of` makes.
    """
    made = {key: value for key, value in after.items() if key not in before or not _is_same(before[key], value)}
    return made | {key: None for key in before if key not in after}
