"""One stored object, as the management API says it, and one change of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from lbdns.base.kinds import NETWORKING, Kind
from lbdns.base.lasting_ids import ID_DIGITS
from lbdns.base.reference_paths import collector
from lbdns.model.view_names import VIEW, labelled

Rrset = tuple[bytes, int, int, bytes]
"""A record: owner in wire format and lower case, type, TTL in seconds, data in wire format."""
_DRAWN_AT_ONCE: Final = 256
_COLLECT: Final = {kind: [collector(field.api_path) for field in kind.references] for kind in Kind}


@dataclass(frozen=True, slots=True)
class Item:
    """One object. `body` is JSON that nobody changes in place: fields at their default left out, references by id.

    `id` has 32 hex digits, of networks and routes with dashes, and never changes. `zone_id` is set for records and for
    load balancers of a zone. Times are RFC 3339 in UTC; `revision` is the one that changed the object last.
    `disabled_at`: see disabling.py. `is_local`: an operator on this machine made it (making.py).
    """

    kind: Kind
    id: str
    body: Mapping[str, Any]
    zone_id: str = ""
    created_on: str = ""
    modified_on: str = ""
    revision: int = 0
    disabled_at: tuple[tuple[str, str], ...] = ()
    is_local: bool = True
    wire: Rrset | None = field(default=None, init=False, repr=False, compare=False)
    """Of a record, once it was asked for: what record_bodies.py makes of its body."""

    @property
    def name(self) -> str:
        """The object's name; every kind has one."""
        return str(self.body.get(self.kind.called_by, ""))

    @property
    def view(self) -> str:
        """The view that it belongs to; "" where all see it, or what it is in says which do."""
        return str(self.body.get(VIEW, ""))

    @property
    def label(self) -> str:
        """Its name, with its view where it is of one: `www.example.com@office`."""
        return labelled(self.name, self.view)

    def references(self) -> set[str]:
        """Return the ids of the objects that this one refers to, its zone left out."""
        found: set[str] = set()
        for collect in _COLLECT[self.kind]:
            collect(self.body, found)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """One object before and after: created where there was none before, deleted where there is none after."""

    before: Item | None
    after: Item | None

    @property
    def item(self) -> Item:
        """The object as it is, or as it was before it was deleted."""
        item = self.after or self.before
        assert item is not None, "a change has at least one side"
        return item


def net_changes(changes: Iterable[Change]) -> list[Change]:
    """Return what changes that were made one after another come to: of each object at most one."""
    found: dict[str, Change] = {}
    for change in changes:
        id = change.item.id
        found[id] = Change(found[id].before if id in found else change.before, change.after)
    return [change for change in found.values() if change.before is not None or change.after is not None]


def new_id() -> str:
    """Return an id that nothing has."""
    return secrets.token_hex(ID_DIGITS // 2)


def new_ids() -> Iterator[str]:
    """Yield ids that nothing has, for who makes many: the system is asked for some hundreds at once."""
    while True:
        drawn = secrets.token_hex(_DRAWN_AT_ONCE * ID_DIGITS // 2)
        for at in range(0, len(drawn), ID_DIGITS):
            yield drawn[at : at + ID_DIGITS]


def shaped_id(kind: Kind, id: str) -> str:
    """Return an id as those of a kind look: with the dashes of a UUID where the v4 API's have them."""
    return str(UUID(id, version=4)) if kind.area == NETWORKING else id


def time_text(seconds: float) -> str:
    """Return a UNIX time as RFC 3339 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
