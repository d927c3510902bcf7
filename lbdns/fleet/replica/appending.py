"""Appending an entry so that its outcome is known: in the stream, or never.

    append --acknowledged--------------------------------------------------> done, at that sequence
      |  '--the sequence has moved, nothing of ours was under way-----------> SequenceMoved: made anew on what came
      |  '--not reached, nothing of ours was under way----------------------> BusUnreached: nothing is changed
      '--no reply--> append the same again (its id, its sequence) until it is decided:
              acknowledged, or the sequence has moved and what stands behind it is ours   -> done
              the sequence has moved and what stands behind it is another's               -> SequenceMoved, for ever
              none of these within WITHIN_S                                               -> OutcomeUnknown

A look at the stream alone decides nothing: what was sent may still be on its way. That the sequence has moved does: an
append that names the old one is refused, however late it comes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

from lbdns.fleet.bus.fleet_bus import BusUnreached, FleetBus, OutcomeUnknown, SequenceMoved, StreamMessage
from lbdns.fleet.bus.subjects import REVISION, dump_subject
from lbdns.fleet.replica.message_parts import Framed

WITHIN_S: Final = 4.0
"""How long an append is tried for before its outcome is said to be unknown; a part of a large one, each by itself."""
AGAIN_S: Final = 0.05


async def append_entry(bus: FleetBus, id: str, follows: int, frames: Framed, within_s: float = WITHIN_S) -> int:
    """Append an entry behind the one that it follows; returns its sequence.

    Raises SequenceMoved, BusUnreached and BusRefused where it is not in the stream and never will be, OutcomeUnknown
    where that is not known.
    """
    await append_parts(bus, id, frames.parts, within_s)
    try:
        async with asyncio.timeout(within_s):
            return await _decided(bus, id, frames.head, follows)
    except TimeoutError:
        raise OutcomeUnknown(id, f"the bus did not say within {within_s:g} s whether it was done") from None


async def append_parts(bus: FleetBus, id: str, parts: Sequence[bytes], within_s: float = WITHIN_S) -> None:
    """Append what a head will name; raises BusUnreached and BusRefused."""
    for number, part in enumerate(parts):
        subject = dump_subject(id, number)
        try:
            async with asyncio.timeout(within_s):
                while True:
                    with contextlib.suppress(OutcomeUnknown):  # the same part twice is as good as once
                        await bus.append(subject, part, id=f"{id}.{number}", expected=None)
                        break
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            raise BusUnreached(f"the bus did not take a part within {within_s:g} s") from None


async def read_parts(bus: FleetBus, id: str) -> list[bytes]:
    """Return the parts that the head of this id names, as far as they are there; raises BusUnreached."""
    found = {message.subject: message.data async for message in bus.read(dump_subject(id, 0).removesuffix("0") + ">")}
    return [found[key] for number in range(len(found)) if (key := dump_subject(id, number)) in found]


async def _decided(bus: FleetBus, id: str, data: bytes, follows: int) -> int:
    is_under_way = False
    while True:
        try:
            return await bus.append(REVISION, data, id=id, expected=follows)
        except OutcomeUnknown:
            is_under_way = True
        except BusUnreached:
            if not is_under_way:
                raise
        except SequenceMoved:
            if not is_under_way:
                raise
            with contextlib.suppress(BusUnreached):
                behind = await _first(bus.read(REVISION, after=follows))
                if behind is not None and behind.id == id:
                    return behind.sequence
                if behind is not None:
                    raise
        await asyncio.sleep(AGAIN_S)


async def _first(messages: AsyncIterator[StreamMessage]) -> StreamMessage | None:
    async for message in messages:
        return message
    return None
