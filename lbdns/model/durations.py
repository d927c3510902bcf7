"""Lengths of time as operators write them: seconds, or a text such as 90d, 12h or 5m."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from lbdns.model.mistakes import shown
from lbdns.model.plain_fields import Whole
from lbdns.model.refusal import refusal

UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of each unit, by the letter that stands for it."""
NEVER: Final = "never"
"""The text that stands for 0 where a length of time may be left out."""
_DURATION: Final = re.compile(r"([0-9]{1,9}) ?([smhdw]?)", re.ASCII | re.IGNORECASE)


def _seconds_in(value: Any) -> Any:
    """Return the seconds that a text such as "90d" says; numbers are seconds."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        raise refusal(f"{shown(value)} is no length of time; expected seconds, or a text such as 90d, 12h or 5m")
    return int(found[1]) * UNITS_S[found[2].lower()]


def _seconds_or_never(value: Any) -> Any:
    return 0 if isinstance(value, str) and value.strip().lower() == NEVER else _seconds_in(value)


def duration(least_s: int, most_s: int, may_be_never: bool = False) -> Any:
    """Return the type of a length of time in seconds between two bounds; `may_be_never`: or 0, as which "never" is
    read."""
    low = 0 if may_be_never else least_s
    checks: list[Any] = [Field(ge=low, le=most_s), BeforeValidator(_seconds_or_never if may_be_never else _seconds_in)]
    if may_be_never:
        checks.insert(1, BeforeValidator(_no_shorter(least_s)))  # the last one is called first
    number = {"type": "integer", "minimum": low, "maximum": most_s}
    schema = {"anyOf": [number, {"type": "string", "maxLength": 20}]}
    return Annotated[Whole, *checks, WithJsonSchema(schema)]


def _no_shorter(least_s: int) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < least_s:
            raise refusal(f"{value:,} s is too short; expected {least_s:,} s at least, or never")
        return value

    return check
