"""How the history stands, read from its file: for `lbdns status`, metrics, the API and whoever reads it."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from lbdns.base.errors import LbdnsError
from lbdns.telemetry.history.history_file import (
    HistoryDamaged,
    HistoryNewer,
    file_bytes,
    history_path,
    open_for_reading,
)
from lbdns.telemetry.history.history_spans import HistorySpans


class HistoryUnreadable(LbdnsError):
    """A history that cannot be read just now."""


def unreadable(error: Exception) -> HistoryUnreadable:
    """Return what to raise where a file could not be read."""
    return HistoryUnreadable(f"the history cannot be read: {error}")


def history_status(state_dir: Path) -> dict[str, Any]:
    """Return how a history stands, as plain values: whether there is a file, its bytes and rows, since when each step
    is kept, when it was written last (unix seconds), and how much of what was lost.

    Raises HistoryUnreadable.
    """
    path = history_path(state_dir)
    found: dict[str, Any] = {
        "exists": False,
        "bytes": file_bytes(path),
        "rows": 0,
        "since": None,
        "written": None,
        "age_s": None,
        "steps": {},
        "samples": {"rows": 0, "since": None},
        "events": {"rows": 0, "since": None},
        "lost": {},
    }
    try:
        connection = open_for_reading(path)
        if connection is None:
            return found
        with closing(connection):
            return found | _read(connection)
    except (OSError, sqlite3.Error, HistoryDamaged, HistoryNewer) as error:
        raise unreadable(error) from error


def _read(connection: sqlite3.Connection) -> dict[str, Any]:
    facts = dict(connection.execute("SELECT name, value FROM facts WHERE name IN ('rows', 'written_s', 'lost')"))
    spans = HistorySpans(connection)
    samples = connection.execute("SELECT coalesce(sum(rows), 0), min(first_s) FROM samples").fetchone()
    events = connection.execute("SELECT count(*), min(at_s) FROM events").fetchone()
    written_s = facts.get("written_s")
    return {
        "exists": True,
        "rows": facts.get("rows", 0),
        "since": spans.oldest_s,
        "written": written_s,
        "age_s": None if written_s is None else max(time.time() - written_s, 0.0),
        "steps": {str(step_s): first_s for step_s, first_s in spans.kept_since.items()},
        "samples": {"rows": samples[0], "since": samples[1]},
        "events": {"rows": events[0], "since": events[1]},
        "lost": json.loads(facts.get("lost", "{}")),
    }
