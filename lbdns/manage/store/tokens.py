"""API tokens: made once, shown once, kept as a hash. A token has 256 bits of chance, so a plain hash is enough."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lbdns.base.errors import LbdnsError
from lbdns.manage.store.item import new_id, time_text
from lbdns.manage.store.token_scopes import TokenScopes

TOKEN_BYTES: Final = 32  # 43 characters of [0-9A-Za-z_-]: within what clients of the v4 API accept, 40 to 80
NAME_CHARS_MAX: Final = 100
TokenColumns = tuple[str, str, str, str, str]
"""A token's row: id, name, scopes, hash, when it was made."""

log = logging.getLogger("lbdns.store")


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


class Database(Protocol):
    """What the tokens are kept in."""

    def reading(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Read; raises StoreError."""

    def writing(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Write all or nothing; raises StoreError."""


class Tokens:
    """The tokens of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: list[tuple[bytes, Token]] | None = None
        # Changes rows, or deletes them by id, where that goes another way than into the database alone.
        self.road: Callable[[Sequence[TokenColumns | str]], bool] = lambda changes: False

    def create(self, name: str, *scopes: str) -> tuple[str, Token]:
        """Make a token and return its text, which is not kept, and what is; raises LbdnsError."""
        may = TokenScopes.parse(scopes)
        if not 0 < len(name) <= NAME_CHARS_MAX or not name.isprintable():
            raise LbdnsError(f"a token's name has 1 to {NAME_CHARS_MAX} printable characters")
        text = secrets.token_urlsafe(TOKEN_BYTES)
        row = (new_id(), name, str(may), _hash(text).hex(), time_text(time.time()))
        if not self.road([row]):
            with self._database.writing() as connection:
                try:
                    connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)
                except sqlite3.IntegrityError:
                    raise is_taken(name) from None
        self.forget()
        return text, Token(row[0], name, may, row[4])

    def all(self) -> list[Token]:
        """Return every token, oldest first."""
        return [token for _, token in self._load()]

    def held(self, id: str) -> Token | None:
        """Return what is known of the token of an id, or None."""
        return next((token for token in self.all() if token.id == id), None)

    def revoke(self, name: str) -> Token:
        """Delete a token by its name or id; raises LbdnsError where there is none."""
        found = next((token for token in self.all() if name in (token.name, token.id)), None)
        if found is None:
            raise LbdnsError(f'there is no token "{name}"')
        if not self.road([found.id]):
            with self._database.writing() as connection:
                connection.execute("DELETE FROM tokens WHERE id = ?", (found.id,))
        self.forget()
        return found

    def forget(self) -> None:
        """Read them anew: they have changed."""
        self._known = None

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
        with self._database.reading() as connection:
            rows = connection.execute("SELECT id, name, scope, created_on, hash FROM tokens ORDER BY created_on, name")
            found = []
            for id, name, scope, created_on, digest in rows:
                try:
                    token = Token(id, name, TokenScopes.parse(scope.split()), created_on)
                    found.append((bytes.fromhex(digest), token))
                except (ValueError, TypeError, AttributeError, LbdnsError) as error:
                    told = "the token %r cannot be read, and lets nobody in: %s; `lbdns token revoke %s` removes it"
                    log.error(told, name, error, id)
                    found.append((b"", Token(str(id), str(name), TokenScopes(()), str(created_on))))
            self._known = found
        return found


def is_taken(name: str) -> LbdnsError:
    """Return the refusal of a token whose name another one has."""
    return LbdnsError(f'there is a token "{name}" already; revoke it first, or choose another name')


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
