"""An entry of the stream: what one machine changed, as all of them take it.

    {"v": 1, "id": ..., "by": "AMS-1", "follows": 812, "revision": 341, "sum": ..., "given_out": 0,
     "revisions": [[341, time, author, message, update, [ROW or ID, ...]]], "tokens": [ROW or ID, ...]}

Entries are a chain: each names the sequence of the one before it (0: it is the first), which is what it was appended
against. A machine that takes them one after another has missed none. A ROW is what is stored of an object or a token,
an ID one that is gone; bodies are texts, so that a machine stores what it cannot read and changes no octet of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from lbdns.fleet.fleet_document import BadDocument
from lbdns.fleet.replica.message_parts import Framed, framed

ObjectRow = tuple[str, str, str, str, str, str, int, str, int]
"""id, kind, zone id, body, made, changed, revision, disabled at, is local."""
TokenRow = tuple[str, str, str, str, str]
"""id, name, scope, hash, made."""
_OBJECT_ROW: Final = (str, str, str, str, str, str, int, str, int)
_TOKEN_ROW: Final = (str, str, str, str, str)
_SUM_DIGITS: Final = 32
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class SentRevision:
    """A revision: its number, when, by whom, why; objects as it leaves them, or the ids of those that it deleted.

    `update`: what tells the dynamic update that it is from all others; "" where it is none.
    """

    number: int
    time: str
    author: str
    message: str
    changes: tuple[ObjectRow | str, ...] = ()
    update: str = ""


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """What one machine (`by`) changed: revisions, tokens, or nothing, which begins a stream.

    `follows`: the sequence of the entry before it. After it the newest revision is `revision`, and the state has this
    `sum`. `given_out`: the number of the last address that was given out, 0 where that stays.
    """

    id: str
    by: str
    follows: int
    revision: int
    sum: int
    revisions: tuple[SentRevision, ...] = ()
    tokens: tuple[TokenRow | str, ...] = ()
    given_out: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """An entry with the sequence at which it stands, and how many octets it took."""

    sequence: int
    entry: StreamEntry
    octets: int = 0


def encode_entry(entry: StreamEntry) -> Framed:
    """Return an entry as messages; raises BadDocument where it is too large."""
    revisions = [
        [one.number, one.time, one.author, one.message, one.update, list(one.changes)] for one in entry.revisions
    ]
    values = {
        "by": entry.by,
        "follows": entry.follows,
        "revision": entry.revision,
        "sum": sum_text(entry.sum),
        "revisions": revisions,
        "tokens": list(entry.tokens),
        "given_out": entry.given_out,
    }
    return framed(entry.id, values)


def decode_entry(said: Mapping[str, Any]) -> StreamEntry:
    """Return the entry that a document is; raises BadDocument."""

    def read() -> StreamEntry:
        return StreamEntry(
            id=text_in(said, "id"),
            by=text_in(said, "by"),
            follows=number_in(said, "follows"),
            revision=number_in(said, "revision"),
            sum=int(text_in(said, "sum"), 16),
            revisions=tuple(_revision(one) for one in said.get("revisions", ())),
            tokens=tuple(one if isinstance(one, str) else token_row(one) for one in said.get("tokens", ())),
            given_out=number_in(said, "given_out", 0),
        )

    return read_soundly("an entry of the stream", read)


def read_soundly(what: str, read: Callable[[], _Read]) -> _Read:
    """Return what is read of a document; raises BadDocument where that has not its form."""
    try:
        return read()
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BadDocument(f"{what} cannot be read: {error!r}") from None


def sum_text(value: int) -> str:
    """Return a sum as documents have it."""
    return f"{value:0{_SUM_DIGITS}x}"


def object_row(values: Sequence[Any]) -> ObjectRow:
    """Return the row of an object; raises TypeError."""
    return _row(values, _OBJECT_ROW)


def token_row(values: Sequence[Any]) -> TokenRow:
    """Return the row of a token; raises TypeError."""
    return _row(values, _TOKEN_ROW)


def number_in(said: Mapping[str, Any], key: str, otherwise: int | None = None) -> int:
    """Return a number of a document; raises TypeError and KeyError."""
    value = said[key] if otherwise is None else said.get(key, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{key} is no number")
    return value


def text_in(said: Mapping[str, Any], key: str) -> str:
    """Return a text of a document; raises TypeError and KeyError."""
    value = said[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _revision(values: Sequence[Any]) -> SentRevision:
    number, *texts, changes = values[:6]
    time, author, message, update = texts
    if not isinstance(number, int) or not all(isinstance(one, str) for one in texts):
        raise TypeError("a revision has other values than it is to have")
    rows = tuple(one if isinstance(one, str) else object_row(one) for one in changes)
    return SentRevision(number, time, author, message, rows, update)


def _row(values: Sequence[Any], types: Sequence[type]) -> tuple[Any, ...]:
    """Return the columns that this release knows; a later one may send more of them."""
    row = tuple(values[: len(types)])
    if len(row) < len(types) or not all(isinstance(one, kind) for one, kind in zip(row, types, strict=True)):
        raise TypeError("a row has other values than it is to have")
    return row
