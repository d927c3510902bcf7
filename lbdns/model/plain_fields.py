"""Field types of what processes without pydantic read too, and the marks that bound them.

pydantic takes from a mark what it lays over its own schema of a type, `term_reader.py` asks those that check. So what a
field is, and what it may hold, is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar, dataclass_transform

from lbdns.model import bounds

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


_Term = TypeVar("_Term")
_BOUNDED: Final = ("str", "int", "bool", "tuple", "dict")
"""The types of pydantic's schemas that terms may be laid over."""


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def plain_term(kind: type[_Term]) -> type[_Term]:
    """Make a class a frozen dataclass that a model can be derived from; type checkers let none of frozen classes, where
    its own are frozen by their configuration alone."""
    return dataclass(frozen=True, kw_only=True)(kind)


class Laid:
    """Marks a type with what pydantic's schema of it says beside: `ge`, `le`, `min_length`, `max_length`, `strict`.

    It stands before marks that check: those wrap the schema, and what is laid over a wrapper says nothing.
    """

    def __init__(self, **terms: int) -> None:
        """Say the terms by the schema's own names."""
        self.terms: Final = terms

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        if schema["type"] not in _BOUNDED:
            raise TypeError(f"{self.terms} is laid over {schema['type']}, which has no bounds")
        laid: CoreSchema = schema | self.terms
        return laid


class CheckedBy:
    """Marks a type with a function that returns a value as it is kept, and raises a refusal; `is_first`: it is asked
    before the type is looked at."""

    def __init__(self, take: Callable[[Any], Any], is_first: bool = False) -> None:
        """Say the function."""
        self.take: Final = take
        self.is_first: Final = is_first

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core.core_schema import no_info_after_validator_function, no_info_before_validator_function

        if self.is_first:
            return no_info_before_validator_function(self.take, handler(source))
        return no_info_after_validator_function(self.take, handler(source))


class _ShownWhereSet:
    """Marks a field that the API shows only where it has another value than its default."""


SHOWN_WHERE_SET: Final = _ShownWhereSet()
"""Marks fields of lbdns's own, and those of the v4 API that few send: strict clients then read back what they sent."""

Flag = Annotated[bool, Laid(strict=True)]
Whole = Annotated[int, Laid(strict=True)]
Reference = Annotated[str, Laid(min_length=1, max_length=bounds.MAX_OBJECT_NAME_CHARS)]
"""Another object's name. Its form is not checked: that an object of that name exists is, by lbdns.config."""
Description = Annotated[str, Laid(max_length=bounds.MAX_DESCRIPTION_CHARS)]
Port = Annotated[Whole, Laid(ge=0, le=bounds.MAX_PORT)]
"""0 means none given."""
