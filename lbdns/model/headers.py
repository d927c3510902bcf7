"""HTTP header names and values as probes send them (RFC 9110 section 5)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from lbdns.model import bounds
from lbdns.model.plain_fields import CheckedBy, Laid
from lbdns.model.refusal import refusal

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _check_value(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip():
        raise refusal(f"{value!r}: a header's value has no control characters, and no space at its beginning or end")
    return value


def _check_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise refusal(f'"{name}" is no header name; expected letters, digits and "-", such as "Host"')
    if name.lower() == "user-agent":
        raise refusal(f'"{name}" cannot be set: probes name themselves')
    return name


def _check_cases(value: Any) -> Any:
    """Refuse two names that differ in case alone: HTTP takes them for one."""
    if isinstance(value, dict):
        seen: set[str] = set()
        for key in value:
            if isinstance(key, str) and key.lower() in seen:
                raise refusal(f'"{key}" is given twice, in different case; keep one, with all its values in a list')
            seen.add(str(key).lower())
    return value


HeaderValue = Annotated[str, Laid(min_length=1, max_length=bounds.MAX_HEADER_VALUE_CHARS), CheckedBy(_check_value)]
HeaderName = Annotated[str, Laid(min_length=1, max_length=bounds.MAX_HEADER_NAME_CHARS), CheckedBy(_check_name)]
Headers = Annotated[
    dict[HeaderName, Annotated[tuple[HeaderValue, ...], Laid(min_length=1, max_length=bounds.MAX_HEADER_VALUES)]],
    Laid(max_length=bounds.MAX_HEADERS),
    CheckedBy(_check_cases, is_first=True),
]
