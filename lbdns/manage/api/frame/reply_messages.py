"""The `messages` of a reply: what its reader should know although nothing is wrong, in one form for all areas.

    tell(text, at)  anywhere while a request is answered: that a field has no effect, that a parameter is not known
    warnings(...)   what the checks of a change say, for `ok`
    told()          what was told so far; `ok` puts it behind the messages that it is given

The gate begins each request with nothing told. A refusal has errors alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.wording import abridged
from lbdns.base.words import WARNING_CODE
from lbdns.manage.api.frame.pointers import Pointing, Steps, pointer

MESSAGES_MAX: Final = 100
"""Of one kind in one reply: nobody reads more."""

ReplyMessage = dict[str, Any]
"""`code`, `message` and perhaps `source`, as the v4 API has them."""

_told: ContextVar[list[ReplyMessage]] = ContextVar("told")


def begin_request() -> None:
    """Begin a request, to whose reply nothing is told yet. Called in its task; its threads share the list."""
    _told.set([])


def tell(text: str, at: Steps | None = None, code: int = WARNING_CODE) -> None:
    """Add a message to the reply of the request that is being answered, once however often it is told.

    `at` is the way to what it is about in the request's body. Raises LookupError outside of a request.
    """
    message = _message(code, text, at)
    told = _told.get()
    if len(told) < MESSAGES_MAX and message not in told:
        told.append(message)


def told() -> tuple[ReplyMessage, ...]:
    """Return what was told while the request was answered; nothing outside of one."""
    return tuple(_told.get(()))


def nowhere(problem: Problem) -> Steps | None:
    """Return that a problem stands nowhere in the body."""
    return None


def warnings(problems: Iterable[Problem], pointing: Pointing = nowhere) -> list[ReplyMessage]:
    """Return warnings about a change as messages; `pointing` tells where in the request's body one's value stands."""
    return [_message(WARNING_CODE, f"{one.path}: {one.message}", pointing(one)) for one in problems]


def _message(code: int, text: str, at: Steps | None) -> ReplyMessage:
    message: ReplyMessage = {"code": code, "message": abridged(text)}
    if at is not None:
        message["source"] = {"pointer": pointer(at)}
    return message
