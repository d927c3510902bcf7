"""Whom a process becomes, as operators write it: `USER` or `USER:GROUP`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from lbdns.model import bounds
from lbdns.model.refusal import refusal

_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?(:[A-Za-z0-9_][A-Za-z0-9_.-]*\$?)?")


def _check_user(text: str) -> str:
    if _USER.fullmatch(text) is None:
        raise refusal(f'"{text}" is no user; expected USER or USER:GROUP, each a name or a number')
    return text


def _user_text(value: Any) -> Any:
    """Return a user's number, which YAML reads as one, as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


User = Annotated[
    str,
    BeforeValidator(_user_text),
    StringConstraints(min_length=1, max_length=bounds.MAX_USER_CHARS),
    AfterValidator(_check_user),
]
