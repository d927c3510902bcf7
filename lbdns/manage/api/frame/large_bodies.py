"""Bodies that may be large: short ones are read in a thread, long ones kept aside and read in a process of their own.

request -> memory, up to BODY_BYTES_MAX -> a thread
        -> beyond: a file in memory     -> reading/reader_process.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request

from lbdns.manage.api.frame.api_errors import TOO_MANY, ApiError
from lbdns.manage.reading.reader_process import read_apart
from lbdns.manage.reading.readings import Reading, read_here
from lbdns.manage.reading.request_bounds import READERS_MAX, SHORT_BYTES_MAX, SPOOLED_BYTES_MAX

RETRY_S: Final = 5
_Read = TypeVar("_Read")


class LargeBodies:
    """Those of all requests of an application: so many bytes are kept, and so many processes read, at one time."""

    def __init__(self) -> None:
        self.readers = asyncio.Semaphore(READERS_MAX)
        self.byte_count = 0

    def take(self, count: int) -> None:
        """Count bytes that are to be kept; raises ApiError where there are too many."""
        if self.byte_count + count > SPOOLED_BYTES_MAX:
            told = f"other large bodies are being read; try again in {RETRY_S} s"
            raise ApiError(503, TOO_MANY, told, headers={"Retry-After": str(RETRY_S)})
        self.byte_count += count


class _KeptBody:
    """The body of one request, all of it here."""

    def __init__(self, bodies: LargeBodies) -> None:
        self._bodies = bodies
        self._start = bytearray()
        self._fd = -1
        self._byte_count = 0

    def take(self, piece: bytes) -> None:
        """Take one more piece; raises ApiError."""
        if self._fd < 0 and len(self._start) + len(piece) <= SHORT_BYTES_MAX:
            self._start += piece
            return
        self._keep_aside()
        self._write(piece)

    def _keep_aside(self) -> None:
        """Put what has come so far into a file, unless it is there."""
        if self._fd < 0:
            self._fd = os.memfd_create("body", os.MFD_CLOEXEC)
            self._write(self._start)
            self._start.clear()

    def _write(self, piece: bytes | bytearray) -> None:
        self._bodies.take(len(piece))
        self._byte_count += len(piece)
        with memoryview(piece) as rest:
            at = 0
            while at < len(rest):
                at += os.write(self._fd, rest[at:])

    async def read(self, reading: Reading[_Read]) -> _Read:
        """Return what it says, once; raises BadBody, BodyRefused and ConfigError."""
        if self._fd < 0 and not reading.may_grow(self._start):
            return await asyncio.to_thread(read_here, reading, bytes(self._start))
        self._keep_aside()
        async with self._bodies.readers:
            read = await read_apart(reading, self._fd, self._byte_count)
        self.close()
        return read

    def close(self) -> None:
        """Give back what it takes."""
        self._bodies.byte_count -= self._byte_count
        self._byte_count = 0
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


async def _large(request: Request) -> AsyncIterator[_KeptBody]:
    body = _KeptBody(request.app.state.large_bodies)
    try:
        async for piece in request.stream():
            body.take(piece)
        yield body
    finally:
        body.close()


LargeBody = Annotated[_KeptBody, Depends(_large, scope="function")]
"""What a handler declares to get a request's body that may be large; it says how it is read."""
