"""How much of its history a store keeps: so many revisions, and so many characters."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.store import object_rows
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.sqlite import Store

NOW = "2026-01-01T00:00:00Z"


def test_revisions_are_kept_as_far_as_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_rows, "REVISIONS_CHARS_MAX", 10_000)
    with contextlib.closing(Store(tmp_path)) as store:
        item = Item(Kind.MONITOR, "a" * 32, {"name": "m", "description": "x" * 2000}, "", NOW, NOW, 1)
        store.commit([Change(None, item)], "me", "make", NOW, 0)
        for number in range(1, 9):
            after = Item(Kind.MONITOR, "a" * 32, {"name": "m", "description": f"{number}" * 2000}, "", NOW, NOW, 1)
            store.commit([Change(item, after)], "me", "change", NOW, number)
            item = after
        assert [one.number for one in store.revisions()] == [9, 8]
        assert store.state_at(7).get(Kind.MONITOR, "a" * 32) is not None
        with pytest.raises(StoreError, match="there is no revision 6"):
            store.state_at(6)
        huge = Item(Kind.MONITOR, "a" * 32, {"name": "m", "description": "y" * 20_000}, "", NOW, NOW, 1)
        store.commit([Change(item, huge)], "me", "change", NOW, 9)
        assert [one.number for one in store.revisions()] == [10]
