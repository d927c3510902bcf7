"""Serials of zones, which count in a circle (RFC 1982)."""

from __future__ import annotations

from typing import Final

SERIALS: Final = 1 << 32
"""How many there are."""
_HALF: Final = SERIALS >> 1


def is_newer(serial: int, than: int) -> bool:
    """Tell whether a serial comes after another (section 3.2). Of two that are half the circle apart neither does."""
    return 0 < (serial - than) % SERIALS < _HALF
