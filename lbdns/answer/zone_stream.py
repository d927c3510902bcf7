"""What leaves the road of a request beside a reply: a zone's messages, to be sent one by one; what a NOTIFY told."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ZoneStream(Protocol):
    """A reply of many messages, of a snapshot that does not change meanwhile."""

    @property
    def is_prepared(self) -> bool:
        """Whether it is known what is sent; else `prepare` finds it out first."""

    def prepare(self) -> None:
        """Find out what is sent; it may take long, and may be done in another thread."""

    def next_message(self, unix_s: int) -> bytes | None:
        """Return the next message, whole and signed where the request was, at a time of day; None after the last."""


class ZoneNotice(NamedTuple):
    """A NOTIFY that was let in (RFC 1996): the zone's apex (wire format, lower case), the number of the view it is of,
    the serial that it told of, if any, the packed address that it came from, and the name of the key that signed it
    (wire format, b"" for none)."""

    apex: bytes
    view: int
    serial: int | None
    address: bytes
    key: bytes
