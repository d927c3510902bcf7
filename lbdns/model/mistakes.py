"""pydantic's errors in an operator's words: what was found, and what would be right.

The table below covers every error type that the models of this package can give; what is not in it keeps pydantic's
own sentence. Errors that only follow from another one (a list that is "too short" because its items were refused) are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from lbdns.base.wording import nearest
from lbdns.model.fields import ObjectName
from lbdns.model.refusal import REFUSAL, Location, Mistake

_KEY_MARK: Final = "[key]"
"""What pydantic appends to the location of a mapping's refused key."""
_SHOWN_CHARS: Final = 60
_FOLLOWING: Final = ("too_short", "too_long")
"""Types of errors about a list that may only follow from those about its items."""


def mistakes_of(error: ValidationError, model: type[BaseModel] | None = None, most: int | None = None) -> list[Mistake]:
    """Return every mistake of a refused object, or the first `most`, in the order of its fields.

    `model` is the model that refused; it tells which keys would have been known. Locations are paths from the object.
    """
    found = []
    for detail in _details(error)[:most]:
        place = _location(detail)
        context = detail.get("ctx", {})
        base = place[: len(place) - context.get("depth", 0)]
        about = tuple((*base, *rest) for rest in context.get("about", ()))
        found.append(Mistake(place, _words(detail, model), about))
    return found


def mistake_count(error: ValidationError) -> int:
    """Return how many mistakes there are, without putting any into words."""
    return len(_details(error))


def _details(error: ValidationError) -> list[Any]:
    """Return pydantic's errors but those that only follow from others."""
    details = error.errors(include_url=False)
    if not any(detail["type"] in _FOLLOWING for detail in details):
        return list(details)
    places = {_location(detail) for detail in details}
    above = {place[:length] for place in places for length in range(len(place))}
    return [detail for detail in details if detail["type"] not in _FOLLOWING or _location(detail) not in above]


def name_mistakes(name: Any) -> list[str]:
    """Return what is wrong with the name of an object whose model has no field for it, a sentence each."""
    try:
        _object_name().validate_python(name)
    except ValidationError as error:
        return [found.message for found in mistakes_of(error)]
    return []


@cache
def _object_name() -> TypeAdapter[str]:
    return TypeAdapter(ObjectName)


def shown(value: Any) -> str:
    """Return a value as an operator would write it, cut to a length that fits a line."""
    if isinstance(value, str):
        text = f'"{value[: _SHOWN_CHARS + 1]}"'
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, dict):
        return "a mapping"
    elif isinstance(value, (list, tuple)):
        return "a list"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARS else f'{text[:_SHOWN_CHARS]}..."'


def _location(detail: Any) -> Location:
    place: Location = detail["loc"]
    return place[:-1] if place and place[-1] == _KEY_MARK else place


def _words(detail: Any, model: type[BaseModel] | None) -> str:
    kind = detail["type"]
    if kind == REFUSAL:
        return str(detail["msg"])
    if kind == "extra_forbidden":
        return _unknown_key(detail["loc"], model)
    words = _WORDS.get(kind)
    return words(detail["input"], detail.get("ctx", {}), detail["loc"]) if words else str(detail["msg"])


def unknown_key(key: str, known: list[str]) -> str:
    """Return the sentence about a key that nothing reads, naming the nearest known key, or all of a few."""
    near = nearest(key, known)
    if near is not None:
        return f'unknown key "{key}"; did you mean "{near}"?'
    return f'unknown key "{key}"; the keys known here are {", ".join(known)}'


def _unknown_key(place: Location, model: type[BaseModel] | None) -> str:
    owner = _model_at(model, place[:-1])
    return unknown_key(str(place[-1]), _keys_of(owner) if owner else [])


def _keys_of(model: type[BaseModel]) -> list[str]:
    """Return the keys that a model reads, as an operator writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(model: type[BaseModel] | None, place: Location) -> type[BaseModel] | None:
    """Return the model whose fields stand at a location: list indexes and mapping keys lead through."""
    at = model
    for step in place:
        if at is None or not isinstance(step, str) or step not in at.model_fields:
            continue
        at = next(models_in(at.model_fields[step].annotation), None)
    return at


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models inside an annotation such as `tuple[Endpoint, ...]` or `ApiSettings | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


def _expected(what: str) -> Callable[[Any, Any, Any], str]:
    def words(value: Any, context: Any, place: Any) -> str:
        if value is None:
            return f"nothing is given; expected {what}, or no key at all"
        if isinstance(value, str) and what in (_WHOLE, _NUMBER) and _is_number(value):
            return f"{shown(value)} is a text; expected {what}, without quotes"
        return f"{shown(value)} is not {what}"

    return words


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _out_of_bounds(side: str, key: str) -> Callable[[Any, Any, Any], str]:
    def words(value: Any, context: Any, place: Any) -> str:
        bound = context[key]
        limit = f"{bound:g}" if isinstance(bound, float) else str(bound)
        return f"{shown(value)} is out of bounds; expected {side} {limit}"

    return words


def _choice(value: Any, context: Any, place: Any) -> str:
    expected = str(context["expected"]).replace("'", '"').replace(" or ", ", ")
    if value is None:
        return f"nothing is given; expected one of {expected}, or no key at all"
    choices = [choice.strip().strip('"') for choice in expected.split(",")]
    near = nearest(value, choices) if isinstance(value, str) else None
    meant = f'; did you mean "{near}"?' if near else ""
    return f"{shown(value)} is not known here; expected one of {expected}{meant}"


def _count(side: str, key: str) -> Callable[[Any, Any, Any], str]:
    def words(value: Any, context: Any, place: Any) -> str:
        return _entries(context["actual_length"], side, context[key])

    return words


def too_many(count: int, most: int) -> str:
    """Return the sentence about a list or mapping that is too long."""
    return _entries(count, "at most", most)


def _entries(count: Any, side: str, bound: Any) -> str:
    return f"{count} entries; expected {side} {bound}"


def _characters(side: str, key: str) -> Callable[[Any, Any, Any], str]:
    def words(value: Any, context: Any, place: Any) -> str:
        if not value:
            return "the text is empty; expected at least one character"
        return f"{len(value)} characters; expected {side} {context[key]}"

    return words


_WHOLE: Final = "a whole number"
_NUMBER: Final = "a number"

_WORDS: Final[dict[str, Callable[[Any, Any, Any], str]]] = {
    "missing": lambda value, context, place: f'the key "{place[-1]}" is missing; it is required',
    "invalid_key": _expected("a text; keys are texts"),
    "string_type": _expected("a text; put it in quotes"),
    "int_type": _expected(_WHOLE),
    "int_from_float": _expected(_WHOLE),
    "int_parsing_size": _expected("a number of sensible size"),
    "float_type": _expected(_NUMBER),
    "finite_number": _expected("a finite number"),
    "bool_type": _expected("true or false"),
    "tuple_type": _expected("a list"),
    "dict_type": _expected("a mapping of keys to values"),
    "model_type": _expected("a mapping of keys to values"),
    "path_type": _expected("a path"),
    "string_unicode": _expected("a text in UTF-8"),
    "literal_error": _choice,
    "greater_than_equal": _out_of_bounds("at least", "ge"),
    "less_than_equal": _out_of_bounds("at most", "le"),
    "too_short": _count("at least", "min_length"),
    "too_long": _count("at most", "max_length"),
    "string_too_short": _characters("at least", "min_length"),
    "string_too_long": _characters("at most", "max_length"),
}
