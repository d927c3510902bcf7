"""The fleet as the supervisor keeps it: there where the settings have `fleet`, another where that changes.

Without `fleet` nothing of it is imported: fleet_link.py has the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.model.settings import Settings

if TYPE_CHECKING:
    from lbdns.model.fleet_terms import BusAccess
    from lbdns.processes.supervisor.fleet_link import FleetLink, JoinStore, Linked

log = logging.getLogger("lbdns.processes")


class FleetKeeper:
    """One server's link to its fleet, and the store that is to follow the fleet's stream."""

    def __init__(self, server: Linked) -> None:
        """Begin with none."""
        self._server = server
        self._began_s = time.monotonic()
        self._join: JoinStore | None = None
        self._settings: Settings | None = None
        self._access: BusAccess | None = None
        self._link: FleetLink | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._settling: asyncio.Task[None] | None = None
        self._trouble = LastingTrouble(log, "the fleet's settings can be used again")

    @property
    def problem(self) -> str:
        """Why there is no link where the settings want one, "" where all is well."""
        return self._trouble.text

    def follow(self, settings: Settings) -> None:
        """Have the link that settings want; one that stays is left alone. Whoever changes settings does not wait."""
        is_wanted = settings.fleet is not None or self._link is not None
        self._loop, self._settings = asyncio.get_running_loop(), settings
        if is_wanted and (self._settling is None or self._settling.done()):
            self._settling = asyncio.create_task(self._settle())

    def use(self, join: JoinStore) -> None:
        """Have the store follow the fleet's stream, now and in each link to come; may be called from any thread."""
        assert self._loop is not None, "what is kept follows settings first"
        self._loop.call_soon_threadsafe(self._use, join)

    async def close(self) -> None:
        """End it, as the server does."""
        if self._settling is not None:
            self._settling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._settling
        await self._part()

    def _use(self, join: JoinStore) -> None:
        self._join = join
        if self._link is not None:
            self._link.follow_with(join)

    async def _settle(self) -> None:
        done: Settings | None = None
        while done is not self._settings:
            done = self._settings
            assert done is not None, "settings were given"
            try:
                await self._settle_for(done)
            except LbdnsError as error:
                self._trouble.begin(f"fleet: {error}")
            else:
                self._trouble.end()

    async def _settle_for(self, settings: Settings) -> None:
        if settings.fleet is None:
            await self._part(is_leaving=True)
            return
        from lbdns.model.bus_access import bus_access
        from lbdns.processes.supervisor.fleet_link import FleetLink

        access = bus_access(settings.fleet, self._server.state_dir)
        if access != self._access or self._link is None:
            before = self._access
            is_another = before is not None and (before.fleet_id, before.machine) != (access.fleet_id, access.machine)
            await self._part(is_leaving=is_another)
            self._access = access
            self._link = self._server.fleet = FleetLink(self._server, access, self._began_s)
            await self._link.start()
            if self._join is not None:
                self._link.follow_with(self._join)

    async def _part(self, is_leaving: bool = False) -> None:
        link, self._link, self._server.fleet = self._link, None, None
        if link is not None:
            await link.close(is_leaving)
