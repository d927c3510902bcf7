"""How much a client may send, and how often. What one body may say is bounded in manage/reading/request_bounds.py.

Rates are token buckets: `burst` requests at once, and one more for every `1 / per_s` seconds.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from starlette.types import Message, Receive

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.api.frame.api_errors import BAD_BODY, TOO_LARGE, ApiError
from lbdns.manage.reading.json_body import parse_json
from lbdns.manage.reading.request_bounds import BODY_BYTES_MAX, LARGE_BODY_BYTES_MAX, MIB

_LARGE: Final = re.compile(
    rf"{V4_PATH}/zones/[^/]+/dns_records/import|{OWN_PATH}/(?:zones/.+/import|plan|apply|whatif)", re.DOTALL
)
"""Paths that take a whole zone, or a whole configuration."""
INLINE_BYTES_MAX: Final = 64 * 1024
"""Longer bodies are parsed beside the event loop."""
FIELDS_MAX: Final = 1000
"""Of the object that a body is; no object of the API has a tenth of it."""
BODY_WAIT_S: Final = 20.0
"""How long to wait for the next piece of a body."""
BODY_S: Final = 300.0
"""How long a whole body may take."""
DRAIN_BYTES_MAX: Final = 4 * MIB
DRAIN_S: Final = 2.0
"""What is read of a body that is refused, so that the client gets to read why."""

TOKEN_BURST: Final = 1200
TOKEN_PER_S: Final = 4.0
"""1,200 requests in five minutes."""
WRONG_BURST: Final = 100
WRONG_PER_S: Final = 1.0
"""Wrong tokens, per address."""
BUCKETS_MAX: Final = 4096


class Buckets:
    """One token bucket for each key. Where there are too many keys, the one not asked for the longest is forgotten."""

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> (what is left, when)

    def take(self, key: str) -> float:
        """Take one from a bucket and return 0, or return how many seconds until there is one."""
        now = self._clock()
        left = self._left(key, now)
        if left < 1.0:
            return (1.0 - left) / self._per_s
        self._buckets[key] = (left - 1.0, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return 0.0

    def wait_s(self, key: str) -> float:
        """Return how many seconds until a bucket has one to take; 0 where it has."""
        return max(0.0, (1.0 - self._left(key, self._clock())) / self._per_s)

    def _left(self, key: str, now: float) -> float:
        left, then = self._buckets.get(key, (float(self._burst), now))
        return min(float(self._burst), left + (now - then) * self._per_s)


def body_bytes_max(path: str) -> int:
    """Return how long the body of a request to a path may be."""
    return LARGE_BODY_BYTES_MAX if _LARGE.fullmatch(path) else BODY_BYTES_MAX


class Body:
    """The body of one request on its way in: counted, and waited for only so long. Used as ASGI's `receive`."""

    def __init__(self, receive: Receive, bytes_max: int, headers: Mapping[bytes, bytes]) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._byte_count = 0
        self._ends_at: float | None = None
        # The client sends nothing until it is asked to.
        self._is_waited_for = headers.get(b"expect", b"").lower() == b"100-continue"
        self.is_complete = headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers

    async def __call__(self) -> Message:
        """Receive the next message; raises ApiError where the body is too long or does not come."""
        if self.is_complete:
            return await self._receive()
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + BODY_S
        try:
            message = await self._next(min(BODY_WAIT_S, self._ends_at - now))
        except TimeoutError:
            raise ApiError(408, BAD_BODY, "the body of the request did not come") from None
        if self._byte_count > self._bytes_max:
            raise too_large(self._bytes_max)
        return message

    async def drain(self) -> bool:
        """Read what is left, within bounds; tell whether that was all."""
        if self._is_waited_for:
            return self.is_complete
        ends_at = time.monotonic() + DRAIN_S
        bytes_max = self._byte_count + DRAIN_BYTES_MAX
        while not self.is_complete and self._byte_count < bytes_max:
            try:
                await self._next(ends_at - time.monotonic())
            except TimeoutError:
                break
        return self.is_complete

    async def _next(self, timeout_s: float) -> Message:
        self._is_waited_for = False
        message = await asyncio.wait_for(self._receive(), max(timeout_s, 0.001))
        self._byte_count += len(message.get("body", b""))
        self.is_complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message


def too_large(bytes_max: int) -> ApiError:
    """Return the refusal of a body."""
    return ApiError(413, TOO_LARGE, f"the body is too large; expected at most {bytes_max} bytes")


async def read_json(request: Request) -> Any:
    """Return a request's body, which is JSON whatever its Content-Type says; raises ApiError and BadBody."""
    body = await request.body()
    return await asyncio.to_thread(parse_json, body) if len(body) > INLINE_BYTES_MAX else parse_json(body)


async def _object(request: Request) -> dict[str, Any]:
    value = await read_json(request)
    if not isinstance(value, dict):
        raise ApiError(400, BAD_BODY, "the body is not a JSON object; expected {...}")
    if len(value) > FIELDS_MAX:
        raise ApiError(400, BAD_BODY, f"the body has {len(value):,} fields; expected at most {FIELDS_MAX:,}")
    return value


async def read_unused(request: Request) -> None:
    """Read a body that says nothing to a handler: within the bounds of every body. Raises ApiError."""
    await request.body()


JsonObject = Annotated[dict[str, Any], Depends(_object)]
"""What a handler declares to get the request's body, a JSON object."""
