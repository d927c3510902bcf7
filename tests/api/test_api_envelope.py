"""The envelope: a long list in it is encoded in parts, and reads as if it were not."""

from __future__ import annotations

import asyncio
import json

import pytest
from fastapi import Response
from starlette.types import Message

from lbdns.manage.api.frame.envelope import LISTED_AT_ONCE, ok, ok_listed, ok_with_list
from lbdns.manage.api.frame.paging import PageInfo


@pytest.mark.parametrize("count", [0, 1, LISTED_AT_ONCE, 2 * LISTED_AT_ONCE + 1])
@pytest.mark.parametrize("rest", [{}, {"revision": 3, "counts": {"create": {}}}])
def test_a_list_in_parts_reads_like_a_whole_one(count: int, rest: dict[str, object]) -> None:
    items = [{"id": str(number), "text": "\u00fc,]"} for number in range(count)]
    messages = [{"code": 1, "message": "m"}]
    left = iter(items)
    whole, parts = ok({**rest, "list": items}, messages=messages), ok_with_list(rest, "list", left, messages)
    assert len(list(left)) == max(0, count - LISTED_AT_ONCE)  # the rest waits until the first part is sent
    parts = ok_with_list(rest, "list", iter(items), messages)
    assert json.loads(asyncio.run(sent(parts))) == json.loads(bytes(whole.body))
    assert (parts.status_code, parts.media_type) == (whole.status_code, whole.media_type)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_texts_in_pieces_read_like_a_whole_list(count: int) -> None:
    info = PageInfo(1, 5, count, 7)
    left = iter([b'%b{"id":%d}' % (b"," if number else b"", number) for number in range(count)])
    whole, pieces = ok([{"id": number} for number in range(count)], info), ok_listed(left, info)
    waiting = list(left)
    assert len(waiting) == max(0, count - 2)  # they are made once the first ones are sent
    if not waiting:
        assert asyncio.run(sent(pieces)) == bytes(whole.body)
    again = ok_listed((b'%b{"id":%d}' % (b"," if number else b"", number) for number in range(count)), info)
    assert asyncio.run(sent(again)) == bytes(whole.body)
    assert (again.status_code, again.media_type) == (whole.status_code, whole.media_type)


async def sent(response: Response) -> bytes:
    """Return the body that a client receives."""
    pieces: list[bytes] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    async def send(message: Message) -> None:
        pieces.append(message.get("body", b""))

    await response({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
    return b"".join(pieces)
