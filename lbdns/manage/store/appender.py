"""Where the store is a fleet's: what a change goes through before it is stored, and what comes from other machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lbdns.manage.store.item import Item
from lbdns.manage.store.sqlite import Revision
from lbdns.manage.store.state import State
from lbdns.manage.store.tokens import TokenColumns
from lbdns.manage.store.unreadable import Unreadable


class Appender(Protocol):
    """The fleet's stream, as the one who changes a store sees it. Who appends holds `StoreManager.writing`."""

    def check(self) -> None:
        """Raise Unavailable where nothing can be appended now."""

    def append(self, revisions: Sequence[Revision], dropped: Sequence[Unreadable], given_out: int) -> str:
        """Append revisions that follow on what is stored; returns the mark that goes with them (sqlite.FLEET_MARK).

        Called in a thread. Raises RaceLost, where another machine was first; Unavailable, where nothing is changed;
        Unconfirmed, where it is not known whether.
        """

    async def newer(self) -> None:
        """Wait, not for ever, until what was first is stored."""

    def change_tokens(self, changes: Sequence[TokenColumns | str]) -> None:
        """Write tokens, or delete them by id; in a thread, and by whoever does not hold the lock. Raises LbdnsError."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What others changed, and `commit`, which stores it: the state after it, None where that is to be read anew, and
    the objects in it that are new or others."""

    after: State | None
    commit: Callable[[], None]
    items: Sequence[Item] = ()
