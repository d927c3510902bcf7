"""What API and command line work with: whoever has the objects, and the server that serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from lbdns.base.errors import Problem
from lbdns.config.examined import Loaded
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Change
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.publish.publisher import Published

Result = TypeVar("Result")


class Running(Protocol):
    """The running server, as management sees it."""

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        """Compile and try a configuration, call `commit`, and serve it; raises LbdnsError with nothing changed.

        `cause` says in the log by whom and why.
        """

    async def reload(self, cause: str) -> str:
        """Load and serve what lies at the source now; returns why not, "" where it is served."""

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        """Do one of the control socket's operations: health, explain, force, status, counters; raises LbdnsError."""

    def in_force(self) -> Published:
        """Return what is served; raises LbdnsError where nothing is yet."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """What came of a change: the result of `make`, the revision in force, the difference, and what one should know."""

    result: Result
    revision: int
    changes: tuple[Change, ...]
    warnings: tuple[Problem, ...]


class Manager(Protocol):
    """What API and command line work with."""

    @property
    def place(self) -> str:
        """Where the objects are, in words: `the store in /var/lib/lbdns`."""

    @property
    def settings(self) -> Settings:
        """The server's settings."""

    @property
    def store(self) -> Store | None:
        """Where revisions and tokens are; None where the objects come from files and nobody uses tokens."""

    @property
    def running(self) -> Running | None:
        """The server that serves the objects, where one runs."""

    @property
    def is_writable(self) -> bool:
        """Whether objects can be changed here."""

    @property
    def state(self) -> State:
        """The objects in force."""

    @property
    def refused(self) -> int:
        """How many changes were refused since the start."""

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
        """Change objects; raises ConfigError with every mistake, or another LbdnsError, with nothing changed.

        `is_local`: for an operator on this machine.
        """

    async def propose(self, make: Callable[[Edit], object], is_local: bool = False) -> Configuration:
        """Return what would be served after a change that is not made; raises as `change` does."""
