"""Small stores in state directories, for tests of what is opened and what is not."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

from lbdns.base.kinds import Kind
from lbdns.config.loading import parse
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.sqlite import Store
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.publish.last_served import LastServedWriter
from lbdns.publish.publisher import Publisher
from tests.processes.load import configuration

TIME = "2026-11-21T10:00:00.000000Z"


def item(name: str) -> Item:
    return Item(Kind.POOL, f"{name:0>32}", {"name": name}, "", TIME, TIME, "xabcdef".index(name))


def small_state(tmp_path: Path) -> Path:
    """Return a state directory whose store has the pools "a", in the file, and "b", in the log beside it."""
    state = tmp_path / "state"
    with contextlib.closing(Store(state)) as store:
        store.commit([Change(None, item("a"))], "ann", "one", TIME, 0)
    kept = tmp_path / "kept"
    with contextlib.closing(Store(state)) as store:
        store.commit([Change(None, item("b"))], "ann", "two", TIME, 1)
        shutil.copytree(state, kept)  # as a process that is killed leaves it
    shutil.rmtree(state)
    return kept.rename(state)


def names(state: Path) -> list[str]:
    with contextlib.closing(Store(state)) as store:
        return [one.name for one in store.load()]


def serve(state: Path, source: str, revision: int | None = None) -> None:
    """Keep something as served last, of this revision of a store."""
    run = RunDirectory(state)
    try:
        publisher = Publisher(Control.create(run.control), run)
        read = parse(configuration(), state).configuration
        published = publisher.prepare(replace(read, store_revision=revision))
        LastServedWriter(state).keep(published, source, {}, 1.0)
    finally:
        run.remove()


def store_of(state: Path) -> Path:
    return state / "store.sqlite"


def changed(state: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(store_of(state))) as connection, connection:
        for statement in statements:
            connection.execute(statement)
