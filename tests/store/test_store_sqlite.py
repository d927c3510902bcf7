"""The store on disk: revisions, the states they add up to, writers that come at once, a process that dies."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Change, Item, new_id
from lbdns.manage.store.refusals import Outdated, StoreError
from lbdns.manage.store.sqlite import Store

TIME = "2026-11-21T10:00:00.000000Z"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


def item(name: str, revision: int = 1, **body: Any) -> Item:
    return Item(Kind.POOL, f"{name:0>32}", {"name": name, **body}, "", TIME, TIME, revision)


def names(store: Store) -> list[str]:
    return [one.name for one in store.load()]


def test_what_is_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    first = Store(tmp_path)
    a, b = item("a", weight=0.5), Item(Kind.RECORD, new_id(), {"name": "é.example"}, "z" * 32, TIME, TIME, 1)
    made = first.commit([Change(None, a), Change(None, b)], "local user root", "two", TIME, 0)
    account = first.account_id
    first.close()
    again = Store(tmp_path)
    state = again.load()
    assert made.number == state.revision == again.head == 1
    assert state.get(Kind.POOL, a.id) == a and dict(state.records("z" * 32)) == {b.id: b}
    assert again.account_id == account and len(account) == 32
    assert (tmp_path / "store.sqlite").stat().st_mode & 0o777 == 0o600
    again.close()


def test_a_store_that_notes_no_times_of_disabling_is_opened_and_notes_them(tmp_path: Path) -> None:
    first = Store(tmp_path)
    first.commit([Change(None, item("a", enabled=False))], "ann", "one", TIME, 0)
    first.close()
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("ALTER TABLE objects DROP COLUMN disabled_at")
    connection.close()
    again = Store(tmp_path)
    (kept,) = again.load()
    assert kept == item("a", enabled=False)
    since = replace(kept, revision=2, disabled_at=(("", TIME), ("192.0.2.1", TIME)))
    again.commit([Change(kept, since)], "ann", "two", TIME, 1)
    assert list(again.load()) == [since]
    again.close()


def test_every_revision_can_be_shown_and_every_state_follows(store: Store) -> None:
    a1, a2 = item("a"), item("a", 2, weight=1)
    b = item("b", 2)
    store.commit([Change(None, a1)], "ann", "one", TIME, 0)
    store.commit([Change(a1, a2), Change(None, b)], "bob", "two", TIME, 1)
    store.commit([Change(b, None)], "ann", "three", TIME, 2)
    assert [(one.number, one.author, one.message) for one in store.revisions()] == [
        (3, "ann", "three"),
        (2, "bob", "two"),
        (1, "ann", "one"),
    ]
    assert [one.number for one in store.revisions(limit=1, before=3)] == [2]
    assert store.revision(2).changes == (Change(a1, a2), Change(None, b))
    assert [[(one.name, one.revision) for one in store.state_at(number)] for number in range(4)] == [
        [],
        [("a", 1)],
        [("a", 2), ("b", 2)],
        [("a", 2)],
    ]
    assert [revision.number for revision in store.feed(1)] == [2, 3]
    assert next(store.feed(0)).changes == (Change(None, a1),)
    for unknown in (4, 99):
        with pytest.raises(LbdnsError, match=f"no revision {unknown}; the newest is 3"):
            store.revision(unknown)


def test_a_writer_that_builds_on_an_old_revision_is_told(store: Store) -> None:
    store.commit([Change(None, item("a"))], "ann", "", TIME, 0)
    with pytest.raises(Outdated, match="changed in revision 1, after revision 0"):
        store.commit([Change(None, item("b"))], "bob", "", TIME, 0)
    assert names(store) == ["a"] and store.head == 1


def test_of_writers_at_once_none_is_lost(store: Store) -> None:
    def write(writer: int) -> None:
        for number in range(10):
            while True:
                try:
                    store.commit([Change(None, item(f"{writer}-{number}"))], "w", "", TIME, store.head)
                    break
                except Outdated:
                    continue

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.head == 40 and len(set(names(store))) == 40


def test_a_commit_that_fails_halfway_leaves_nothing(store: Store) -> None:
    broken = Item(Kind.POOL, "b" * 32, {"name": object()}, "", TIME, TIME, 1)  # no JSON
    with pytest.raises(ValueError):
        store.commit([Change(None, item("a")), Change(None, broken)], "ann", "", TIME, 0)
    assert names(store) == [] and store.head == 0


@pytest.mark.process
def test_what_was_acknowledged_outlives_kill(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Change, Item, new_id
from lbdns.manage.store.sqlite import Store
store = Store(Path(sys.argv[1]))
for number in range(10_000):
    store.commit([Change(None, Item(Kind.POOL, new_id(), {"name": str(number)}))], "w", "", "", store.head)
    print(number, flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = -1
    for line in process.stdout:
        told = int(line)
        if told == 20:
            process.kill()
            break
    with process.stdout as rest:
        told = max([told, *(int(line) for line in rest if line.endswith("\n"))])
    process.wait()
    store = Store(tmp_path)
    assert set(map(str, range(told + 1))) <= set(names(store))
    assert store.head == len(names(store))
    store.close()


def test_files_that_are_no_store_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"something else, and long enough to be read as a page" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path)
    path.unlink()
    store = Store(tmp_path)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'format'")
    connection.close()
    with pytest.raises(StoreError, match="made by a later release"):
        Store(tmp_path)


def test_tokens_are_shown_once_and_found_by_their_text(store: Store, tmp_path: Path) -> None:
    text, token = store.tokens.create("ci", "read")
    assert 40 <= len(text) <= 80 and text.replace("-", "a").replace("_", "a").isalnum()
    assert store.tokens.find(text) == token and token.scope == "read"
    assert store.tokens.find(text + "x") is None and store.tokens.find("") is None
    assert text.encode() not in (tmp_path / "store.sqlite").read_bytes() + (tmp_path / "store.sqlite-wal").read_bytes()
    with pytest.raises(LbdnsError, match='there is a token "ci" already'):
        store.tokens.create("ci", "write")
    with pytest.raises(LbdnsError, match='"admin" is no scope'):
        store.tokens.create("other", "admin")
    assert store.tokens.revoke("ci") == token
    assert store.tokens.find(text) is None and store.tokens.all() == []
    with pytest.raises(LbdnsError, match='there is no token "ci"'):
        store.tokens.revoke("ci")
