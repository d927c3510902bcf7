"""How the model says no: custom pydantic errors whose text is a whole sentence for an operator.

`refusal` makes one, to be raised from a field's validator. `refuse_all` raises several at once from a model's own
validator, each at its own field, so that no mistake hides another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

REFUSAL: Final = "refusal"
"""The pydantic error type of every mistake that the model itself words."""


class Mistake(NamedTuple):
    """A mistake: where it shows, what is wrong, and the fields that the verdict rests on where they are several."""

    location: tuple[str | int, ...]
    message: str
    about: tuple[str, ...] = ()


def refusal(message: str, about: Sequence[str] = ()) -> PydanticCustomError:
    """Return the error to raise for a value; `message` says what is wrong and what would be right.

    `about` names the fields that the verdict rests on: a reader that already refused one of those keeps silent about
    this one.
    """
    return PydanticCustomError(REFUSAL, "{message}", {"message": message, "about": tuple(about)})


def refuse_all(title: str, mistakes: Iterable[Mistake]) -> None:
    """Raise one ValidationError with every mistake; do nothing where there is none."""
    details = [
        InitErrorDetails(type=refusal(found.message, found.about), loc=found.location, input=None) for found in mistakes
    ]
    if details:
        raise ValidationError.from_exception_data(title, details)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was most likely meant to be, or None where nothing is near."""
    candidates = list(known)
    by_folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    found = get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None
