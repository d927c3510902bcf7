"""The bounds of an object's lists and mappings, looked at before what is in them.

Each bound is the one that the model declares (max_length). What is beyond it is cut off and told, so that however much
somebody sends, no more is checked, copied or told than an object can hold.
"""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple, get_args, get_origin

from annotated_types import MaxLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lbdns.model.mistakes import too_many
from lbdns.model.plain_fields import Laid
from lbdns.model.refusal import Location, Mistake

UNKNOWN_MAX: Final = 100
"""Unknown keys of one object that are told one by one."""


class Shape(NamedTuple):
    """What a value may hold: so many items, all of one shape, or a model's fields; None stands for single values."""

    most: int | None = None
    item: Shape | None = None
    fields: dict[str, Shape | None] | None = None


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """Return the shape of a model."""
    fields = model.model_fields.items()
    return Shape(fields={one.alias or name: _shape(one.annotation, one.metadata) for name, one in fields})


def _shape(annotation: Any, metadata: list[Any]) -> Shape | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of(annotation)
    inner = get_args(annotation)
    declared = getattr(annotation, "__metadata__", None)
    if declared is not None:
        return _shape(inner[0], [*metadata, *declared])
    if get_origin(annotation) in (tuple, dict):
        return Shape(_most(metadata), _shape(inner[0 if get_origin(annotation) is tuple else 1], []))
    return next((shape for one in inner if (shape := _shape(one, metadata)) is not None), None)


def _most(metadata: list[Any]) -> int | None:
    for one in metadata:
        for part in one.metadata if isinstance(one, FieldInfo) else (one,):
            if isinstance(part, MaxLen):
                return part.max_length
            if isinstance(part, Laid) and "max_length" in part.terms:
                return part.terms["max_length"]
    return None


def is_within(shape: Shape, value: Any) -> bool:
    """Tell whether all lists and mappings of a value are within their bounds; cheap, whatever else is in them."""
    if shape.fields is not None:
        if not isinstance(value, dict):
            return True
        if len(value) > len(shape.fields) + UNKNOWN_MAX:
            return False
        for key, inner in shape.fields.items():
            if inner is not None and key in value and not is_within(inner, value[key]):
                return False
        return True
    if not isinstance(value, (list, dict)):
        return True
    if shape.most is not None and len(value) > shape.most:
        return False
    item = shape.item
    return item is None or all(is_within(item, one) for one in (value.values() if isinstance(value, dict) else value))


def cut(shape: Shape | None, value: Any, found: list[Mistake], at: Location = ()) -> Any:
    """Return a copy of a value without what is beyond its bounds, of which `found` then tells.

    A list or mapping where a single value is expected comes back empty: a mistake is told of its kind alone.
    """
    if not isinstance(value, (list, dict)):
        return value
    if shape is None:
        return type(value)()
    if shape.fields is not None:
        return _cut_object(shape.fields, value, found, at) if isinstance(value, dict) else []
    most = len(value) if shape.most is None else shape.most
    if len(value) > most:
        found.append(Mistake(at, too_many(len(value), most)))
    if isinstance(value, dict):
        return {key: cut(shape.item, one, found, (*at, key)) for key, one in islice(value.items(), most)}
    return [cut(shape.item, one, found, (*at, index)) for index, one in enumerate(islice(value, most))]


def _cut_object(fields: dict[str, Shape | None], value: dict[str, Any], found: list[Mistake], at: Location) -> Any:
    made: dict[str, Any] = {}
    unknown = 0
    for key, one in value.items():
        if key in fields:
            made[key] = cut(fields[key], one, found, (*at, key))
            continue
        unknown += 1
        if unknown <= UNKNOWN_MAX:
            made[key] = None
    if unknown > UNKNOWN_MAX:
        found.append(Mistake(at, f"and {unknown - UNKNOWN_MAX:,} more unknown keys"))
    return made
