"""An earlier revision's objects, put into an edit: ids stay, SOA serials go on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lbdns.base.kinds import Kind
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.revisions.diff import between
from lbdns.manage.store.revisions.from_files import put
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import raised_serial


def restore(edit: Edit, target: State) -> None:
    """Make the objects as they are in `target`. A zone's serial does not go back: secondaries would not follow."""
    state = edit.state
    changes = between(state, target)
    gone = [change.item for change in changes if change.after is None]
    for item in gone:
        if item.zone_id or item.kind is Kind.LOAD_BALANCER:
            edit.delete(item.kind, item.id)
    for change in sorted(changes, key=lambda change: change.item.kind is not Kind.ZONE):  # what is in a zone needs it
        if change.after is not None:
            put(edit, _onward(change.after, change.before), change.before)
    for item in gone:
        if not item.zone_id and item.kind is not Kind.LOAD_BALANCER:
            edit.delete(item.kind, item.id)


def _onward(item: Item, now: Item | None) -> Item:
    """Return a zone with the serial that it has now, or with one after its last where it was deleted."""
    if item.kind is not Kind.ZONE:
        return item
    serial = now.body["serial"] if now is not None else raised_serial(item.body["serial"], int(time.time()))
    body: Mapping[str, Any] = {**item.body, "serial": serial}
    return replace(item, body=body)
