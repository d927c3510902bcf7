"""Plain terms out of JSON and into it, by the annotations of their dataclasses: for processes without pydantic.

| annotation                          | what is read                                                              |
|-------------------------------------|---------------------------------------------------------------------------|
| a dataclass                         | an object; fields that it lacks are at their defaults, others passed over |
| `str`, `int`, `bool`, `float`, Path | a value of that type alone; a whole number is a float as well             |
| `tuple[T, ...]`, `tuple[A, B]`      | a list                                                                    |
| `dict[str, T]`, `Mapping[str, T]`   | an object                                                                 |
| `T \\| None`, `Literal[...]`         | null as well; one of these                                                |
| `Annotated[T, CheckedBy(...)]`        | what the check takes; bounds were looked at by whoever wrote it           |
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lbdns.base.garbage import without_cyclic_collection
from lbdns.model.plain_fields import CheckedBy
from lbdns.model.refusal import Location

_Term = TypeVar("_Term")
_Read = Callable[[Any], Any]


class BadTerm(ValueError):
    """A value that is not what it should be; `location` leads to it."""

    def __init__(self, message: str, location: Location = ()) -> None:
        """Say what is wrong, and where."""
        super().__init__(message)
        self.location = location


@without_cyclic_collection()
def read_term(kind: type[_Term], data: bytes) -> _Term:
    """Return the term that a JSON text holds; raises BadTerm."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BadTerm(f"no JSON: {error}") from error
    asked: Any = kind
    term: _Term = _reader(asked)(value)
    return term


def write_term(term: Any) -> bytes:
    """Return a term as JSON; of an object of a class derived from a term's, what the term has."""
    return _ENCODER.encode(term).encode()


def _parts(value: Any) -> Any:
    kind: Any = type(value)
    return str(value) if isinstance(value, Path) else {name: getattr(value, name) for name in _names(kind)}


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=_parts, allow_nan=False, check_circular=False)


@cache
def _reader(annotation: Any) -> _Read:
    """Return what reads a value of a type; raises TypeError where that is none of the above."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _SINGLE:
        return _SINGLE[annotation]
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _object_reader(annotation)
    if origin is Annotated:
        return _marked_reader(_reader(inner[0]), [one for one in inner[1:] if isinstance(one, CheckedBy)])
    if origin is tuple:
        return _list_reader(_reader(inner[0])) if inner[1:] == (...,) else _row_reader([*map(_reader, inner)])
    if origin in (dict, Mapping):
        return _mapping_reader(*map(_reader, inner))
    if origin is Literal:
        return _choice_reader(inner)
    if origin in (Union, UnionType) and len(inner) == 2 and NoneType in inner:
        return _none_or(_reader(next(one for one in inner if one is not NoneType)))
    raise TypeError(f"a term has no {annotation}")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise BadTerm("expected a text")
    return sys.intern(value)  # names stand at whatever refers to them


def _single(kind: type[Any], words: str) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise BadTerm(f"expected {words}")
        return value

    return read


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise BadTerm("expected a number")
    return float(value)


_SINGLE: Final[dict[Any, _Read]] = {
    str: _text,
    int: _single(int, "a whole number"),
    bool: _single(bool, "true or false"),
    float: _float,
    Path: lambda value: Path(_text(value)),
}


def _object_reader(kind: type[Any]) -> _Read:
    hints = get_type_hints(kind, include_extras=True)
    parts = [(one, one.name, _reader(hints[one.name])) for one in fields(kind)]
    in_order = [(name, read_part) for one, name, read_part in parts if not one.kw_only]
    is_in_order = len(in_order) == len(parts)

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise BadTerm("expected an object")
        if is_in_order:
            try:  # what this release wrote has all; 100,000 load balancers are read so
                return kind(*[read_part(value[name]) for name, read_part in in_order])
            except (KeyError, ValueError):
                pass  # what it is, and where, is found out below
        found = {}
        name = ""
        try:
            for one, name, read_part in parts:
                if name in value:
                    found[name] = read_part(value[name])
                elif one.default is MISSING and one.default_factory is MISSING:
                    raise BadTerm("Field required")
        except ValueError as error:
            raise _below(name, error) from error
        return kind(**found)

    return read


def _list_reader(read_item: _Read) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise BadTerm("expected a list")
        found: list[Any] = []
        try:
            found.extend(map(read_item, value))
        except ValueError as error:
            raise _below(len(found), error) from error
        return tuple(found)

    return read


def _row_reader(readers: list[_Read]) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != len(readers):
            raise BadTerm(f"expected a list of {len(readers)}")
        return tuple(read_item(one) for read_item, one in zip(readers, value, strict=True))

    return read


def _mapping_reader(read_key: _Read, read_item: _Read) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise BadTerm("expected an object")
        found = {}
        key = ""
        try:
            for key, one in value.items():
                found[read_key(key)] = read_item(one)
        except ValueError as error:
            raise _below(key, error) from error
        return found

    return read


def _choice_reader(choices: tuple[Any, ...]) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not str or value not in choices:
            raise BadTerm(f"expected one of {', '.join(map(repr, choices))}")
        return value

    return read


def _none_or(read_given: _Read) -> _Read:
    return lambda value: None if value is None else read_given(value)


def _marked_reader(read_bare: _Read, checks: list[CheckedBy]) -> _Read:
    if not checks:
        return read_bare
    before = [one.take for one in reversed(checks) if one.is_first]
    after = [one.take for one in checks if not one.is_first]

    def read(value: Any) -> Any:
        for take in before:
            value = take(value)
        value = read_bare(value)
        for take in after:
            value = take(value)
        return value

    return read


def _below(step: str | int, error: ValueError) -> BadTerm:
    """Return an error at a step further in; a refusal is one of the value that it was asked about."""
    location = error.location if isinstance(error, BadTerm) else ()
    return BadTerm(str(error), (step, *location))
