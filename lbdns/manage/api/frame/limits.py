"""How much a client may send, how often and how deep; every bound of the API's border is declared here.

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
from pydantic_core import from_json
from starlette.types import Message, Receive

from lbdns.base.words import OWN_PATH, V4_PATH
from lbdns.manage.api.frame.api_errors import BAD_BODY, TOO_LARGE, ApiError

MIB: Final = 1 << 20
BODY_BYTES_MAX: Final = MIB
LARGE_BODY_BYTES_MAX: Final = 64 * MIB
_LARGE: Final = re.compile(rf"{V4_PATH}/zones/[^/]+/dns_records/import|{OWN_PATH}/.*")
"""Paths that take a whole zone, or a whole configuration."""
INLINE_BYTES_MAX: Final = 64 * 1024
"""Longer bodies are parsed beside the event loop."""
DEPTH_MAX: Final = 32
VALUES_MAX: Final = 5_000_000
"""Values of one body, by the commas and opening brackets in it: what it is as objects takes up to 72 octets for each,
so that no body takes more than six times 64 MiB."""
FIELDS_MAX: Final = 1000
"""Of the object that a body is; no object of the API has a tenth of it."""
KEY_CHARS_MAX: Final = 1024
"""A key is repeated in whatever is told of what stands below it; the longest that means something is a zone's name."""
WHOLE_FLOAT_MAX: Final = 2.0**53
"""Up to here a float holds every whole number."""

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


def parse_json(body: bytes) -> Any:
    """Return what a JSON text says; raises ApiError. A whole number is an int, however it is written."""
    if not body:
        raise ApiError(400, BAD_BODY, "the body is empty; expected JSON")
    count = sum(map(body.count, (b",", b"[", b"{")))
    if count > VALUES_MAX:
        told = f"the body has {count:,} commas and opening brackets; expected at most {VALUES_MAX:,}"
        raise ApiError(413, TOO_LARGE, told)
    try:
        value = from_json(body, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise ApiError(400, BAD_BODY, f"the body is not JSON: {error}") from None
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> Any:
    """Return a parsed value with whole numbers as int; lists and mappings are changed, not copied. Raises ApiError."""
    if isinstance(value, float):
        return _whole_where_it_is(value)
    if not isinstance(value, (dict, list)):
        return value
    if depth >= DEPTH_MAX:
        raise ApiError(400, BAD_BODY, f"the body is nested too deeply; expected at most {DEPTH_MAX} levels")
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (float, dict, list)):
                value[index] = _plain(item, depth + 1)
        return value
    for key, item in value.items():
        if len(key) > KEY_CHARS_MAX:
            raise ApiError(
                400, BAD_BODY, f"the body has a key of {len(key):,} characters; expected at most {KEY_CHARS_MAX:,}"
            )
        if isinstance(item, (float, dict, list)):
            value[key] = _plain(item, depth + 1)
    return value


def _whole_where_it_is(value: float) -> int | float:
    if abs(value) <= WHOLE_FLOAT_MAX:
        return int(value) if value.is_integer() else value
    if value - value != 0.0:
        raise ApiError(400, BAD_BODY, "the body is not JSON for us: a number is too large")
    return value


async def read_json(request: Request) -> Any:
    """Return a request's body, which is JSON whatever its Content-Type says; raises ApiError."""
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
