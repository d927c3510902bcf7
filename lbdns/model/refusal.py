"""How the model says no: custom pydantic errors whose text is a whole sentence for an operator.

`refusal` makes one, to be raised from a field's validator. `refuse_all` raises several at once from a model's own
validator, each at its own field, so that no mistake hides another. pydantic is imported where something is refused: the
processes that answer and probe read addresses too, and have none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pydantic_core import PydanticCustomError

REFUSAL: Final = "refusal"
"""The pydantic error type of every mistake that the model itself words."""


Location = tuple[str | int, ...]
"""The way from an object to a value inside it: keys and indexes."""


class Mistake(NamedTuple):
    """A mistake: where it shows, what is wrong, and the locations that the verdict rests on where they are several.

    A reader that already refused a value at one of those keeps silent about this mistake.
    """

    location: Location
    message: str
    about: tuple[Location, ...] = ()


def refusal(message: str) -> PydanticCustomError:
    """Return the error to raise for a value; `message` says what is wrong and what would be right."""
    from pydantic_core import PydanticCustomError

    return PydanticCustomError(REFUSAL, "{message}", {"message": message})


def refuse_all(title: str, mistakes: Iterable[Mistake]) -> None:
    """Raise one ValidationError with every mistake; do nothing where there is none."""
    found = list(mistakes)
    if found:
        from pydantic_core import InitErrorDetails, ValidationError

        details = [InitErrorDetails(type=_error(one), loc=one.location, input=None) for one in found]
        raise ValidationError.from_exception_data(title, details)


def _error(found: Mistake) -> PydanticCustomError:
    # pydantic puts the way to this object before `loc` but not before `about`: `depth` tells where that way ends.
    from pydantic_core import PydanticCustomError

    context = {"message": found.message, "about": found.about, "depth": len(found.location)}
    return PydanticCustomError(REFUSAL, "{message}", context)
