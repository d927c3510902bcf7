"""JSON pointers (RFC 6901): where in a request's body something stands that a refusal or a message is about."""

from __future__ import annotations

from collections.abc import Sequence

Steps = Sequence[str | int]
"""The way to a value: keys and indexes."""


def pointer(steps: Steps) -> str:
    """Return a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
