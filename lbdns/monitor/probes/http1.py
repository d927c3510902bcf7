"""An HTTP/1.1 response as bytes arrive (RFC 9112): no I/O, and a bound on everything that a hostile peer could grow.

What is read: at most 16 KB of head in at most 100 fields, 8 interim responses, and 10 KB of body where it is wanted.
What is looked at: the status, the length of the body, and Location. The rest of a head is taken as clients of the web
take it, since the status counts: folded lines (section 5.2), space before the colon, any octet in a value or a reason,
a field without a name, lines that end in a bare LF. What cannot be told at all is a `BadResponse`. A head takes time in
proportion to its length, however it comes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

HEAD_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 100
INTERIM_MAX: Final = 8
BODY_BYTES_MAX: Final = 10 * 1024
CHUNK_LINE_BYTES_MAX: Final = 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] +([1-9][0-9]{2})(?:[ \t].*)?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_SPACE: Final = b" \t"


class BadResponse(Exception):
    """The peer's bytes are not HTTP/1.1; the text says what is wrong."""


class _Body(Enum):
    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


class Response:
    """One response: feed it bytes until `status` is not 0, then, after `want_body`, until `done`."""

    __slots__ = (
        "_buffer",
        "_framing",
        "_interim",
        "_left",
        "_method",
        "_searched",
        "_wants_body",
        "body",
        "done",
        "location",
        "status",
    )

    def __init__(self, method: str) -> None:
        """Expect the response to a request with `method`."""
        self._method = method
        self._buffer = bytearray()
        self._searched = 0  # so much of the buffer holds no end of a head
        self._framing: _Body | None = None
        self._wants_body = False
        self._left = 0
        self._interim = 0
        self.status = 0
        self.location = ""
        self.body = b""
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take more bytes; empty means that the peer closed. Raises BadResponse."""
        if not data:
            self._close()
            return
        self._buffer += data
        if self._framing is None:
            self._head()
        if self._wants_body:
            self._take_body()

    def want_body(self) -> None:
        """Read the body, of which the beginning may be here already; raises BadResponse."""
        self._wants_body = True
        self._take_body()

    def _close(self) -> None:
        if self._framing is None:
            raise BadResponse("closed without an answer" if not self._buffer else "closed within the head")
        if self._framing is not _Body.UNTIL_CLOSE and not self.done:
            raise BadResponse("closed within the body")
        self.done = True

    def _head(self) -> None:
        """Read heads as far as they have come, up to the final one."""
        while not self.status:
            end, size = _head_end(self._buffer, self._searched)
            if end < 0:
                self._searched = max(len(self._buffer) - 2, 0)
                if len(self._buffer) > HEAD_BYTES_MAX or not _could_begin(self._buffer):
                    raise BadResponse("head too long" if len(self._buffer) > HEAD_BYTES_MAX else "not HTTP")
                return
            if end > HEAD_BYTES_MAX:
                raise BadResponse("head too long")
            head = bytes(self._buffer[:end])
            del self._buffer[: end + size]
            self._searched = 0
            status = self._parse_head(head)
            if status >= 200 or status == 101:
                self.status = status
                return
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise BadResponse("too many interim responses")

    def _parse_head(self, head: bytes) -> int:
        if head.count(b"\n") > FIELDS_MAX:
            raise BadResponse("too many header fields")
        first, *lines = [line.removesuffix(b"\r") for line in head.split(b"\n")]
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise BadResponse("not HTTP")
        fields: dict[bytes, bytes] = {}
        for name, value in _unfolded(lines):
            if name == b"content-length" and fields.get(name, value) != value:
                raise BadResponse("two lengths")
            fields[name] = value
        status = int(found[1])
        self.location = fields.get(b"location", b"").decode("latin-1")
        self._frame(status, fields)
        return status

    def _frame(self, status: int, fields: dict[bytes, bytes]) -> None:
        """Say how the body ends (RFC 9112 section 6.3)."""
        coding = fields.get(b"transfer-encoding")
        length = fields.get(b"content-length")
        if self._method == "HEAD" or status < 200 or status in (204, 304):
            self._framing = _Body.NONE if status >= 200 or status == 101 else None
        elif coding is not None:
            self._framing = _Body.CHUNKED if coding.lower().endswith(b"chunked") else _Body.UNTIL_CLOSE
        elif length is not None:
            one, *others = {part.strip(_SPACE) for part in length.split(b",")}  # RFC 9110 section 8.6: "5, 5" is 5
            if others or not _LENGTH.fullmatch(one):
                raise BadResponse("malformed length")
            self._framing, self._left = _Body.LENGTH, int(one)
        else:
            self._framing = _Body.UNTIL_CLOSE

    def _take_body(self) -> None:
        if self._framing is _Body.CHUNKED:
            self._take_chunks()
        elif self._framing is _Body.LENGTH:
            part = self._buffer[: self._left]
            self._left -= len(part)
            self._keep(part)
            self.done = self.done or self._left == 0
            self._buffer.clear()
        elif self._framing is _Body.UNTIL_CLOSE:
            self._keep(self._buffer)
            self._buffer.clear()
        else:
            self.done = True

    def _take_chunks(self) -> None:
        """Chunk after chunk (RFC 9112 section 7.1); `_left` counts the chunk's data and the line end behind it."""
        while self._buffer and not self.done:
            if self._left > 2:
                part = self._buffer[: self._left - 2]
                self._left -= len(part)
                del self._buffer[: len(part)]
                self._keep(part)
            elif self._left:
                if not b"\r\n"[-self._left :].startswith(bytes(self._buffer[: self._left])):
                    raise BadResponse("malformed chunk")
                step = min(self._left, len(self._buffer))
                self._left -= step
                del self._buffer[:step]
            elif not self._chunk_line():
                return

    def _chunk_line(self) -> bool:
        end = self._buffer.find(b"\r\n", 0, CHUNK_LINE_BYTES_MAX + 2)
        if end < 0:
            if len(self._buffer) > CHUNK_LINE_BYTES_MAX + 1:
                raise BadResponse("chunk size too long")
            return False
        found = _CHUNK.fullmatch(self._buffer[:end])
        if found is None:
            raise BadResponse("malformed chunk")
        del self._buffer[: end + 2]
        size = int(found[1], 16)
        self._left = size + 2 if size else 0
        self.done = size == 0  # trailers are nobody's business here
        return True

    def _keep(self, part: bytearray) -> None:
        self.body += part[: BODY_BYTES_MAX - len(self.body)]
        if len(self.body) >= BODY_BYTES_MAX:
            self.done = True


def _unfolded(lines: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name, in lower case, and the value of each field; raises BadResponse where a line is none."""
    name = value = b""
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            value = b" ".join((value, line.strip(_SPACE)))
            continue
        yield name, value.strip(_SPACE)
        name, colon, value = line.partition(b":")
        if not colon:
            raise BadResponse("malformed header field")
        name = name.rstrip(_SPACE).lower()
    yield name, value.strip(_SPACE)


def _head_end(data: bytearray, start: int) -> tuple[int, int]:
    """Return (where the line before the empty one ends, how much is no head any more from there); (-1, 0) where the
    empty line has not come, not before `start` either. A bare LF ends a line too."""
    strict, bare = data.find(b"\n\r\n", start), data.find(b"\n\n", start)
    if strict >= 0 and (bare < 0 or strict < bare):
        return strict, 3
    return (bare, 2) if bare >= 0 else (-1, 0)


def _could_begin(data: bytearray) -> bool:
    return data.startswith(b"HTTP/1."[: len(data)])
