"""UPDATE messages for tests, and who takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import dns.update

from lbdns.dns.update_message import UpdateMessage, decode_update
from lbdns.manage.updates.update_queue import UpdateQueue
from lbdns.transfer.update.asked_update import AskedUpdate
from lbdns.transfer.update.update_section import Objects, UpdateOutcome

ZONE = "example.com"


def may_all(owner: bytes, rdtype: int, is_added: bool) -> str:
    """Object to nothing."""
    return ""


def update(zone: str = ZONE) -> dns.update.UpdateMessage:
    """Return an UPDATE that asks for nothing yet."""
    return dns.update.UpdateMessage(zone)


def adding(name: str, rdtype: str, data: str, ttl: int = 60) -> dns.update.UpdateMessage:
    """Return an UPDATE that adds a record."""
    made = update()
    made.add(name, ttl, rdtype, data)
    return made


def asked(
    made: dns.update.UpdateMessage, author: str = "key test", view: str = "", objects: Objects = may_all
) -> AskedUpdate:
    """Return an UPDATE on its way to who changes the zone."""
    decoded = decode_update(made.to_wire())
    assert isinstance(decoded, UpdateMessage), decoded
    return AskedUpdate(decoded, author, view, objects)


def take_all(queue: UpdateQueue, updates: Sequence[AskedUpdate]) -> list[UpdateOutcome]:
    """Have updates made that come at once, and return what is said of each."""

    async def all_at_once() -> list[UpdateOutcome]:
        return await asyncio.gather(*map(queue.take, updates))

    return asyncio.run(all_at_once())
