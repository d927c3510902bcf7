"""The guard of a change: how much recorded traffic it may move, as whoever asks for it says in the request.

begin_guard(text)   as a request begins; every change that is made while it is answered is held to it
keep_guard(...)     before a change is stored: raises Guarded where it moves more
refuse_if_guarded() what no configuration says, such as a forced state, is not done with a guard
"""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path

from lbdns.base.errors import LbdnsError
from lbdns.manage.what_if_apart import ask_apart
from lbdns.model.configuration import Configuration
from lbdns.publish.replay.guard import Guarded, check_guard, parse_guard
from lbdns.publish.replay.what_if_question import WhatIfQuestion

_most: ContextVar[float | None] = ContextVar("most", default=None)


def begin_guard(text: str | None) -> None:
    """Begin a request with a guard such as `5%`, or with none; raises LbdnsError. Called in its task."""
    _most.set(None if text is None else parse_guard(text))


async def keep_guard(state_dir: Path, proposed: Configuration) -> None:
    """Raise Guarded where a configuration would move more of what was recorded than the request's guard allows, or
    where that cannot be told."""
    most = _most.get()
    if most is None:
        return
    try:
        told = await ask_apart(state_dir, proposed, WhatIfQuestion.of_last())
    except LbdnsError as error:
        raise Guarded(f"how many clients this moves cannot be told: {error}; nothing is changed", {}) from error
    check_guard(told, most)


def refuse_if_guarded(what: str) -> None:
    """Raise Guarded where the request has a guard and asks for `what`, such as `forcing a state`, which is of no
    configuration: nobody works out how many clients that moves."""
    if _most.get() is not None:
        raise Guarded(f"how many clients {what} moves is not worked out; nothing is changed; leave the guard out", {})
