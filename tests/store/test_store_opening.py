"""Opening a store in every state that it and its disk may be in: never an empty one in its place, never a traceback."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from lbdns.base.kinds import Kind
from lbdns.base.words import LAST_SERVED, STORE_PLACE
from lbdns.cli.main import cli
from lbdns.manage.store import opening, versions
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.restoring import restore_store
from lbdns.manage.store.sqlite import Store
from tests.processes.namespaces import UNSHARE, filled, needs_namespaces, read_only, small_disk
from tests.store.small_stores import TIME, changed, item, names, serve, small_state, store_of


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state directory whose store has the pools "a", in the file, and "b", in the log beside it."""
    return small_state(tmp_path)


def vanish(state: Path) -> None:
    for path in state.glob("store.sqlite*"):
        path.unlink()


def empty(state: Path) -> None:
    vanish(state)
    store_of(state).touch()


def without_tables(state: Path) -> None:
    vanish(state)
    changed(state, "PRAGMA user_version = 0", "CREATE TABLE t (x)", "DROP TABLE t")


def lose_the_file_alone(state: Path) -> None:
    store_of(state).unlink()


@pytest.mark.parametrize("lose", [vanish, empty, without_tables, lose_the_file_alone])
def test_a_store_that_vanished_is_no_empty_one(state: Path, lose: Callable[[Path], None]) -> None:
    serve(state, f"{STORE_PLACE}/elsewhere before it was moved")
    lose(state)
    for _ in range(2):  # and nothing is begun on the way
        with pytest.raises(StoreError, match=r"the store is gone, and there was one: `lbdns store restore --state"):
            Store(state)
    shutil.rmtree(state / LAST_SERVED)
    vanish(state)
    assert names(state) == []


def test_where_files_were_served_a_store_begins_empty(tmp_path: Path) -> None:
    serve(tmp_path, "the files in /etc/lbdns")
    assert names(tmp_path) == []


def overwrite(at: int, data: bytes) -> Callable[[Path], None]:
    def spoil(state: Path) -> None:
        changed(state, "PRAGMA wal_checkpoint(TRUNCATE)")
        with store_of(state).open("r+b") as file:
            file.seek(at)
            file.write(data)

    return spoil


def cut(size: int) -> Callable[[Path], None]:
    def spoil(state: Path) -> None:
        vanish_log(state)
        os.truncate(store_of(state), size)

    return spoil


def vanish_log(state: Path) -> None:
    changed(state, "PRAGMA wal_checkpoint(TRUNCATE)")
    for path in state.glob("store.sqlite-*"):
        path.unlink()


def random_bytes(state: Path) -> None:
    vanish(state)
    store_of(state).write_bytes(bytes(byte * 7 % 256 for byte in range(20_000)))


def a_directory(state: Path) -> None:
    vanish(state)
    store_of(state).mkdir()


def a_pipe(state: Path) -> None:
    vanish(state)
    os.mkfifo(store_of(state))


@pytest.mark.parametrize(
    "spoil",
    [
        random_bytes,
        a_directory,
        a_pipe,
        overwrite(0, b"no header at all"),
        overwrite(4096, b"\xff" * 4096 * 3),
        cut(100),
        cut(5000),
        cut(4096 * 3),
    ],
)
def test_what_is_damaged_is_said_with_the_way_back(state: Path, spoil: Callable[[Path], None]) -> None:
    spoil(state)
    with pytest.raises(StoreError, match=r"store\.sqlite: the store (is damaged \(|is to be a file there)"):
        names(state)


def test_the_way_back_of_a_damaged_store_is_a_command_and_a_backup(state: Path) -> None:
    serve(state, f"{STORE_PLACE}{state}")
    random_bytes(state)
    before = store_of(state).read_bytes()
    with pytest.raises(StoreError) as refused:
        Store(state)
    told = str(refused.value)
    assert "the store is damaged (file is not a database); " in told
    assert f"`lbdns store restore --state {state}` makes it of what was served last, as of " in told
    assert "a backup of yours may be put in its place" in told
    assert store_of(state).read_bytes() == before


def test_a_command_without_a_server_says_that_a_store_is_gone(state: Path) -> None:
    serve(state, f"{STORE_PLACE}{state}")
    for path in state.glob("store.sqlite*"):
        path.unlink()
    for words in (("store", "check"), ("zone", "list")):
        said = CliRunner().invoke(cli, [*words, "--state", str(state)])
        assert isinstance(said.exception, StoreError)
        assert "the store is gone, and there was one: `lbdns store restore --state " in str(said.exception)
    assert not store_of(state).exists()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE tokens", "it has no table tokens"),
        ("DROP TABLE changes", "it has no table changes"),
        ("DROP TABLE meta", "it has no table meta"),
        ("ALTER TABLE revisions DROP COLUMN author", "it has no column revisions.author"),
        ("DELETE FROM meta", "it does not say its format"),
        ("UPDATE meta SET value = 'x' WHERE key = 'format'", "it does not say its format"),
    ],
)
def test_a_store_that_lacks_a_part_is_damaged(state: Path, statement: str, told: str) -> None:
    changed(state, statement)
    with pytest.raises(StoreError, match=rf"the store is damaged \({told}\); .*a backup of yours"):
        Store(state)


@pytest.mark.parametrize("spoil", [random_bytes, overwrite(4096, b"\xff" * 4096 * 3), cut(4096 * 3), None])
def test_a_copy_that_is_damaged_replaces_nothing(
    state: Path, tmp_path: Path, spoil: Callable[[Path], None] | None
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(store_of(state), store_of(other))
    if spoil is None:
        changed(other, "DROP TABLE tokens")
    else:
        spoil(other)
    copy = store_of(other)
    with pytest.raises(StoreError, match=rf"^{re.escape(str(copy))}: is damaged \("):
        restore_store(state, copy)
    assert names(state) == ["a", "b"]


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE meta (key, value)", "CREATE TABLE cats (name)"),
        ("CREATE TABLE cats (name)", "PRAGMA application_id = 1"),
        ("PRAGMA application_id = 4242",),
    ],
)
def test_a_database_of_something_else_is_left_alone(tmp_path: Path, statements: tuple[str, ...]) -> None:
    changed(tmp_path, *statements)
    before = store_of(tmp_path).read_bytes()
    with pytest.raises(StoreError, match="not a store of lbdns but a database of something else"):
        Store(tmp_path)
    assert store_of(tmp_path).read_bytes() == before


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 99", "UPDATE meta SET value = '99' WHERE key = 'format'"])
def test_a_later_version_is_refused_in_a_sentence_and_left_alone(state: Path, statement: str) -> None:
    changed(state, statement)
    with pytest.raises(
        StoreError, match=r"version 99, made by a later release of lbdns; this one reads versions up to"
    ):
        Store(state)
    changed(state, f"PRAGMA user_version = {versions.VERSION}", "UPDATE meta SET value = '1' WHERE key = 'format'")
    assert names(state) == ["a", "b"]
    assert versions.copies(store_of(state)) == []


def as_of_version_1(state: Path) -> None:
    changed(
        state,
        "ALTER TABLE objects DROP COLUMN disabled_at",
        "ALTER TABLE objects DROP COLUMN is_local",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 0",
    )


def columns(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {row[1] for row in connection.execute("PRAGMA table_info(objects)")}


def test_an_earlier_version_is_brought_up_with_a_copy_kept(state: Path) -> None:
    as_of_version_1(state)
    assert names(state) == ["a", "b"]
    (copy,) = versions.copies(store_of(state))
    assert copy.name.startswith("store.sqlite.v1-20") and copy.name.endswith("Z")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert "is_local" in columns(store_of(state)) and "is_local" not in columns(copy)
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM objects").fetchone() == (2,)
    assert names(state) == ["a", "b"]
    assert versions.copies(store_of(state)) == [copy]


def test_so_many_copies_are_kept_the_newest(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for moment in range(6):  # the last two within one second
        now = f"2026112{min(moment, 4)}T101010Z"
        monkeypatch.setattr(time, "strftime", lambda *_, now=now: now)
        as_of_version_1(state)
        assert names(state) == ["a", "b"]
    found = [path.name.partition("-")[2] for path in versions.copies(store_of(state))]
    assert found == ["20261124T101010Z.2", "20261124T101010Z", "20261123T101010Z"]


def test_a_step_that_fails_leaves_the_store_as_it_was(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT x FROM nowhere")

    as_of_version_1(state)
    monkeypatch.setattr(versions, "STEPS", (*versions.STEPS, fail))
    monkeypatch.setattr(versions, "VERSION", versions.VERSION + 1)
    monkeypatch.setattr(opening, "VERSION", versions.VERSION)
    with pytest.raises(StoreError, match="nowhere"):
        Store(state)
    monkeypatch.undo()
    assert "is_local" not in columns(store_of(state))
    assert names(state) == ["a", "b"]


def test_a_store_that_somebody_has_locked_is_said_to_be(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "OPEN_BUSY_S", 0.1)
    with contextlib.closing(sqlite3.connect(store_of(state), isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("DELETE FROM meta WHERE key = 'no such key'")
        with pytest.raises(StoreError, match="another process has the store locked"):
            Store(state)
    with contextlib.closing(sqlite3.connect(store_of(state), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # who writes keeps nobody from reading
        assert names(state) == ["a", "b"]


def test_a_commit_that_finds_no_room_leaves_the_store_to_be_written_when_there_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with contextlib.closing(Store(state)) as store:
        with store.writing() as connection:
            connection.execute("PRAGMA max_page_count = 30")
        wide = Item(Kind.POOL, "c" * 32, {"name": "c", "description": "x" * 200_000}, "", TIME, TIME, 1)
        for _ in range(2):
            with pytest.raises(StoreError, match="database or disk is full"):
                store.commit([Change(None, wide)], "ann", "", TIME, 0)
            assert "nothing can be stored: database or disk is full" in store.problem
        with store.reading() as connection:
            connection.execute("PRAGMA max_page_count = 100000")
        store.retry()
        assert not store.problem
        store.commit([Change(None, wide)], "ann", "", TIME, 0)
        assert store.head == 1


PROGRAM = """
import sys
from pathlib import Path
from lbdns.base.kinds import Kind
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.refusals import StoreError
from lbdns.manage.store.sqlite import Store
state = Path(sys.argv[1])
store = Store(state)
print(",".join(one.name for one in store.load()))
print(store.problem)
try:
    store.commit([Change(None, Item(Kind.POOL, "f" * 32, {"name": "f", "description": "f" * 8192}))], "", "", "", 2)
    print("stored")
except StoreError as error:
    print(error)
filling = state / "filling"
if filling.exists():
    filling.unlink()
    store.retry()
    print(f"then: {store.problem}")
    store.commit([Change(None, Item(Kind.POOL, "f" * 32, {"name": "f"}))], "", "", "", 2)
    print(",".join(one.name for one in store.load()))
"""


def on_disk(state: Path, *mounts: str) -> list[str]:
    """Return what PROGRAM prints in a mount namespace."""
    needs_namespaces()
    inside = " && ".join([*mounts, 'exec "$@"'])
    command = [*UNSHARE, "sh", "-c", inside, "sh", sys.executable, "-c", PROGRAM, str(state)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def killed(state: Path) -> None:
    """Leave the log and its index beside the file."""


def killed_without_index(state: Path) -> None:
    (state / "store.sqlite-shm").unlink()


def old(state: Path) -> None:
    as_of_version_1(state)


@pytest.mark.process
@pytest.mark.parametrize("before", [killed, killed_without_index, vanish_log, old])
def test_on_a_read_only_disk_all_that_was_committed_is_read(state: Path, before: Callable[[Path], None]) -> None:
    before(state)
    read, problem, refusal = on_disk(state, read_only(state))
    assert read == "a,b"
    assert problem == refusal == f"{store_of(state)}: nothing can be stored: Read-only file system"


@pytest.mark.process
@pytest.mark.parametrize("before", [killed, killed_without_index, vanish_log, old])
def test_on_a_full_disk_it_is_read_and_with_room_again_written(
    tmp_path: Path, state: Path, before: Callable[[Path], None]
) -> None:
    before(state)
    place = tmp_path / "disk"
    read, _, refusal, then, after = on_disk(place, small_disk(place, "512k", state), filled(place))
    assert read == "a,b" and then == "then: " and after == "a,b,f"
    assert refusal.startswith(f"{store_of(place)}: ")
    assert "full" in refusal or "disk I/O error" in refusal or "No space left" in refusal


@pytest.mark.parametrize("lose", [vanish, lose_the_file_alone])
def test_a_store_that_is_removed_while_it_is_served_is_written_back(state: Path, lose: Callable[[Path], None]) -> None:
    with contextlib.closing(Store(state)) as store:
        lose(state)
        store.commit([Change(None, item("c"))], "ann", "three", TIME, 2)
        lose(state)
        store.retry()
        assert not store.problem
        assert [one.name for one in store.load()] == ["a", "b", "c"]
    assert names(state) == ["a", "b", "c"]


def test_nothing_is_stored_where_another_file_is_in_the_place_of_the_store(state: Path) -> None:
    with contextlib.closing(Store(state)) as store:
        copy = state / "copy"
        shutil.copy(store_of(state), copy)
        copy.replace(store_of(state))
        with pytest.raises(StoreError, match="another file is in the place of the store: start lbdns again"):
            store.commit([Change(None, item("c"))], "ann", "three", TIME, 2)
        assert store.problem


def test_a_revision_that_cannot_be_read_is_said(state: Path) -> None:
    changed(state, "UPDATE changes SET after = '[\"no such kind\"]' WHERE revision = 2")
    with contextlib.closing(Store(state)) as store:
        with pytest.raises(StoreError, match="what revision 2 changed cannot be read"):
            store.revision(2)
        assert [one.name for one in store.load()] == ["a", "b"]
