"""Values as JSON brings them: what a field of the API may hold before anything is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Report = Callable[[str, str], None]
"""Hears of a mistake in an object: the key, "" for the object as a whole, and the message."""


def whole_number(value: Any) -> int | None:
    """Return a JSON number that is whole as int, None for anything else. Clients send 10.0 for 10."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        return None
    return int(value)


def is_text(value: str) -> bool:
    """Tell whether a JSON string is Unicode text: JSON can spell half of a surrogate pair, which is none."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
