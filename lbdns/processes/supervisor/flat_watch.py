"""Load balancers change their answers with health: what others get of their zones follows, one publication a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from lbdns.processes.beats import next_beat
from lbdns.publish.publisher import Published
from lbdns.transfer.content.flat_pace import FlatPace, has_flat
from lbdns.transfer.content.transfer_content import TransferContent

LOOK_S: Final = 1.0


async def watch_answers(
    content: TransferContent, in_force: Callable[[], Published], republish: Callable[[str], Awaitable[str]]
) -> None:
    """Have what is in force published anew whenever its load balancers answer otherwise than its zones are transferred;
    `republish` takes the reason."""
    pace = FlatPace(content, time.monotonic())
    while True:
        await next_beat(LOOK_S)
        published = in_force()
        if not has_flat(published.snapshot):
            continue
        cause = await asyncio.to_thread(pace.cause, published.snapshot, published.table, time.monotonic())
        if cause:
            await republish(cause)
