"""What stands in a form's inputs: of a body that the API gave or will be sent, or of what a browser posted.

| control                 | what is typed                                                                  |
|-------------------------|--------------------------------------------------------------------------------|
| TEXT, AREA, WHOLE, ...  | the text; of REFERENCE the object's name; of CHOICE UNSET where none is chosen |
| FLAG                    | a bool; of one that may be unset the text of a CHOICE                          |
| WORDS, LINES            | the text of all                                                                |
| FIELDS                  | a dict; None: it lacks                                                         |
| ROWS                    | a list; None: it lacks                                                         |
| ENTRIES                 | a list of [key, value]; None: it lacks                                         |

Inputs are called by the way to their value; beside them stand `WAY?`, which says that a row or an optional field is
there, and `WAY~key`, the key of an entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lbdns.base.json_values import as_written
from lbdns.base.kinds import Kind
from lbdns.manage.dashboard.object_forms.form_field import NO_DEFAULT, FieldControl, FormField
from lbdns.manage.dashboard.object_forms.object_names import ObjectNames

UNSET: Final = "~unset"
"""The choice of nothing: "" is a value of some fields."""
YES, NO = "yes", "no"
THERE: Final = "?"
KEY: Final = "~key"
ROWS_MAX: Final = 10_000
_INDEX: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
Typed = Any


def is_choice(field: FormField) -> bool:
    """Whether a field is chosen from a list: choices, and flags that may be unset."""
    return field.control is FieldControl.CHOICE or (
        field.control is FieldControl.FLAG and field.default in (None, NO_DEFAULT)
    )


def typed_of(field: FormField, value: Any, names: ObjectNames) -> Typed:
    """Return what a form shows for a value of a body; None stands for what lacks or is null."""
    if value is None and field.is_optional:
        return None
    if value is None and field.default is not NO_DEFAULT:
        value = field.default
    match field.control:
        case FieldControl.FIELDS:
            given = value if isinstance(value, Mapping) else {}
            return {one.key: typed_of(one, given.get(one.key), names) for one in field.inner}
        case FieldControl.ROWS:
            return [typed_of(field.item, item, names) for item in value] if isinstance(value, (list, tuple)) else []
        case FieldControl.ENTRIES:
            entries = value.items() if isinstance(value, Mapping) else ()
            return [[_key_shown(field, key, names), typed_of(field.item, inner, names)] for key, inner in entries]
        case FieldControl.WORDS | FieldControl.LINES:
            joint = ", " if field.control is FieldControl.WORDS else "\n"
            return joint.join(map(str, value)) if isinstance(value, (list, tuple)) else _text(value)
        case FieldControl.REFERENCE:
            return _reference_shown(field, value, names)
    if is_choice(field):
        return UNSET if value is None else _choice_text(value)
    if field.control is FieldControl.FLAG:
        return bool(value)
    return _text(value)


def _key_shown(field: FormField, key: str, names: ObjectNames) -> str:
    return names.name_of(field.refers_to, key) if field.refers_to is not None else key


def _reference_shown(field: FormField, value: Any, names: ObjectNames) -> str:
    return names.name_of(_kind(field), value) if isinstance(value, str) else _text(value)


def _kind(field: FormField) -> Kind:
    assert field.refers_to is not None, "a reference says what it refers to"
    return field.refers_to


def _choice_text(value: Any) -> str:
    return (YES if value else NO) if isinstance(value, bool) else str(value)


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{as_written(value)}" if isinstance(value, float) else str(value)


# --- what a browser posts ---


class Posted:
    """The inputs of a posted form, by name."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take them; of several of one name the last counts."""
        self.values = dict(pairs)
        self._rows: dict[str, set[int]] = {}
        for name in self.values:
            at, _, index = name.removesuffix(THERE).rpartition("/")
            if name.endswith(THERE) and _INDEX.fullmatch(index):
                self._rows.setdefault(at, set()).add(int(index))

    def rows(self, at: str) -> Sequence[int]:
        """Return the numbers of the rows below a name."""
        return sorted(self._rows.get(at, ()))[:ROWS_MAX]

    def is_there(self, at: str) -> bool:
        """Whether an optional field is."""
        return at + THERE in self.values


def typed_in(field: FormField, posted: Posted, at: str = "") -> Typed:
    """Return what was typed into a field whose input is called `at`."""
    if field.is_optional and not posted.is_there(at):
        return None
    match field.control:
        case FieldControl.FIELDS:
            return {one.key: typed_in(one, posted, f"{at}/{one.key}") for one in field.inner}
        case FieldControl.ROWS:
            return [typed_in(field.item, posted, f"{at}/{row}") for row in posted.rows(at)]
        case FieldControl.ENTRIES:
            rows = [f"{at}/{row}" for row in posted.rows(at)]
            return [[posted.values.get(row + KEY, ""), typed_in(field.item, posted, row)] for row in rows]
    if is_choice(field):
        return posted.values.get(at, UNSET)
    if field.control is FieldControl.FLAG:
        return at in posted.values
    return posted.values.get(at, "").replace("\r\n", "\n")


# --- rows that a button adds, moves and takes away ---

ADD, REMOVE, UP, DOWN = "add", "remove", "up", "down"
STEPS: Final = (ADD, REMOVE, UP, DOWN)


def with_step(field: FormField, typed: Typed, step: str, names: ObjectNames) -> tuple[Typed, str]:
    """Return a form with what a button of it asks for, such as `add /origins`, and the input to go on with.

    What is no step, or not about anything that there is, changes nothing.
    """
    verb, _, at = step.partition(" ")
    way = at.strip("/").split("/") if at.strip("/") else []
    if verb not in STEPS or not way:
        return typed, ""
    return _stepped(field, typed, verb, way, "", names)


def _stepped(
    field: FormField, typed: Typed, verb: str, way: list[str], at: str, names: ObjectNames
) -> tuple[Typed, str]:
    """Go one step of the way; what comes of it is a copy as far as it goes."""
    if not way:
        return _done(field, typed, verb, at, names)
    step, rest = way[0], way[1:]
    here = f"{at}/{step}"
    if field.control is FieldControl.FIELDS and isinstance(typed, dict) and step in typed:
        made, focus = _stepped(field.field(step), typed[step], verb, rest, here, names)
        return {**typed, step: made}, focus
    if (
        field.control not in (FieldControl.ROWS, FieldControl.ENTRIES)
        or not isinstance(typed, list)
        or not _INDEX.fullmatch(step)
    ):
        return typed, ""
    row = int(step)
    if row >= len(typed):
        return typed, ""
    if not rest and verb != ADD:
        return _moved(typed, row, verb), f"{at}/{min(row, len(typed) - 2)}" if verb == REMOVE else here
    rows = list(typed)
    if field.control is FieldControl.ENTRIES:
        inner, focus = _stepped(field.item, rows[row][1], verb, rest, here, names)
        rows[row] = [rows[row][0], inner]
    else:
        rows[row], focus = _stepped(field.item, rows[row], verb, rest, here, names)
    return rows, focus


def _done(field: FormField, typed: Typed, verb: str, at: str, names: ObjectNames) -> tuple[Typed, str]:
    """Add to a field, or take it away where it is optional."""
    if verb == REMOVE and field.is_optional:
        return None, at
    if verb != ADD:
        return typed, ""
    if typed is None:
        return _begun(field, names), f"{at}/0" if field.control in (FieldControl.ROWS, FieldControl.ENTRIES) else at
    if field.control is FieldControl.ROWS:
        return [*typed, _begun(field.item, names)], f"{at}/{len(typed)}"
    if field.control is FieldControl.ENTRIES:
        return [*typed, ["", _begun(field.item, names)]], f"{at}/{len(typed)}"
    return typed, ""


def _begun(field: FormField, names: ObjectNames) -> Typed:
    """Return a field that was just added: with one empty row where it has any."""
    if field.control is FieldControl.ROWS:
        return [_begun(field.item, names)]
    if field.control is FieldControl.ENTRIES:
        return [["", _begun(field.item, names)]]
    if field.control is FieldControl.FIELDS:
        made = {one.key: typed_of(one, None, names) for one in field.inner}
        for one in field.inner:
            if one.control is FieldControl.ROWS and one.is_required:
                made[one.key] = _begun(one, names)
        return made
    return typed_of(field, None, names)


def _moved(rows: list[Typed], row: int, verb: str) -> list[Typed]:
    if verb == REMOVE:
        return [*rows[:row], *rows[row + 1 :]]
    other = row - 1 if verb == UP else row + 1
    if not 0 <= other < len(rows):
        return rows
    made = list(rows)
    made[row], made[other] = made[other], made[row]
    return made
