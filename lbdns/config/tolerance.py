"""Which zones may have mistakes, as far as who reads a configuration is concerned: that they are told is sure."""

from __future__ import annotations

from collections.abc import Callable

Tolerates = Callable[[bytes, str], bool]
"""Tells of which zones, by apex and view, mistakes are tolerated."""


def none_tolerated(_apex: bytes, _view: str) -> bool:
    """Tolerate no zone with a mistake."""
    return False


def all_tolerated(_apex: bytes, _view: str) -> bool:
    """Tolerate every zone with a mistake."""
    return True
