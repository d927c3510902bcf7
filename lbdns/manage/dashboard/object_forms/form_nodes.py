"""A form with what stands in it and what is wrong with it, as templates draw it: a tree of nodes, an input each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lbdns.manage.dashboard.object_forms.form_field import FieldControl, FormField
from lbdns.manage.dashboard.object_forms.object_names import ObjectNames
from lbdns.manage.dashboard.object_forms.presentations import Group
from lbdns.manage.dashboard.object_forms.sent_body import is_blank
from lbdns.manage.dashboard.object_forms.typed_values import KEY, NO, THERE, UNSET, YES, Typed, is_choice

OPTIONS_MAX: Final = 200
"""Among as many objects one is chosen from a list; among more its name is typed."""
_COLUMN: Final = re.compile(r"column ([0-9]{1,6})\b")
_INVALID: Final = ": validation failed"
Errors = Mapping[str, Sequence[str]]
"""What is wrong, by the name of the input; "" has what no input is to blame for."""


@dataclass(slots=True)
class RowNode:
    """One row of a list or mapping. `key`: of an entry, what was typed as its key."""

    name: str
    node: FieldNode
    number: int
    is_last: bool
    key_name: str = ""
    key: str = ""
    key_errors: Sequence[str] = ()


@dataclass(slots=True)
class FieldNode:
    """One field: `name` is its input's, `value` what stands in it. `caret`: of code with an error, where it is."""

    form: FormField
    name: str
    value: Any = ""
    is_there: bool = True
    errors: Sequence[str] = ()
    rows: list[RowNode] = field(default_factory=list)
    groups: list[GroupNode] = field(default_factory=list)
    options: Sequence[tuple[str, str]] = ()
    caret: tuple[str, str, str] | None = None
    has_focus: bool = False
    has_errors: bool = False

    @property
    def id(self) -> str:
        """Its id in the page."""
        return node_id(self.name)

    @property
    def there(self) -> str:
        """The name of the input that says that it is there."""
        return self.name + THERE


@dataclass(slots=True)
class GroupNode:
    """Fields under a heading."""

    group: Group
    nodes: list[FieldNode]
    is_open: bool
    absent: list[FieldNode]

    @property
    def is_alone(self) -> bool:
        """Whether its one field has the heading for its label, and is always there."""
        return self.group.heading == self.nodes[0].form.title and not self.nodes[0].form.is_optional


def node_id(name: str) -> str:
    """Return the id of an input in the page, by its name."""
    return "f" + name.replace("/", "-").replace(KEY, "-key")


@dataclass(frozen=True, slots=True)
class NodeMaker:
    """Makes the nodes of a form; `focus` is the input that one goes on with."""

    names: ObjectNames
    errors: Errors
    focus: str = ""

    def make(self, form: FormField, typed: Typed, name: str = "") -> FieldNode:
        """Return the node of a field and those below it."""
        node = FieldNode(form, name, typed, typed is not None, self.errors.get(name, ()))
        node.has_focus = bool(self.focus) and name == self.focus
        node.has_errors = any(one == name or one.startswith(f"{name}/") for one in self.errors if one)
        if typed is None:
            return node
        match form.control:
            case FieldControl.FIELDS:
                node.groups = [self._group(form, group, typed, name) for group in form.groups]
            case FieldControl.ROWS:
                node.rows = [
                    RowNode(f"{name}/{row}", self.make(form.item, one, f"{name}/{row}"), row, row == len(typed) - 1)
                    for row, one in enumerate(typed)
                ]
            case FieldControl.ENTRIES:
                node.rows = [self._entry(form, name, row, one, len(typed)) for row, one in enumerate(typed)]
            case _:
                node.options = self._options(form, typed)
                if form.is_code and node.errors:
                    node.caret = _caret(str(typed), node.errors)
        return node

    def _group(self, form: FormField, group: Group, typed: Mapping[str, Typed], name: str) -> GroupNode:
        nodes = [self.make(form.field(key), typed[key], f"{name}/{key}") for key in group.keys]
        is_used = any(one.has_errors or not is_blank(one.form, one.value) for one in nodes)
        there = [one for one in nodes if one.is_there]
        return GroupNode(group, there, not group.is_folded or is_used, [one for one in nodes if not one.is_there])

    def _entry(self, form: FormField, name: str, row: int, entry: Sequence[Typed], count: int) -> RowNode:
        at = f"{name}/{row}"
        node = self.make(form.item, entry[1], at)
        return RowNode(at, node, row, row == count - 1, at + KEY, entry[0], self.errors.get(at + KEY, ()))

    def _options(self, form: FormField, typed: Typed) -> Sequence[tuple[str, str]]:
        """Return what is chosen from: value and words."""
        if is_choice(form):
            words = (
                ((YES, "yes"), (NO, "no"))
                if form.control is FieldControl.FLAG
                else [(one, one) for one in form.choices]
            )
            unset = ((UNSET, "not set"),) if form.default is None or form.control is FieldControl.FLAG else ()
            empty = "default" if form.default == "" else "(empty)"
            known = [*unset, *((value, text or empty) for value, text in words)]
            return known if any(value == typed for value, _ in known) else [*known, (typed, typed)]
        if form.control is FieldControl.REFERENCE and form.refers_to is not None:
            names = self.names.all(form.refers_to)
            if len(names) > OPTIONS_MAX:
                return ()
            if typed and typed not in names:
                names = [*names, typed]
            return [("", "" if form.is_required else "none"), *((name, name) for name in names)]
        return ()


def _caret(text: str, errors: Sequence[str]) -> tuple[str, str, str] | None:
    """Return a text in three parts, of which the second is where the first error is."""
    found = next(filter(None, map(_COLUMN.search, errors)), None)
    if found is None:
        return None
    at = min(int(found[1]) - 1, len(text))
    return text[:at], text[at : at + 1], text[at + 1 :]


def located(
    form: FormField, typed: Typed, told: Iterable[Mapping[str, Any]], names: ObjectNames
) -> dict[str, list[str]]:
    """Return the API's errors by the names of the inputs that they are about."""
    found: dict[str, list[str]] = {}
    for error in told:
        pointer = (error.get("source") or {}).get("pointer", "")
        steps = [one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:]]
        message = str(error.get("message", "")).removesuffix(_INVALID)
        found.setdefault(_input_at(form, typed, steps, "", names), []).append(message)
    return found


def _input_at(form: FormField, typed: Typed, steps: list[str], name: str, names: ObjectNames) -> str:
    """Return the name of the input that a pointer's steps lead to, or of the nearest that holds it."""
    if not steps or typed is None:
        return name
    step, rest = steps[0], steps[1:]
    if form.control is FieldControl.FIELDS and any(one.key == step for one in form.inner):
        return _input_at(form.field(step), typed[step], rest, f"{name}/{step}", names)
    if form.control is FieldControl.ROWS and step.isdecimal() and int(step) < len(typed):
        return _input_at(form.item, typed[int(step)], rest, f"{name}/{step}", names)
    if form.control is FieldControl.ENTRIES:
        shown = names.name_of(form.refers_to, step) if form.refers_to is not None else step
        for row, (key, inner) in enumerate(typed):
            if key.strip().lower() == shown.lower():
                at = f"{name}/{row}"
                is_of_key = not rest and form.item.control is not FieldControl.NUMBER
                return at + KEY if is_of_key else _input_at(form.item, inner, rest, at, names)
    return name
