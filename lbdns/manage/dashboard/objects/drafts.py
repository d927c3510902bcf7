"""Drafts: the body that the API would be sent, in a page's address, so that a draft can be sent to somebody."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Final

from pydantic_core import from_json, to_json

DRAFT: Final = "draft"
REVIEW: Final = "review"
REVISION: Final = "revision"
ADDRESS_CHARS_MAX: Final = 6_000
"""Of a draft in an address: servers and proxies refuse long ones. What is longer goes from form to form."""
BYTES_MAX: Final = 1 << 20
"""Of a draft's JSON."""


def draft_text(body: dict[str, Any]) -> str:
    """Return a draft as text for addresses and hidden fields."""
    return base64.urlsafe_b64encode(zlib.compress(to_json(body), 9)).decode().rstrip("=")


def draft_in(text: str) -> dict[str, Any] | None:
    """Return the draft that a text holds; None where it holds none."""
    try:
        packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(packed, BYTES_MAX)
        if unpacking.unconsumed_tail or not unpacking.eof:
            return None
        body = from_json(content)
    except (ValueError, binascii.Error, zlib.error):
        return None
    return body if isinstance(body, dict) else None
