"""A store that no server runs on: changed by the same steps, under the lock of its state directory."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from lbdns.config.examined import Loaded
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.refusals import Unavailable
from lbdns.manage.store.sqlite import Store
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory, StateLock
from lbdns.model.settings import Settings
from lbdns.publish.publisher import Publisher


class OfflineManager(StoreManager):
    """The one writer of a store while no server has it. Close it."""

    def __init__(self, settings: Settings) -> None:
        """Take the lock and open the store; raises LbdnsError."""
        self._lock = StateLock(settings.state_dir())
        try:
            super().__init__(Store(settings.state_dir()), settings)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Close the store and give the lock up."""
        self.store.close()
        self._lock.release()

    def _check_fleet(self) -> None:
        """Raise Unavailable where the store is a fleet's: only a server that runs changes it."""
        if self.settings.fleet is not None:
            raise Unavailable(
                "the store is a fleet's, and no server runs here that would bring the change to the others: start "
                "`lbdns serve`, or change it on another machine; nothing is changed"
            )

    async def _publish(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        await asyncio.to_thread(_try, loaded)
        await asyncio.to_thread(commit)


def _try(loaded: Loaded) -> None:
    """Compile a configuration and ask it its canary queries, as a server would; raises LbdnsError."""
    with tempfile.TemporaryDirectory() as text:
        run = RunDirectory(Path(text))
        try:
            Publisher(Control.create(run.control), run).prepare(loaded.configuration)
        finally:
            run.remove()
