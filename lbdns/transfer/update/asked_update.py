"""An UPDATE on its way to who changes the zone, and who that is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from lbdns.dns.update_message import UpdateMessage
from lbdns.transfer.update.update_section import Objects, UpdateOutcome


@dataclass(frozen=True, slots=True)
class AskedUpdate:
    """An UPDATE that its zone's access lets in. `author`: by whom it is, for revisions and the log; `view`: the one
    that who sent it is in, "" for none; `objects`: what he may not change; `digest`: what tells it from all others,
    empty where nobody asks."""

    message: UpdateMessage
    author: str
    view: str
    objects: Objects
    digest: bytes = b""


class UpdateTaker(Protocol):
    """Who changes zones."""

    def take(self, asked: AskedUpdate) -> asyncio.Future[UpdateOutcome]:
        """Make an update, and return what will be said of it once it is served; it raises nothing."""
