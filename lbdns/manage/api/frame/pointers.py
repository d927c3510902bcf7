"""JSON pointers (RFC 6901): where in a request's body something stands that a refusal or a message is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lbdns.base.errors import Problem

Steps = Sequence[str | int]
"""The way to a value: keys and indexes."""
Pointing = Callable[[Problem], Steps | None]
"""Tells where in the body of the request a problem's value stands; None: nowhere in it."""


def pointer(steps: Steps) -> str:
    """Return a JSON pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
