"""Field types that several models share, and the base class of all of them."""

from __future__ import annotations

import re
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, Strict, StringConstraints

from lbdns.base.json_values import as_written
from lbdns.model import bounds
from lbdns.model.refusal import refusal


class Frozen(BaseModel):
    """Base of every model: immutable, unknown keys refused, NaN and infinities refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Model = TypeVar("_Model", bound=BaseModel)
_OBJECT_NAME = re.compile(r"[-_a-zA-Z0-9]+", re.ASCII)


def _check_object_name(name: str) -> str:
    if not _OBJECT_NAME.fullmatch(name):
        raise refusal(f'"{name}" may hold letters, digits, "-" and "_" only')
    return name


def _check_weight(weight: float) -> float:
    """Return the weight on the grid of hundredths, so that 0.07 read twice is the same number."""
    hundredths = round(weight * bounds.WEIGHT_STEPS)
    if abs(weight * bounds.WEIGHT_STEPS - hundredths) > 1e-6:
        raise refusal(f"{weight:g} is not a step of 0.01; the nearest is {hundredths / bounds.WEIGHT_STEPS:g}")
    return hundredths / bounds.WEIGHT_STEPS


_FIELDS_SETS_MAX: Final = 4096
_fields_sets: dict[frozenset[str], set[str]] = {}


def share_fields_set(model: _Model) -> _Model:
    """Return a model that shares with others what it says of which fields were given, and so do the models in its
    fields: that alone is up to half of what a small object takes."""
    given = model.model_fields_set
    key = frozenset(given)
    shared = _fields_sets.get(key)
    if shared is None and len(_fields_sets) < _FIELDS_SETS_MAX:
        shared = _fields_sets[key] = set(given)
    if shared is not None:
        object.__setattr__(model, "__pydantic_fields_set__", shared)
    for name in given:
        value = getattr(model, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, Frozen):
                share_fields_set(inner)
    return model


class _ShownWhereSet:
    """Marks a field that the API shows only where it has another value than its default."""


SHOWN_WHERE_SET: Final = _ShownWhereSet()
"""Marks fields of lbdns's own, and those of the v4 API that few send: strict clients then read back what they sent."""


def shown_where_set(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a model that are marked so, those of models inside of it left out."""
    return frozenset(name for name, field in model.model_fields.items() if SHOWN_WHERE_SET in field.metadata)


Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict(), PlainSerializer(as_written, return_type=int | float, when_used="json")]
"""Dumped as JSON without a fraction where it is whole."""

ObjectName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS),
    AfterValidator(_check_object_name),
]
"""The name of a pool, monitor or monitor group."""
Reference = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS)]
"""Another object's name. Its form is not checked: that an object of that name exists is, by lbdns.config."""
Description = Annotated[str, StringConstraints(max_length=bounds.MAX_DESCRIPTION_CHARS)]
Weight = Annotated[Number, Field(ge=0, le=1), AfterValidator(_check_weight)]
Percent = Annotated[Number, Field(ge=0, le=bounds.MAX_PERCENT)]
Port = Annotated[Whole, Field(ge=0, le=bounds.MAX_PORT)]
"""0 means none given."""
Networks = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_NETWORK_CHARS)], ...],
    Field(max_length=bounds.MAX_NETWORKS),
    SHOWN_WHERE_SET,
]
"""The networks that the v4 API serves an object in."""
Latitude = Annotated[Number, Field(ge=-bounds.MAX_LATITUDE_DEG, le=bounds.MAX_LATITUDE_DEG)]
Longitude = Annotated[Number, Field(ge=-bounds.MAX_LONGITUDE_DEG, le=bounds.MAX_LONGITUDE_DEG)]
PoolNames = Annotated[tuple[Reference, ...], Field(min_length=1, max_length=bounds.MAX_POOLS_PER_LIST)]
