"""Updates where nothing takes them: a server of files."""

from __future__ import annotations

import asyncio
from typing import Final

from lbdns.dns.codes import REFUSED
from lbdns.transfer.update.asked_update import AskedUpdate
from lbdns.transfer.update.update_section import UpdateOutcome

OF_FILES: Final = UpdateOutcome(REFUSED, "the zones of this server come from files; they are changed there")


class RefusedUpdates:
    """Refuses every update, and says why."""

    def take(self, asked: AskedUpdate) -> asyncio.Future[UpdateOutcome]:
        """Refuse."""
        said: asyncio.Future[UpdateOutcome] = asyncio.get_running_loop().create_future()
        said.set_result(OF_FILES)
        return said
