"""What the store refuses, beside invalid values (ConfigError): each error carries what the API and the CLI tell."""

from __future__ import annotations

from collections.abc import Sequence

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Item

SHOWN_MAX = 5


class NotFound(LbdnsError):
    """There is no such object."""

    def __init__(self, kind: Kind, id: str) -> None:
        super().__init__(f"there is no {kind.words} {id}")
        self.kind = kind
        self.id = id


class NotUnique(LbdnsError):
    """A name is taken. `at` is the location of the value inside the object."""

    def __init__(self, kind: Kind, name: str, at: tuple[str | int, ...] = ("name",), detail: str = "") -> None:
        super().__init__(detail or f'there is a {kind.words} "{name}" already; names are unique')
        self.kind = kind
        self.name = name
        self.at = at


class Referenced(LbdnsError):
    """An object that others refer to cannot be deleted."""

    def __init__(self, item: Item, users: Sequence[Item]) -> None:
        shown = ", ".join(f'{user.kind.words} "{user.label}"' for user in users[:SHOWN_MAX])
        more = f" and {len(users) - SHOWN_MAX} more" if len(users) > SHOWN_MAX else ""
        super().__init__(f'the {item.kind.words} "{item.label}" is used by {shown}{more}; change or delete those first')
        self.item = item
        self.users = tuple(users)


class InUse(LbdnsError):
    """An object that something else hangs on cannot be deleted."""


class Outdated(LbdnsError):
    """A change was built on a revision that is no longer the current one."""

    def __init__(self, what: str, based_on: int, current: int) -> None:
        super().__init__(
            f"{what} changed in revision {current}, after revision {based_on} that this builds on; "
            "look at what it is now and try again"
        )
        self.based_on = based_on
        self.current = current


class ReadOnly(LbdnsError):
    """The objects come from files; they are changed there."""


class StoreError(LbdnsError):
    """The store cannot be read or written, or what is stored cannot be served: no fault of who asked for it."""


class Unavailable(StoreError):
    """There is no store to write to for now, which the log has said already."""


class RaceLost(LbdnsError):
    """Another machine of the fleet was first: the change is to be made anew on what it left."""


class Unconfirmed(StoreError):
    """What came of a change is not known here, or it is made and not stored here yet; the text says which."""
