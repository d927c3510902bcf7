"""Row 12: a store that is damaged, gone or newer when the server starts: the last served snapshot serves meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from lbdns.base.words import STORE_FILE
from lbdns.testing import ServerError
from tests.faults.fault import Fault, Seen
from tests.faults.rig import STORE

KEPT_S = 1.5  # what is served is kept by then


def overwritten(path: Path, random: Random) -> None:
    """Write random octets over a part of it."""
    with path.open("r+b") as file:
        file.seek(random.randrange(path.stat().st_size // 2))
        file.write(random.randbytes(random.randrange(1000, 100_000)))


def no_database(path: Path, random: Random) -> None:
    """Put something else in its place."""
    path.write_bytes(random.randbytes(random.randrange(1, 10_000)))


def cut(path: Path, random: Random) -> None:
    """Cut its end off."""
    os.truncate(path, random.randrange(1, path.stat().st_size))


def empty(path: Path, _: Random) -> None:
    """Leave nothing in it."""
    os.truncate(path, 0)


def gone(path: Path, _: Random) -> None:
    """Remove it."""
    path.unlink()


def broken_json(path: Path, random: Random) -> None:
    """Break one object's JSON."""
    _update(path, random, "{" + '"' * random.randrange(1, 5))


def refused_object(path: Path, random: Random) -> None:
    """Give one object a body that is refused."""
    _update(path, random, random.choice(['{"name": 7}', "[]", '{"origins": "none"}', "null"]))


def _update(path: Path, random: Random, body: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        ids = [
            one for (one,) in store.execute("SELECT id FROM objects WHERE kind NOT LIKE '%record%' ORDER BY position")
        ]
        store.execute("UPDATE objects SET body = ? WHERE id = ?", (body, random.choice(ids)))


def without_revisions(path: Path, random: Random) -> None:
    """Delete its revisions, all or one between others."""
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute(random.choice(["DELETE FROM revisions", "DELETE FROM revisions WHERE number = 1"]))


def without_objects(path: Path, random: Random) -> None:
    """Delete its objects, or some."""
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        store.execute(random.choice(["DELETE FROM objects", "DELETE FROM objects WHERE kind = 'pool'"]))


def newer(path: Path, _: Random) -> None:
    """Have it say that a later release made it."""
    with contextlib.closing(sqlite3.connect(path)) as store, store:
        (version,) = store.execute("PRAGMA user_version").fetchone()
        store.execute(f"PRAGMA user_version = {version + 1000}")
        for key in ("format", "version"):
            store.execute("UPDATE meta SET value = '1000' WHERE key = ?", (key,))


DAMAGES: tuple[Callable[[Path, Random], None], ...] = (
    overwritten, no_database, cut, empty, gone, broken_json, refused_object, newer, without_revisions, without_objects
)  # fmt: skip


class StoreDamaged(Fault):
    """The store is damaged between two starts: what was served is served on, and the log says what is wrong."""

    row = 12
    kinds = (STORE,)
    breaks_connections = True
    hold_s = 1.0
    recovers_s = 15.0
    damage: Callable[[Path, Random], None]

    def inject(self) -> None:
        time.sleep(KEPT_S)
        self._path = self.rig.server.state_dir / STORE_FILE
        self._good = self._path.parent.parent / "good"
        self._refused = ""
        self.rig.end(graceful=self.random.random() < 0.5)
        self._good.mkdir(exist_ok=True)
        for path in self._files():
            shutil.copy2(path, self._good / path.name)
        with contextlib.closing(sqlite3.connect(self._path)) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._said = len(self.rig.server.log)
        type(self).damage(self._path, self.random)
        try:
            self.rig.begin()
        except ServerError as error:
            self._refused = str(error)

    def _files(self) -> list[Path]:
        return list(self._path.parent.glob(f"{STORE_FILE}*"))

    def while_held(self) -> list[Seen]:
        said = self.rig.server.log[self._said :]
        warnings = [line for line in said.splitlines() if " warning " in line or " error " in line]
        told = [line for line in warnings if "store" in line or "objects" in line]
        return [
            Seen("it starts and serves", not self._refused, self._refused[-300:] or "it does"),
            Seen("the log says what is wrong", bool(told), (told or warnings or ["nothing"])[0][26:160]),
        ]

    def heal(self) -> None:
        with contextlib.suppress(ServerError):
            self.rig.end(graceful=not self._refused)
        for path in self._files():
            path.unlink()
        for path in self._good.iterdir():
            shutil.copy2(path, self._path.parent / path.name)
        self.rig.begin()
        self.rig.store.wait_for_api()


def _of(damage: Callable[[Path, Random], None]) -> type[StoreDamaged]:
    """Return the fault of one damage."""
    name = "Store" + "".join(word.capitalize() for word in damage.__name__.split("_"))
    words = f"store over a restart: {damage.__name__.replace('_', ' ')}"
    return type(name, (StoreDamaged,), {"what": words, "damage": staticmethod(damage), "__doc__": damage.__doc__})


STORE_FAULTS = tuple(map(_of, DAMAGES))
