"""The messages of a reply: told from anywhere while a request is answered, once, and to nobody else's reply."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lbdns.manage.api.frame.envelope import ok
from lbdns.manage.api.frame.reply_messages import MESSAGES_MAX, begin_request, tell, told

pytestmark = pytest.mark.slow


def messages() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(bytes(ok({}, messages=[{"code": 1000, "message": "first"}]).body))[
        "messages"
    ]
    return found


def test_what_is_told_stands_behind_what_the_reply_is_given_and_once() -> None:
    async def answer() -> list[dict[str, Any]]:
        begin_request()
        tell("no effect", ("origins", 0, "a/b"))
        await asyncio.to_thread(tell, "from a thread")
        tell("no effect", ("origins", 0, "a/b"))
        return messages()

    assert asyncio.run(answer()) == [
        {"code": 1000, "message": "first"},
        {"code": 1000, "message": "no effect", "source": {"pointer": "/origins/0/a~1b"}},
        {"code": 1000, "message": "from a thread"},
    ]


def test_each_request_begins_with_nothing_told() -> None:
    async def answer(text: str) -> list[str]:
        begin_request()
        tell(text)
        await asyncio.sleep(0)
        return [one["message"] for one in told()]

    async def at_once() -> list[list[str]]:
        return list(await asyncio.gather(answer("one"), answer("two")))

    assert asyncio.run(at_once()) == [["one"], ["two"]]
    assert told() == (), "nothing is told outside of a request"
    with pytest.raises(LookupError):
        tell("to nobody")


def test_messages_are_bounded() -> None:
    async def answer() -> int:
        begin_request()
        for number in range(MESSAGES_MAX + 1):
            tell(f"field {number}")
        return len(told())

    assert asyncio.run(answer()) == MESSAGES_MAX
