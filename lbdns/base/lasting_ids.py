"""Ids of what no store has given one: they follow from kinds and names, so that they stay, and are the same wherever
somebody says them."""

from __future__ import annotations

import hashlib
from typing import Final

ID_DIGITS: Final = 32
"""Hex digits of an id."""


def lasting_id(*parts: str) -> str:
    """Return the id of what these words name."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:ID_DIGITS]


FILES_ACCOUNT_ID: Final = lasting_id("lbdns", "account")
"""The account's id where there is no store that would have one of its own."""
