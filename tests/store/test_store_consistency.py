"""A store that reads well and says what never was: it is damaged as any other, with a way back."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from lbdns.base.words import STORE_PLACE
from lbdns.manage.store.item import Change
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.restoring import restore_store
from lbdns.manage.store.sqlite import Store
from tests.store.small_stores import TIME, changed, item, names, serve, small_state, store_of


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory whose store has the pools "a" and "b"."""
    return small_state(tmp_path)


@pytest.fixture
def larger(state: Path) -> Path:
    """Return the state directory with the pools "a" to "d", each a revision, of which the third is served."""
    with contextlib.closing(Store(state)) as store:
        store.commit([Change(None, item("c"))], "ann", "three", TIME, 2)
        serve(state, f"{STORE_PLACE}{state}", revision=3)
        store.commit([Change(None, item("d"))], "ann", "four", TIME, 3)
    return state


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["DELETE FROM revisions"], "it has 4 objects and no revision"),
        (["DELETE FROM revisions", "DELETE FROM changes"], "it has 4 objects and no revision"),
        (["DELETE FROM objects"], "4 of its 4 objects are missing"),
        (["DELETE FROM objects WHERE id LIKE '%b'"], "1 of its 4 objects is missing"),
        (["DELETE FROM revisions WHERE number = 2"], "revision 2 is missing between others"),
        (["DELETE FROM revisions WHERE number IN (2, 3)"], "revisions 2 to 3 are missing between others"),
        (["DELETE FROM revisions WHERE number = 1"], "it has changes of revision 1, which is not among its revisions"),
        (["DELETE FROM revisions WHERE number = 4"], "it has changes of revision 4, which is not among its revisions"),
        (
            [f"DELETE FROM {table} = 4" for table in ("revisions WHERE number", "changes WHERE revision")],
            "it has an object of revision 4, and its newest revision is 3",
        ),
    ],
)
def test_a_store_whose_parts_do_not_agree_is_damaged(larger: Path, statements: list[str], told: str) -> None:
    changed(larger, *statements)
    for _ in range(2):
        with pytest.raises(StoreError) as refused:
            names(larger)
        assert f"the store is damaged ({told}); `lbdns store restore --state {larger} --from " in str(refused.value)
        assert "makes it of what was served last" in str(refused.value)
    with contextlib.closing(sqlite3.connect(store_of(larger))) as connection:
        left = [f"{row[0]}".lstrip("0") for row in connection.execute("SELECT id FROM objects ORDER BY position")]
    restore_store(larger, store_of(larger))
    assert names(larger) == left
    with contextlib.closing(Store(larger)) as store:
        assert store.head == 5 and store.revisions()[0].message == "objects as they were found"
        store.commit([Change(None, replace(item("e"), revision=6))], "ann", "more", TIME, 5)
        assert [one.name for one in store.state_at(5)] == left
    assert names(larger) == [*left, "e"]


def test_an_older_copy_in_the_place_of_what_was_served_is_said(larger: Path, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copy(store_of(larger), store_of(larger).with_name("now"))
    for name in ("d", "c"):
        changed(larger, f"DELETE FROM objects WHERE id LIKE '%{name}'")
    changed(
        larger,
        "DELETE FROM revisions WHERE number > 2",
        "DELETE FROM changes WHERE revision > 2",
        "UPDATE meta SET value = 2 WHERE key = 'object_count'",
    )
    shutil.copy(store_of(larger), older)
    with pytest.raises(StoreError, match=r"an older copy .* \(it is at revision 2, and revision 3 of it was served\)"):
        names(larger)
    restore_store(larger, older)  # which says that it is meant
    assert names(larger) == ["a", "b"]
    with contextlib.closing(Store(larger)) as store:
        store.commit([Change(None, replace(item("e"), revision=3))], "ann", "more", TIME, 2)
    assert names(larger) == ["a", "b", "e"]


def test_what_is_served_of_another_store_makes_no_store_older(state: Path) -> None:
    serve(state, "the files in /etc/lbdns", revision=9)
    assert names(state) == ["a", "b"]


def test_a_store_that_does_not_say_how_many_objects_it_has_is_read(state: Path) -> None:
    changed(state, "DELETE FROM meta WHERE key = 'object_count'")
    assert names(state) == ["a", "b"]
    with contextlib.closing(Store(state)) as store:
        store.commit([Change(item("a"), None), Change(None, item("c"))], "ann", "", TIME, 2)
    changed(state, "DELETE FROM objects")
    with pytest.raises(StoreError, match="2 of its 2 objects are missing"):
        names(state)
