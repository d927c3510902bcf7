"""A digest tells the objects of a store from all others, whoever wrote them, and is of one revision."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from lbdns.base.words import STORE_FILE
from lbdns.manage.store.item import Change
from lbdns.manage.store.objects_digest import objects_digest
from lbdns.manage.store.sqlite import Store
from tests.store.small_stores import TIME, changed, item, small_state

HEAD = 2


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory whose store has the pools "a" and "b"."""
    return small_state(tmp_path)


def test_it_is_the_same_as_long_as_the_objects_are(state: Path) -> None:
    first = objects_digest(state, HEAD)
    assert first
    with contextlib.closing(Store(state)) as store:
        assert objects_digest(state, HEAD) == first  # while the server has it open
        store.commit([Change(None, item("c"))], "ann", "three", TIME, HEAD)
        assert objects_digest(state, HEAD) == ""
        after = objects_digest(state, HEAD + 1)  # what stands in the log beside the store counts
        assert after and after != first
    assert objects_digest(state, HEAD + 1) == after


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE objects SET body = replace(body, 'b', 'x') WHERE id LIKE '%b'",
        "UPDATE objects SET is_local = 1 - is_local WHERE id LIKE '%b'",
        "UPDATE objects SET disabled_at = 'now' WHERE id LIKE '%b'",
        "DELETE FROM objects WHERE id LIKE '%b'",
        "UPDATE objects SET position = 99 WHERE id LIKE '%a'",
        "UPDATE meta SET value = 'another' WHERE key = 'account_id'",
    ],
)
def test_what_somebody_writes_without_a_revision_shows(state: Path, statement: str) -> None:
    before = objects_digest(state, HEAD)
    changed(state, statement)
    now = objects_digest(state, HEAD)
    assert now and now != before


MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500) "
    "INSERT INTO objects (position, id, kind, zone_id, body, created_on, modified_on, revision, disabled_at, is_local) "
    "SELECT 1000 + 7 * i, 'more' || i, kind, zone_id, body, created_on, modified_on, revision, disabled_at, is_local "
    "FROM objects, n WHERE id LIKE '%b'"
)


@pytest.mark.parametrize("which", [1, 1998, 2000, 3999, 4500])
def test_each_of_many_rows_counts(state: Path, which: int) -> None:
    """They are read some at a time."""
    changed(state, MANY)
    before = objects_digest(state, HEAD)
    changed(state, f"UPDATE objects SET zone_id = 'x' WHERE id = 'more{which}'")
    now = objects_digest(state, HEAD)
    changed(state, f"DELETE FROM objects WHERE id = 'more{which}'")
    assert len({before, now, objects_digest(state, HEAD)}) == 3


def test_what_cannot_be_read_has_none(state: Path, tmp_path: Path) -> None:
    assert objects_digest(state, None) == ""
    assert objects_digest(tmp_path / "nowhere", HEAD) == ""
    changed(state, "UPDATE objects SET body = x'ff'")
    assert objects_digest(state, HEAD) == ""
    changed(state, "PRAGMA user_version = 1")
    assert objects_digest(state, HEAD) == ""
    (state / STORE_FILE).write_bytes(b"something else")
    assert objects_digest(state, HEAD) == ""
