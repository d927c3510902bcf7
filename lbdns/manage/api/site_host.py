"""The API over a store that may not be had: what is served is shown meanwhile, and the store when it can be had again.

find a site --it cannot be--> the site `instead`: changes are refused with the reason
     ^                                 |  every RETRY_S
     +---------------------------------+--found--> the server reloads, and the API shows the store
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.base.lasting_trouble import LastingTrouble
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.managing import Running
from lbdns.model.store_facts import StoreFacts

RETRY_S: Final = 5.0

log = logging.getLogger("lbdns.api")


class SiteHost:
    """Serves a site that `find` returns, or what `instead` makes of the reason why it raises LbdnsError."""

    def __init__(
        self,
        running: Running,
        find: Callable[[], ApiSite],
        instead: Callable[[str], ApiSite],
        lacking: str,
        said: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """Describe it; nothing is served yet. `find` is called in threads, one call at a time.

        `lacking`: what there is not without the store, in words. `said`: returns the problems that the log has told.
        """
        self._lacking = lacking
        self._said = said
        self._running = running
        self._find = find
        self._instead = instead
        self._found: ApiSite | None = None
        self._trouble = LastingTrouble(log, "the store can be read again")

    @property
    def problem(self) -> str:
        """What there is not and why, "" where all is well."""
        if self._found is None or self._found.store is None:
            return self._trouble.text
        return self._found.store.problem

    def store_facts(self) -> StoreFacts | None:
        """Return how the store stands that objects are changed in, None where there is none to be."""
        if self._found is None:
            return StoreFacts(None, self.problem)
        manager = self._found.manager
        return StoreFacts(manager.state.revision, self.problem, manager.refused) if manager.is_writable else None

    def first_site(self) -> ApiSite:
        """Return what to begin with."""
        return self._look() or self._instead(self._trouble.text)

    @contextlib.asynccontextmanager
    async def following(self, server: ApiServer) -> AsyncIterator[None]:
        """Have a server that serves the first site show the store once it can be had, while the context lasts."""
        task = asyncio.create_task(self._follow(server))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self, server: ApiServer) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            if self._found is None:
                site = await asyncio.to_thread(self._look)
                if site is not None:
                    await self._running.reload("the store can be read again")
                    server.show(site)
            elif self._found.store is not None:
                await asyncio.to_thread(self._found.store.retry)

    def _look(self) -> ApiSite | None:
        try:
            self._found = self._find()
        except LbdnsError as error:
            shorter = f"{self._lacking}: the store cannot be had" if str(error) in self._said() else ""
            self._trouble.begin(f"{self._lacking}: {error}", shorter)
        except Exception as error:
            log.debug("lbdns failed on the store", exc_info=True)
            self._trouble.begin(f"{self._lacking}: lbdns failed on the store: {error!r}")
        else:
            self._trouble.end()
        return self._found
