"""The objects of a server that serves files, or what was served last of a store: shown, and not changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from lbdns.manage.store.edit import Edit
from lbdns.manage.store.managing import Done, Result, Running
from lbdns.manage.store.proposing import proposed
from lbdns.manage.store.refusals import ReadOnly, Unavailable
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings


class FilesManager:
    """The objects of a server that serves files: shown as the API shows them, changed in the files."""

    is_writable = False
    refused = 0

    def __init__(self, store: Store | None, directory: Path, running: Running) -> None:
        """Show what `running` serves from a directory; `store` holds tokens alone."""
        self.store: Store | None = store
        self.place = f"the files in {directory}"
        self.running: Running | None = running
        self._generation = -1
        self._state = State()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        assert self.running is not None, "files are shown by the server that serves them"
        return self.running.in_force().configuration.settings

    @property
    def state(self) -> State:
        """The objects in force; ids follow from kinds and names, so that they stay."""
        from lbdns.manage.store.revisions.from_files import state_of

        assert self.running is not None, "files are shown by the server that serves them"
        published = self.running.in_force()
        if published.generation != self._generation:
            self._state = state_of(published.configuration, published.generation)
            self._generation = published.generation
        return self._state

    async def change(
        self,
        author: str,
        message: str,
        make: Callable[[Edit], Result],
        *,
        based_on: int | None = None,
        dry_run: bool = False,
        is_local: bool = False,
    ) -> Done[Result]:
        """Refuse; raises ReadOnly."""
        raise ReadOnly(
            f"this server serves {self.place}; change them there, or serve a store: `lbdns serve` without a directory"
        )

    async def propose(self, make: Callable[[Edit], object], is_local: bool = False) -> Configuration:
        """Return what would be served, were the files changed so; raises ConfigError with every mistake."""
        return await asyncio.to_thread(lambda: proposed(self.state, self.settings, make, is_local))


class ServedManager(FilesManager):
    """The objects that are served while their store cannot be had: shown, and not changed."""

    def __init__(self, running: Running, place: str, problem: str) -> None:
        """Show what `running` serves in place of what stands at `place`; `problem` says why."""
        super().__init__(None, Path(), running)
        self.place = f"what was served last of {place}"
        self._problem = problem

    async def change(
        self,
        author: str,
        message: str,
        make: Callable[[Edit], Result],
        *,
        based_on: int | None = None,
        dry_run: bool = False,
        is_local: bool = False,
    ) -> Done[Result]:
        """Refuse; raises Unavailable."""
        raise Unavailable(self._problem)
