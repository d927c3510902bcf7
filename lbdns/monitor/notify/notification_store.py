"""What notifications keep on disk: alerts that are open, messages not yet sent, what was sent, how destinations do.

    open_alerts     what began and has not ended, so that its end carries the same correlation id
    outbox          what was accepted for a receiver and is not sent yet: it survives whatever becomes of the process
    history         what was sent, bounded by HISTORY_MAX and HISTORY_S
    destinations    when a destination of the API was last told something, and when that last failed

An alert and the messages that follow from it are written in one transaction, and so are the end of a message and its
line in the history. The monitor worker writes; the API reads, and writes how a test message went. A file that is
damaged is put aside, and another one begun.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple

from lbdns.base.errors import LbdnsError
from lbdns.base.words import NOTIFICATIONS_FILE
from lbdns.monitor.notify.alerts import Alert, Key
from lbdns.monitor.notify.delivery import Told

HISTORY_MAX: Final = 10_000
HISTORY_S: Final = 90 * 86_400.0
BODY_CHARS_MAX: Final = 64 * 1024
"""Of one message in the history."""
UNWRITTEN_MAX: Final = 1000
"""Lines of the history that are kept in memory while the disk refuses them."""
BUSY_S: Final = 5.0
"""How long a writer waits for another one."""
_DAMAGED: Final = ".damaged"
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS open_alerts (
    type TEXT, pool TEXT, endpoint TEXT, last TEXT, correlation_id TEXT, told TEXT,
    PRIMARY KEY (type, pool, endpoint, last)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, receiver TEXT, at_s REAL, told TEXT);
CREATE TABLE IF NOT EXISTS history (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, sent_s REAL, policy_id TEXT, name TEXT, description TEXT,
    alert_type TEXT, mechanism TEXT, mechanism_type TEXT, alert_body TEXT);
CREATE INDEX IF NOT EXISTS history_sent ON history (sent_s, number);
CREATE TABLE IF NOT EXISTS destinations (id TEXT PRIMARY KEY, last_success_s REAL, last_failure_s REAL) WITHOUT ROWID;
"""


class KeptAlert(NamedTuple):
    """A message of the outbox: its id, whose it is ("": nobody's yet), since when (unix seconds), and what it tells."""

    id: str
    receiver: str
    at_s: float
    told: Told


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent: a row of the history, as the v4 API has them. `sent_s` is unix seconds."""

    id: str
    sent_s: float
    policy_id: str
    name: str
    description: str
    alert_type: str
    mechanism: str
    mechanism_type: str
    alert_body: str


class Fared(NamedTuple):
    """When a destination was last told something, and when that last failed; unix seconds, 0 for never."""

    last_success_s: float = 0.0
    last_failure_s: float = 0.0


@dataclass(slots=True)
class NotificationChanges:
    """What is to be written at once."""

    alerts: dict[Key, tuple[str, str] | None] = field(default_factory=dict)  # None: it ended
    waiting: dict[str, KeptAlert] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)  # ids in the outbox
    sent: list[Sent] = field(default_factory=list)
    fared: dict[str, Fared] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.alerts or self.waiting or self.done or self.sent or self.fared)

    def end(self, id: str) -> None:
        """Take a message out of the outbox."""
        if self.waiting.pop(id, None) is None:
            self.done.add(id)

    def before(self, later: NotificationChanges) -> NotificationChanges:
        """Return these changes and later ones as one."""
        made = NotificationChanges(
            self.alerts | later.alerts,
            {id: one for id, one in (self.waiting | later.waiting).items() if id not in later.done},
            self.done | later.done,
            [*self.sent, *later.sent][-UNWRITTEN_MAX:],
            dict(self.fared),
        )
        for id, one in later.fared.items():
            made.fared[id] = _later(made.fared.get(id, Fared()), one)
        return made


class NotificationStore:
    """The file, for one process; its methods may be called from any thread, one at a time each."""

    def __init__(self, state_dir: Path) -> None:
        """Keep the file in `state_dir`; it is opened, and made, when it is first needed."""
        self._path = state_dir / NOTIFICATIONS_FILE
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def write(self, changes: NotificationChanges) -> None:
        """Write all of it or nothing; raises LbdnsError."""
        with self._using() as connection, connection:
            connection.executemany(
                "DELETE FROM open_alerts WHERE (type, pool, endpoint, last) = (?, ?, ?, ?)",
                [key for key, row in changes.alerts.items() if row is None],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO open_alerts VALUES (?, ?, ?, ?, ?, ?)",
                [(*key, *row) for key, row in changes.alerts.items() if row is not None],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO outbox (id, receiver, at_s, told) VALUES (?, ?, ?, ?)",
                [(one.id, one.receiver, one.at_s, _encoded(one.told)) for one in changes.waiting.values()],
            )
            connection.executemany("DELETE FROM outbox WHERE id = ?", [(id,) for id in changes.done])
            connection.executemany(
                "INSERT INTO history (id, sent_s, policy_id, name, description, alert_type, mechanism, mechanism_type,"
                " alert_body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(asdict(one).values()) for one in changes.sent],
            )
            if changes.sent:
                _bound(connection, changes.sent[-1].sent_s)
            connection.executemany(
                "INSERT INTO destinations VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " last_success_s = max(last_success_s, excluded.last_success_s),"
                " last_failure_s = max(last_failure_s, excluded.last_failure_s)",
                [(id, *one) for id, one in changes.fared.items()],
            )

    def load(self) -> tuple[dict[Key, tuple[str, str]], list[KeptAlert]]:
        """Return the open alerts, and the outbox from its oldest message on; raises LbdnsError."""
        with self._using() as connection:
            opened = {tuple(row[:4]): (row[4], row[5]) for row in connection.execute("SELECT * FROM open_alerts")}
            rows = connection.execute("SELECT id, receiver, at_s, told FROM outbox ORDER BY number").fetchall()
        waiting = [KeptAlert(id, receiver, at_s, told) for id, receiver, at_s, text in rows if (told := _decoded(text))]
        return opened, waiting

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _opened(self._path)
                yield self._connection
            except sqlite3.DatabaseError as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise LbdnsError(f"{self._path}: cannot keep notifications: {error}") from error
            except OSError as error:
                raise LbdnsError(f"{self._path}: cannot keep notifications: {error.strerror}") from error


def sent_between(
    state_dir: Path, since_s: float | None, before_s: float | None, number: int, per_page: int
) -> tuple[list[Sent], int]:
    """Return a page of what was sent, counted from 1, newest first, and how many there are in all; raises LbdnsError.

    `since_s` and `before_s` are unix seconds: newer than the one, older than the other.
    """
    where, values = "(? IS NULL OR sent_s > ?) AND (? IS NULL OR sent_s < ?)", (since_s, since_s, before_s, before_s)
    names = ", ".join(one.name for one in fields(Sent))
    with _reading(state_dir) as connection:
        if connection is None:
            return [], 0
        total = connection.execute(f"SELECT count(*) FROM history WHERE {where}", values).fetchone()[0]
        rows = connection.execute(
            f"SELECT {names} FROM history WHERE {where} ORDER BY sent_s DESC, number DESC LIMIT ? OFFSET ?",
            (*values, per_page, (number - 1) * per_page),
        ).fetchall()
    return [Sent(*row) for row in rows], total


def fared_of(state_dir: Path) -> dict[str, Fared]:
    """Return how the destinations do, by their ids; raises LbdnsError."""
    with _reading(state_dir) as connection:
        rows = () if connection is None else connection.execute("SELECT * FROM destinations").fetchall()
    return {id: Fared(success, failure) for id, success, failure in rows}


@contextlib.contextmanager
def _reading(state_dir: Path) -> Iterator[sqlite3.Connection | None]:
    """Open the file to read; None where there is none yet."""
    path = state_dir / NOTIFICATIONS_FILE
    if not path.exists():
        yield None
        return
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as it:
            yield it
    except sqlite3.DatabaseError as error:
        raise LbdnsError(f"{path}: cannot be read: {error}") from error


def _opened(path: Path) -> sqlite3.Connection:
    """Open the file, made where there is none; one that is damaged is put aside. Raises sqlite3.Error and OSError."""
    try:
        return _ready(path)
    except sqlite3.OperationalError:  # it is locked, or the disk refuses: nothing is wrong with what it holds
        raise
    except sqlite3.DatabaseError:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}{end}", f"{path}{_DAMAGED}{end}")
        return _ready(path)


def _ready(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _bound(connection: sqlite3.Connection, now_s: float) -> None:
    connection.execute("DELETE FROM history WHERE sent_s < ?", (now_s - HISTORY_S,))
    connection.execute(
        "DELETE FROM history WHERE number <= (SELECT max(number) FROM history) - ?",
        (HISTORY_MAX,),
    )


def _later(one: Fared, other: Fared) -> Fared:
    return Fared(max(one.last_success_s, other.last_success_s), max(one.last_failure_s, other.last_failure_s))


def _encoded(told: Told) -> str:
    alert, balancers = told
    return json.dumps({"alert": asdict(alert), "balancers": list(balancers)}, ensure_ascii=False)


def _decoded(text: str) -> Told | None:
    """Return what a row of the outbox tells, None where another release wrote it in another form."""
    known = {one.name for one in fields(Alert)}
    try:
        found: Any = json.loads(text)
        return Alert(**{key: value for key, value in found["alert"].items() if key in known}), found["balancers"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def destination_fared(state_dir: Path, rows: Iterable[tuple[str, Fared]]) -> None:
    """Note how destinations did; raises LbdnsError."""
    store = NotificationStore(state_dir)
    try:
        store.write(NotificationChanges(fared=dict(rows)))
    finally:
        store.close()
