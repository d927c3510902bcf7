"""An HTTP/1.1 response as bytes arrive (RFC 9112): no I/O, and a bound on everything that a hostile peer could grow.

What is read: at most 16 KB of head in at most 100 fields, 8 interim responses, and 10 KB of body. What is looked at:
the status, the length of the body, and Location. A response that breaks the grammar is a `BadResponse`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

HEAD_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 100
INTERIM_MAX: Final = 8
BODY_BYTES_MAX: Final = 10 * 1024
CHUNK_LINE_BYTES_MAX: Final = 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class BadResponse(Exception):
    """The peer's bytes are not HTTP/1.1; the text says what is wrong."""


class _Body(Enum):
    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


class Response:
    """One response: feed it bytes until `done`; `status` is 0 until the head has come."""

    __slots__ = ("_buffer", "_framing", "_interim", "_left", "_method", "body", "done", "location", "status")

    def __init__(self, method: str) -> None:
        """Expect the response to a request with `method`."""
        self._method = method
        self._buffer = b""
        self._framing: _Body | None = None
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
        if self._framing is None and not self._head():
            return
        self._take_body()

    def _close(self) -> None:
        if self._framing is None:
            raise BadResponse("closed without an answer" if not self._buffer else "closed within the head")
        if self._framing is not _Body.UNTIL_CLOSE and not self.done:
            raise BadResponse("closed within the body")
        self.done = True

    def _head(self) -> bool:
        """Read heads as far as they have come; True once the final one is complete."""
        while True:
            end, size = _head_end(self._buffer)
            if end < 0:
                if len(self._buffer) > HEAD_BYTES_MAX or not _could_begin(self._buffer):
                    raise BadResponse("head too long" if len(self._buffer) > HEAD_BYTES_MAX else "not HTTP")
                return False
            if end > HEAD_BYTES_MAX:
                raise BadResponse("head too long")
            head, self._buffer = self._buffer[:end], self._buffer[end + size :]
            status = self._parse_head(head)
            if status >= 200 or status == 101:
                self.status = status
                return True
            self._interim += 1
            if self._interim > INTERIM_MAX:
                raise BadResponse("too many interim responses")

    def _parse_head(self, head: bytes) -> int:
        lines = head.replace(b"\r\n", b"\n").split(b"\n")
        found = _STATUS_LINE.fullmatch(lines[0])
        if found is None:
            raise BadResponse("not HTTP")
        if len(lines) > FIELDS_MAX + 1:
            raise BadResponse("too many header fields")
        fields: dict[bytes, bytes] = {}
        for line in lines[1:]:
            field = _FIELD.fullmatch(line)
            if field is None:
                raise BadResponse("malformed header field")
            name, value = field[1].lower(), field[2]
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
            if not _LENGTH.fullmatch(length):
                raise BadResponse("malformed length")
            self._framing, self._left = _Body.LENGTH, int(length)
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
            self._buffer = b""
        elif self._framing is _Body.UNTIL_CLOSE:
            self._keep(self._buffer)
            self._buffer = b""
        else:
            self.done = True

    def _take_chunks(self) -> None:
        """Chunk after chunk (RFC 9112 section 7.1); `_left` counts the chunk's data and the line end behind it."""
        while self._buffer and not self.done:
            if self._left > 2:
                part = self._buffer[: self._left - 2]
                self._left -= len(part)
                self._buffer = self._buffer[len(part) :]
                self._keep(part)
            elif self._left:
                if not b"\r\n"[-self._left :].startswith(self._buffer[: self._left]):
                    raise BadResponse("malformed chunk")
                step = min(self._left, len(self._buffer))
                self._left -= step
                self._buffer = self._buffer[step:]
            elif not self._chunk_line():
                return

    def _chunk_line(self) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            if len(line) > CHUNK_LINE_BYTES_MAX:
                raise BadResponse("chunk size too long")
            return False
        found = _CHUNK.fullmatch(line)
        if found is None or len(line) > CHUNK_LINE_BYTES_MAX:
            raise BadResponse("malformed chunk")
        self._buffer = rest
        size = int(found[1], 16)
        self._left = size + 2 if size else 0
        self.done = size == 0  # trailers are nobody's business here
        return True

    def _keep(self, part: bytes) -> None:
        self.body += part[: BODY_BYTES_MAX - len(self.body)]
        if len(self.body) >= BODY_BYTES_MAX:
            self.done = True


def _head_end(data: bytes) -> tuple[int, int]:
    """Return (where the empty line begins, its length); (-1, 0) where it has not come. A bare LF ends a line too."""
    strict, bare = data.find(b"\r\n\r\n"), data.find(b"\n\n")
    if strict >= 0 and (bare < 0 or strict < bare):
        return strict, 4
    return (bare, 2) if bare >= 0 else (-1, 0)


def _could_begin(data: bytes) -> bool:
    return data.startswith(b"HTTP/1."[: len(data)])
