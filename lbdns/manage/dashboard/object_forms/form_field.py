"""The fields of a form, made of the API's schema of what is written: START HERE for forms.

    schema of the API --form_field--> FormField tree --form_nodes, with a body and errors--> nodes that a template draws
                                          |
         posted pairs --form_posted-------'--> what was typed --form_body--> the body that the API is sent

An input's name is the way to its value in the body (`/origins/0/address`), which is what the API's errors point to. A
field's bound, default and choices are the schema's, its meaning the model's; how it is laid out says presentations.py.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final

from lbdns.base.kinds import BALANCING, Kind
from lbdns.base.reference_paths import ITEMS, KEYS, VALUES, Path
from lbdns.manage.api.frame.openapi import followed
from lbdns.manage.dashboard.object_forms.presentations import (
    AREA_CHARS,
    AREAS,
    CODE,
    EMPTY_IS_SOMETHING,
    ENTRY_LABELS,
    LABELS,
    LINES,
    SUGGESTED,
    Group,
    groups_of,
)
from lbdns.model.field_meanings import field_meanings
from lbdns.model.kind_models import MODELS, models_held

NO_DEFAULT: Final = object()
"""The default of a field that has none: it is required, or the schema names none."""


class FieldControl(Enum):
    """What a field is edited with."""

    TEXT = "text"
    AREA = "area"  # a longer text
    LINES = "lines"  # texts, one a line
    WORDS = "words"  # short texts, with commas between
    WHOLE = "whole"
    NUMBER = "number"
    FLAG = "flag"
    CHOICE = "choice"
    REFERENCE = "reference"
    FIELDS = "fields"  # an object: its fields
    ROWS = "rows"  # a list: an item a row
    ENTRIES = "entries"  # a mapping: a key and a value a row


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `default` is as JSON, NO_DEFAULT where there is none; `least` and `most` bound a number, or how many
    characters or items there are. `suggested`: some of what may stand in it, or be a key of ENTRIES. `is_code`: a text
    in a language, whose errors name a column.

    `refers_to`: of a REFERENCE, the kind whose object it names; of ENTRIES, that of its keys. `inner`: of FIELDS the
    fields in order, of ROWS and ENTRIES the one that each item is. `is_optional`: it may lack altogether, which is
    something else than being empty: it is there once somebody adds it.
    """

    key: str
    control: FieldControl
    label: str = ""
    meaning: str = ""
    default: Any = NO_DEFAULT
    is_required: bool = False
    is_nullable: bool = False
    is_optional: bool = False
    choices: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()
    is_code: bool = False
    is_hidden: bool = False
    refers_to: Kind | None = None
    least: float | None = None
    most: float | None = None
    inner: tuple[FormField, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def title(self) -> str:
        """Its label at the beginning of a line."""
        return self.label[:1].upper() + self.label[1:]

    @property
    def one_of(self) -> str:
        """What one of several is called: `endpoint`."""
        if self.control is FieldControl.ENTRIES:
            return self.key_label if self.key_label[1:] != self.key_label[1:].lower() else self.key_label.lower()
        if not self.label and self.item.refers_to is not None:
            return self.item.refers_to.words
        return self.label.removesuffix("s")

    @property
    def key_label(self) -> str:
        """What the key of an entry is called."""
        return ENTRY_LABELS.get(self.key, ("Name", "Value"))[0]

    @property
    def value_label(self) -> str:
        """What the value of an entry is called."""
        return ENTRY_LABELS.get(self.key, ("Name", "Value"))[1]

    @property
    def help(self) -> str:
        """What it means, and its bounds."""
        return " ".join(filter(None, (_sentence(self.meaning), self._bounds)))

    @property
    def _bounds(self) -> str:
        if self.control not in (FieldControl.WHOLE, FieldControl.NUMBER):
            return "One a line." if self.control is FieldControl.LINES and self.key else ""
        told = []
        if self.least is not None and self.most is not None:
            told.append(f"{self.least:,} to {self.most:,}")
        if _is_number(self.default):
            told.append(f"{self.default:,g} by default" if told else f"By default {self.default:,g}")
        return f"{', '.join(told)}." if told else ""

    @property
    def item(self) -> FormField:
        """What each row of ROWS and ENTRIES holds."""
        return self.inner[0]

    def field(self, key: str) -> FormField:
        """Return one of the fields of FIELDS; raises KeyError."""
        for one in self.inner:
            if one.key == key:
                return one
        raise KeyError(key)


def _sentence(text: str) -> str:
    """Return a text with a capital at its beginning and a full stop at its end."""
    return text and text[:1].upper() + text[1:] + ("" if text.endswith((".", ")", ":")) else ".")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


Meanings = Mapping[str, Mapping[str, str]]


@cache
def meanings() -> Meanings:
    """Return what the fields of every model mean, by the model's name, which is its schema's title."""
    return {model.__name__: field_meanings(model) for kind in BALANCING for model in models_held(MODELS[kind])}


def kind_form(kind: Kind, schema: Mapping[str, Any]) -> FormField:
    """Return the form of a kind's objects, from the schema of what is written of one."""
    references = {field.api_path: Kind(field.kind) for field in kind.references}
    spelled = {field.api_path: field.path[-1] for field in kind.references}
    return _FieldMaker(references, spelled).make("", schema, (), True)


def schema_form(schema: Mapping[str, Any], title: str, without: Container[str] = ()) -> FormField:
    """Return the form of what has no model, from a schema whose properties say themselves what they mean; `without`:
    properties that it does not ask for."""
    whole = followed(schema)
    properties = {key: one for key, one in whole["properties"].items() if key not in without}
    return _FieldMaker({}, {}).make("", {**whole, "title": title, "properties": properties}, (), True)


@dataclass(frozen=True, slots=True)
class _FieldMaker:
    """Makes fields of schemas; `references` has the kinds that those refer to, by the way to them, and
    `spelled` what the models call the last field of that way."""

    references: Mapping[Path, Kind]
    spelled: Mapping[Path, str]

    def make(self, key: str, schema: Mapping[str, Any], path: Path, is_required: bool, title: str = "") -> FormField:
        """Return the field of a schema at a path, in the schema of a title."""
        core, is_nullable = _without_null(schema)
        default = schema.get("default", NO_DEFAULT)
        meaning = str(schema.get("description") or core.get("description") or "")
        told = meanings().get(title, {})
        common: dict[str, Any] = {
            "key": key,
            "label": LABELS.get((title, key), key.replace("_", " ").strip()),
            "meaning": told.get(self.spelled.get(path, key)) or ("" if "$ref" in schema else meaning),
            "default": default,
            "suggested": tuple(SUGGESTED.get(key, ())),
            "is_code": (title, key) in CODE,
            "is_required": is_required,
            "is_nullable": is_nullable,
        }
        core = followed(core)
        kind = core.get("type")
        if kind == "object" and core.get("properties"):
            return self._fields(core, path, common)
        if kind == "object":
            return self._entries(core, path, common)
        if kind == "array":
            return self._rows(core, path, common, title)
        return FormField(**common, **self._scalar(core, path, (title, key)))

    def _fields(self, core: Mapping[str, Any], path: Path, common: dict[str, Any]) -> FormField:
        title = str(core.get("title", ""))
        required = core.get("required", ())
        inner = tuple(
            self.make(key, schema, (*path, key), key in required, title)
            for key, schema in core["properties"].items()
            if is_asked_for(schema)
        )
        by_key = [one.key for one in inner]
        optional = _is_optional(common)
        return FormField(
            **common, control=FieldControl.FIELDS, is_optional=optional, inner=inner, groups=groups_of(title, by_key)
        )

    def _entries(self, core: Mapping[str, Any], path: Path, common: dict[str, Any]) -> FormField:
        return FormField(
            **common,
            control=FieldControl.ENTRIES,
            is_optional=_is_optional(common),
            refers_to=self.references.get((*path, KEYS)),
            inner=(self.make("", core["additionalProperties"], (*path, VALUES), True),),
            most=core.get("maxProperties"),
        )

    def _rows(self, core: Mapping[str, Any], path: Path, common: dict[str, Any], title: str) -> FormField:
        bounds: dict[str, Any] = {"least": core.get("minItems"), "most": core.get("maxItems")}
        items, at = core["items"], (*path, ITEMS)
        if followed(items).get("type") == "object" or at in self.references:
            inner = (self.make("", items, at, True),)
            return FormField(
                **common, control=FieldControl.ROWS, is_optional=_is_optional(common), inner=inner, **bounds
            )
        control = FieldControl.LINES if (title, common["key"]) in LINES or not common["key"] else FieldControl.WORDS
        optional = _is_optional(common) and common["key"] in EMPTY_IS_SOMETHING
        return FormField(
            **common, control=control, choices=tuple(items.get("enum", ())), is_optional=optional, **bounds
        )

    def _scalar(self, core: Mapping[str, Any], path: Path, name: tuple[str, str]) -> dict[str, Any]:
        kind = core.get("type")
        if path in self.references:
            return {"control": FieldControl.REFERENCE, "refers_to": self.references[path]}
        if "enum" in core:
            return {"control": FieldControl.CHOICE, "choices": tuple(core["enum"])}
        if kind == "boolean":
            return {"control": FieldControl.FLAG}
        if kind in ("integer", "number"):
            control = FieldControl.WHOLE if kind == "integer" else FieldControl.NUMBER
            return {"control": control, "least": core.get("minimum"), "most": core.get("maximum")}
        most = core.get("maxLength")
        is_long = name in AREAS or (most or 0) >= AREA_CHARS
        bounds = {"least": core.get("minLength"), "most": most}
        return {"control": FieldControl.AREA if is_long else FieldControl.TEXT, **bounds}


def is_asked_for(schema: Mapping[str, Any]) -> bool:
    """Whether a form asks for a property: not for what the server sets, what can have one value alone,
    or what is an object of any shape."""
    if schema.get("readOnly"):
        return False
    core = followed(_without_null(schema)[0])
    if core.get("type") == "object" and not core.get("properties") and not core.get("additionalProperties"):
        return False
    only_empty = "enum" in core and all(one in (None, "", []) for one in core["enum"])
    return "const" not in core and not only_empty


def _is_optional(common: Mapping[str, Any]) -> bool:
    return common["default"] is None and not common["is_required"]


def _without_null(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return a schema without the choice of null, and whether there was one."""
    choices: Sequence[Mapping[str, Any]] = schema.get("anyOf", ())
    others = [one for one in choices if one != {"type": "null"}]
    if len(others) == 1 and len(choices) == 2:
        return others[0], True
    return schema, False
