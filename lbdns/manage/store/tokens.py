"""API tokens: made once, shown once, kept as a hash. A token has 256 bits of chance, so a plain hash is enough."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import Final

from lbdns.base.errors import LbdnsError
from lbdns.manage.store.item import new_id, time_text
from lbdns.manage.store.token_scopes import TokenScopes

TOKEN_BYTES: Final = 32  # 43 characters of [0-9A-Za-z_-]: within what clients of the v4 API accept, 40 to 80
NAME_CHARS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; not the token itself."""

    id: str
    name: str
    scopes: TokenScopes
    created_on: str

    @property
    def scope(self) -> str:
        """Its scopes in one text."""
        return str(self.scopes)


class Tokens:
    """The tokens of a store."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock) -> None:
        self._connection = connection
        self._lock = lock
        self._known: list[tuple[bytes, Token]] | None = None

    def create(self, name: str, *scopes: str) -> tuple[str, Token]:
        """Make a token and return its text, which is not kept, and what is; raises LbdnsError."""
        may = TokenScopes.parse(scopes)
        if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
            raise LbdnsError(f"a token's name has 1 to {NAME_CHARS_MAX} printable characters")
        text = secrets.token_urlsafe(TOKEN_BYTES)
        row = (new_id(), name, str(may), _hash(text).hex(), time_text(time.time()))
        with self._lock:
            try:
                self._connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise LbdnsError(
                    f'there is a token "{name}" already; revoke it first, or choose another name'
                ) from None
            except sqlite3.Error as error:
                raise LbdnsError(f"the store failed: {error}") from error
            self._known = None
        return text, Token(row[0], name, may, row[4])

    def all(self) -> list[Token]:
        """Return every token, oldest first."""
        return [token for _, token in self._load()]

    def revoke(self, name: str) -> Token:
        """Delete a token by its name or id; raises LbdnsError where there is none."""
        found = next((token for token in self.all() if name in (token.name, token.id)), None)
        if found is None:
            raise LbdnsError(f'there is no token "{name}"')
        with self._lock:
            self._connection.execute("DELETE FROM tokens WHERE id = ?", (found.id,))
            self._known = None
        return found

    def find(self, text: str) -> Token | None:
        """Return what is known of a token's text, or None; takes the same time whether and whichever is found."""
        digest = _hash(text)
        found = None
        for known, token in self._load():
            if hmac.compare_digest(known, digest):
                found = token
        return found

    def _load(self) -> list[tuple[bytes, Token]]:
        known = self._known
        if known is not None:  # without the lock: whoever asks need not wait for a commit
            return known
        with self._lock:
            if self._known is None:
                rows = self._connection.execute(
                    "SELECT id, name, scope, created_on, hash FROM tokens ORDER BY created_on, name"
                )
                self._known = [
                    (bytes.fromhex(hash), Token(id, name, TokenScopes.parse(scope.split()), created_on))
                    for id, name, scope, created_on, hash in rows
                ]
            return self._known


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
