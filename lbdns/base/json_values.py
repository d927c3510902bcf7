"""Values as JSON brings them: what a field of the API may hold before anything is known of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

Report = Callable[[str, str], None]
"""Hears of a mistake in an object: the key, "" for the object as a whole, and the message."""

_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?\s*", re.ASCII)


def number_in_text(value: Any) -> Any:
    """Return the number that a text holds, as clients send them that fill in forms; anything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    return float(value) if "." in value else int(value)


def whole_number(value: Any) -> int | None:
    """Return a JSON number that is whole as int, None for anything else. Clients send 10.0 for 10."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)


def as_written(number: float) -> int | float:
    """Return a number without a fraction where it is whole: who sent 100 reads 100 back. To a client that declares a
    field as whole, as Cloudflare's SDK for Go does `drain_duration`, 100.0 is a mistake."""
    return int(number) if number.is_integer() else number


def is_text(value: str) -> bool:
    """Tell whether a JSON string is Unicode text: JSON can spell half of a surrogate pair, which is none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
