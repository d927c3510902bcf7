"""Form fields <-> the bodies that the API takes, and the API's errors beside the fields.

A field's name is the JSON pointer (RFC 6901) to its value in the body, and behind a colon what the value is:

    /name             text, as it is; left out where it is empty and the name ends in ?, null where it ends in !
    /ttl:number       a number; what is none goes to the API as text, which says so
    /enabled:flag     true where the box is ticked; "" of a hidden field of the same name is false
    /pools:lines      a list, an item a line
    /pools:words      a list, its items apart by commas or spaces
    /rules:json       JSON; what is none goes to the API as text, which says so

    /weight:number?   nothing where it is empty       /description!   null where it is empty

Numbers in a pointer are places in a list: /origins/0/address. Places that are left out close up, so that a list's
items may be taken out of the middle of a form; `Form.places` says which place in the body each place in the form has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lbdns.manage.reading.body_refused import BadBody
from lbdns.manage.reading.json_body import parse_json

_NAME: Final = re.compile(r"(?P<pointer>(?:/[^/:?!]*)+)(?::(?P<kind>[a-z]+))?(?P<empty>[?!]?)")
DEPTH_MAX: Final = 16
"""Values within one another, of a pointer: the API's bodies have a few. A name that has more is no pointer."""
_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(?P<fraction>\.\d{1,18})?")
_SEPARATORS: Final = re.compile(r"[,\s]+")
LEFT_OUT: Final = object()
"""What a field gives that is not to stand in the body."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a form shows: the value of each field by pointer, the errors beside them, and those that are beside none."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    def value(self, pointer: str, otherwise: Any = "") -> Any:
        """Return what a field holds: what was sent, or else `otherwise`."""
        return self.values.get(pointer, otherwise) if self.values else otherwise

    def errors_at(self, pointer: str) -> list[str]:
        """Return what is wrong with the value of a field."""
        return list(self.errors.get(pointer, ()))

    @property
    def is_wrong(self) -> bool:
        """Whether anything is."""
        return bool(self.errors or self.others)


def body_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the body that the fields of a form make; fields whose name is no pointer are left out."""
    tree: dict[str, Any] = {}
    for pointer, value in _values(fields):
        _put(tree, pointer.split("/")[1:], value)
    closed = _closed(tree)
    assert isinstance(closed, dict)
    return closed


def form_of(fields: Mapping[str, str], errors: list[dict[str, Any]] | tuple[()] = ()) -> Form:
    """Return the form again that was sent, with the API's errors beside the fields that they are about.

    An error whose pointer leads into a field's value, or to what holds one, stands at the field that is nearest.
    """
    values = {found["pointer"]: value for name, value in fields.items() if (found := _parted(name))}
    at: dict[str, list[str]] = {}
    others = []
    places = _places(values)
    for error in errors:
        pointer = _as_sent((error.get("source") or {}).get("pointer", ""), places)
        known = _nearest(pointer, values)
        if known is None:
            others.append(error["message"])
        else:
            at.setdefault(known, []).append(_told(error["message"]))
    return Form(values, at, tuple(others))


def _told(message: str) -> str:
    """Return a message without the words that programs look for."""
    return message.removesuffix(": validation failed").removesuffix(": value not unique")


def _nearest(pointer: str, known: Mapping[str, str]) -> str | None:
    """Return the field that a pointer is about: itself, what it lies in, or the first that lies in it."""
    if not pointer:
        return None
    above = pointer
    while above:
        if above in known:
            return above
        above = above.rpartition("/")[0]
    return next((one for one in known if one.startswith(f"{pointer}/")), None)


def _values(fields: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, text in fields.items():
        found = _parted(name)
        if found is None:
            continue
        value = _value(found["kind"] or "text", text)
        if text.strip() == "" and found["empty"]:
            value = LEFT_OUT if found["empty"] == "?" else None
        if value is not LEFT_OUT:
            yield found["pointer"], value


def _parted(name: str) -> re.Match[str] | None:
    """Return the parts of a field's name, None where it is no pointer."""
    return _NAME.fullmatch(name) if name.count("/") <= DEPTH_MAX else None


def _value(kind: str, text: str) -> Any:
    match kind:
        case "number":
            found = _NUMBER.fullmatch(text.strip())
            return text if found is None else float(text) if found["fraction"] else int(text)
        case "flag":
            return text not in ("", "false")
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "words":
            return [word for word in _SEPARATORS.split(text.strip()) if word]
        case "json":
            try:
                return parse_json(text.encode())
            except BadBody:
                return text
    return text.replace("\r\n", "\n")


def _put(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        below = tree.setdefault(_unescaped(key), {})
        if not isinstance(below, dict):  # a field and what it holds were both sent: the outer one stands
            return
        tree = below
    tree[_unescaped(keys[-1])] = value


def _unescaped(key: str) -> str:
    return key.replace("~1", "/").replace("~0", "~")


def _closed(value: Any) -> Any:
    """Return a tree in which what has numbers for keys is a list."""
    if not isinstance(value, dict):
        return value
    inner = {key: _closed(one) for key, one in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _places(values: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the places that each list of a form has, in order, by the list's pointer in the form."""
    found: dict[str, set[str]] = {}
    for pointer in values:
        above, *_ = pointer.rpartition("/")
        while above:
            outer, _, key = above.rpartition("/")
            if key.isdigit():
                found.setdefault(outer, set()).add(key)
            above = outer
    return {pointer: sorted(keys, key=int) for pointer, keys in found.items()}


def _as_sent(pointer: str, places: Mapping[str, list[str]]) -> str:
    """Return a pointer into the body as one into the form, whose lists may have gaps."""
    made = ""
    for key in pointer.split("/")[1:]:
        keys = places.get(made)
        if keys is not None and key.isdigit() and int(key) < len(keys):
            key = keys[int(key)]
        made += f"/{key}"
    return made
