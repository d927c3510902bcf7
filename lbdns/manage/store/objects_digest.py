"""What tells the objects of a store from all others, whoever wrote them and by whatever means.

Its revision alone does not: a file that somebody has open by other means than lbdns may be changed without one.
"""

from __future__ import annotations

import contextlib
import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Final

from lbdns.base.words import STORE_FILE
from lbdns.manage.store.opening import as_it_lies
from lbdns.manage.store.versions import VERSION

_DIGEST_BYTES: Final = 16
_ROWS: Final = (
    "SELECT max(position), group_concat(row, '') FROM (SELECT position, json_array(position, id, kind, zone_id, body, "
    "created_on, modified_on, revision, disabled_at, is_local) AS row FROM objects WHERE position > ? "
    "ORDER BY position LIMIT 2000)"
)
"""Many rows as one text: SQLite makes it without the interpreter, so that whoever loads modules meanwhile goes on."""
_BEFORE_ALL: Final = -(2**63)
_META: Final = "SELECT json_array(key, value) FROM meta WHERE key = 'account_id'"


def objects_digest(state_dir: Path, revision: int | None) -> str:
    """Return a digest of the objects of a state directory's store, and of the account that they are of, as the file
    has them; "" where its newest revision is not this one, or it cannot be read as one of this version."""
    try:
        with contextlib.closing(as_it_lies(state_dir / STORE_FILE)) as connection:
            connection.execute("BEGIN")  # one state of the file for all that is asked
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            head = connection.execute("SELECT coalesce(max(number), 0) FROM revisions").fetchone()[0]
            if (version, head) != (VERSION, revision):
                return ""
            digest = blake2b(str(head).encode(), digest_size=_DIGEST_BYTES)
            for (row,) in connection.execute(_META):
                digest.update(row.encode())
            last, rows = connection.execute(_ROWS, (_BEFORE_ALL,)).fetchone()
            while rows is not None:
                digest.update(rows.encode())
                last, rows = connection.execute(_ROWS, (last,)).fetchone()
            return digest.hexdigest()
    except (OSError, ValueError, TypeError, AttributeError, sqlite3.Error):
        return ""
