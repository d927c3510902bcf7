"""What becomes of keys is told to the supervisor, from the moment that it knows which there are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lbdns.dnssec.key_policy import key_policies
from lbdns.dnssec.parent_answer import ParentAnswer
from lbdns.dnssec.signer.key_life import KeyLife
from lbdns.model.settings import Settings

NOW_S = 1_800_000_000.0


async def _no_parent(zone: str, servers: Sequence[str], resolvers: Sequence[str]) -> ParentAnswer:
    raise AssertionError(f"the parent of {zone} is asked")


def test_what_an_operator_wants_before_it_lives_is_told(tmp_path: Path) -> None:
    """A signer that was just started hears of policies, says which keys there are, and may be asked before it serves:
    a zone that was enabled then was not published until its keys were others again."""
    heard: list[str] = []

    async def enable_and_live() -> None:
        life = KeyLife(tmp_path, lambda: NOW_S, _no_parent)
        life.follow(key_policies(Settings()).as_json())
        await life.ask("enable", {"zone": "example.com", "algorithm": None, "keys": None})
        is_told = asyncio.Event()

        def tell(event: str, **more: Any) -> None:
            heard.append(event)
            if event == "statuses":
                is_told.set()

        living = asyncio.create_task(life.live(tell))
        await is_told.wait()
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living

    asyncio.run(enable_and_live())
    assert heard.count("keys") == 1 and "step" in heard
