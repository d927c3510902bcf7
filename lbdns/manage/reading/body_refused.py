"""The refusals of a body: that it cannot be read, and that fields in it are wrong."""

from __future__ import annotations

from collections.abc import Sequence

from lbdns.base.errors import LbdnsError

Found = tuple[str, Sequence[str | int] | None]
"""What is wrong, and the way to it in the body, None where it is the body's as a whole."""


class BadBody(LbdnsError):
    """A body that cannot be read: it is not what was expected, or (`is_too_large`) more than that."""

    def __init__(self, message: str, is_too_large: bool = False) -> None:
        super().__init__(message)
        self.is_too_large = is_too_large


class BodyRefused(LbdnsError):
    """A body whose fields, before any object in it, are wrong; `more` counts mistakes beyond those in `found`."""

    def __init__(self, *found: Found, more: int = 0) -> None:
        super().__init__("; ".join(message for message, _ in found))
        self.found = found
        self.more = more
