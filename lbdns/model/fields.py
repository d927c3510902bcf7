"""Field types that several models share, and the base class of all of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, cast
from weakref import WeakValueDictionary

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    Strict,
    StringConstraints,
    model_serializer,
)

from lbdns.base.json_values import as_written
from lbdns.model import bounds
from lbdns.model.plain_fields import SHOWN_WHERE_SET, Reference
from lbdns.model.refusal import refusal

_Model = TypeVar("_Model", bound=BaseModel)
_set: Final = object.__setattr__


def _with_fields(kind: type[_Model], fields: Mapping[str, Any]) -> _Model:
    """Return a model with these fields, in the order of the class, which are not checked."""
    made = object.__new__(kind)
    for name, value in fields.items():
        _set(made, name, value)
    for name in ("__pydantic_extra__", "__pydantic_private__"):
        _set(made, name, None)
    return made


class Frozen(BaseModel):
    """Base of every model: immutable, unknown keys refused, NaN and infinities refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Have Python know the fields before there is an instance, so that `compact` finds them: with each instance
        that has none by then it takes the class to need fewer."""
        _with_fields(cls, dict.fromkeys(cls.model_fields))


class Alike(Frozen):
    """Base of models of which there is one object for all that were sent alike, by `shared`."""


class AsSent(Frozen):
    """Base of models that are shown as they were sent: what was left out of them, and of the models in them, stays so,
    and what was sent at its default stands there."""

    @model_serializer(mode="plain")
    def _as_sent(self, info: SerializationInfo) -> dict[str, Any]:
        return {name: _given(value, info.mode == "json") for name, value in _fields_given(self)}


def _fields_given(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Yield the fields that were given, in the order of the model, without those that were given as nothing."""
    for name in type(model).model_fields:
        if name in model.model_fields_set and (value := getattr(model, name)) is not None:
            yield name, value


_Shared = TypeVar("_Shared", bound=Frozen)
_shared: WeakValueDictionary[object, Frozen] = WeakValueDictionary()


def shared(model: _Shared) -> _Shared:
    """Return one object for all models that were sent alike: many load balancers have the same rules, and whoever works
    on each finds by its identity what was made of it."""
    return cast(_Shared, _shared.setdefault(_content(model), model))


def _content(value: Any) -> object:
    """Return what two values share that were sent alike."""
    if isinstance(value, BaseModel):
        return type(value), tuple([(name, _content(inner)) for name, inner in _fields_given(value)])
    if isinstance(value, dict):
        return tuple([(key, _content(inner)) for key, inner in value.items()])
    if isinstance(value, tuple):
        return tuple(map(_content, value))
    return value if isinstance(value, str) else (type(value), value)


def _given(value: Any, is_json: bool) -> Any:
    if isinstance(value, BaseModel):
        return {name: _given(inner, is_json) for name, inner in _fields_given(value)}
    if isinstance(value, dict):
        return {key: _given(inner, is_json) for key, inner in value.items()}
    if isinstance(value, tuple):
        inner = [_given(one, is_json) for one in value]
        return inner if is_json else tuple(inner)
    return as_written(value) if is_json and isinstance(value, float) else value


_OBJECT_NAME = re.compile(r"[-_a-zA-Z0-9]+", re.ASCII)


def check_object_name(name: str) -> str:
    """Return a name of an object; raises a refusal where it has other characters than names have."""
    if not _OBJECT_NAME.fullmatch(name):
        raise refusal(f'"{name}" may hold letters, digits, "-" and "_" only')
    return name


def _check_weight(weight: float) -> float:
    """Return the weight on the grid of hundredths, so that 0.07 read twice is the same number."""
    hundredths = round(weight * bounds.WEIGHT_STEPS)
    if abs(weight * bounds.WEIGHT_STEPS - hundredths) > 1e-6:
        raise refusal(f"{weight:g} is not a step of 0.01; the nearest is {hundredths / bounds.WEIGHT_STEPS:g}")
    return hundredths / bounds.WEIGHT_STEPS


def check_path(path: Path) -> Path:
    """Return a path that the kernel may be asked for; raises a refusal."""
    if len(str(path)) > bounds.MAX_FILE_PATH_CHARS or "\0" in str(path):
        raise refusal(f"a path has at most {bounds.MAX_FILE_PATH_CHARS} characters, none of them NUL")
    return path


_HAVE_ROOM: Final = sys.version_info >= (3, 13)
_FIELDS_SETS_MAX: Final = 4096
_LONE_MAX: Final = 1 << 14
_fields_sets: dict[frozenset[str], set[str]] = {}


def compact(model: _Model) -> _Model:
    """Return the same model in less memory, and so the models in its fields. It shares with others what it says of
    which fields were given, and its fields have no dictionary of their own: Python keeps the names of those that are
    set one by one once for the whole class. The two are more than half of what a small object takes. Where that takes
    more (`_takes_less`), it is the model itself; models that are `AsSent` or `Alike` stay the very objects too.
    """
    made = _with_fields(type(model), model.__dict__) if _takes_less(type(model)) else model
    for name in model.model_fields_set:
        value = getattr(model, name)
        if isinstance(value, tuple):
            if any(isinstance(one, Frozen) for one in value):
                _set(made, name, tuple([_compact_inside(one) for one in value]))
        elif isinstance(value, Frozen):
            _set(made, name, _compact_inside(value))
        elif isinstance(value, dict):
            for key, inner in value.items():
                if type(inner) is tuple and len(inner) == 1:
                    value[key] = _lone(inner)
    _set(made, "__pydantic_fields_set__", _shared_set(model.model_fields_set))
    return made


@lru_cache(_LONE_MAX)
def _lone(one: tuple[Any]) -> tuple[Any]:
    """Return one object for all tuples that have just this: many places lead to one pool each, and to few of them."""
    return one


@cache
def _takes_less(kind: type[BaseModel]) -> bool:
    """Return whether models of a kind take less where their fields are set one by one: since Python 3.13 each then has
    a dictionary with room for 30."""
    if not _HAVE_ROOM:
        return True
    fields = dict.fromkeys(kind.model_fields)
    return sys.getsizeof(_with_fields(kind, fields).__dict__) < sys.getsizeof(fields.copy())


def _compact_inside(value: Any) -> Any:
    return compact(value) if isinstance(value, Frozen) and not isinstance(value, (AsSent, Alike)) else value


def _shared_set(given: set[str]) -> set[str]:
    key = frozenset(given)
    shared = _fields_sets.get(key)
    if shared is None:
        shared = set(given)
        if len(_fields_sets) < _FIELDS_SETS_MAX:
            _fields_sets[key] = shared
    return shared


class _NeverShown:
    """Marks a secret."""


NEVER_SHOWN: Final = _NeverShown()
"""Marks secrets, as the v4 API's destinations have them: written and stored, in no answer and no difference."""


def never_shown(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a model that are marked so, those of models inside of it left out."""
    return frozenset(name for name, field in model.model_fields.items() if NEVER_SHOWN in field.metadata)


def shown_where_set(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a model that are marked so, those of models inside of it left out."""
    return frozenset(name for name, field in model.model_fields.items() if SHOWN_WHERE_SET in field.metadata)


FilePath = Annotated[Path, AfterValidator(check_path)]
Number = Annotated[float, Strict(), PlainSerializer(as_written, return_type=int | float, when_used="json")]
"""Dumped as JSON without a fraction where it is whole."""

ObjectName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS),
    AfterValidator(check_object_name),
]
"""The name of a pool, monitor or monitor group."""
NetworkReference = Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_NETWORK_NAME_CHARS)]
"""The name of a virtual network."""
Weight = Annotated[Number, Field(ge=0, le=1), AfterValidator(_check_weight)]
Percent = Annotated[Number, Field(ge=0, le=bounds.MAX_PERCENT)]
Networks = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=bounds.MAX_NETWORK_CHARS)], ...],
    Field(max_length=bounds.MAX_NETWORKS),
    SHOWN_WHERE_SET,
]
"""The networks that the v4 API serves an object in."""
Latitude = Annotated[Number, Field(ge=-bounds.MAX_LATITUDE_DEG, le=bounds.MAX_LATITUDE_DEG)]
Longitude = Annotated[Number, Field(ge=-bounds.MAX_LONGITUDE_DEG, le=bounds.MAX_LONGITUDE_DEG)]
PoolNames = Annotated[tuple[Reference, ...], Field(min_length=1, max_length=bounds.MAX_POOLS_PER_LIST)]
