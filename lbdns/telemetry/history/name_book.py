"""The names of a history by number: texts are stored once, blocks have their numbers. 0 is no name."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

NOTHING: Final = 0
Name = tuple[str, ...]
_BATCH: Final = 500  # parameters of one statement


class _Numbers(dict[Name, int]):
    """Numbers by name; a name that has none gets one when it is looked up. `new`: those, with their texts."""

    def __init__(self, known: Iterable[tuple[Name, int]]) -> None:
        super().__init__(known)
        self._last = max(self.values(), default=NOTHING)
        self.new: list[tuple[int, str]] = []

    def __missing__(self, name: Name) -> int:
        if not any(name):
            return NOTHING
        self._last += 1
        self[name] = self._last
        self.new.append((self._last, text_of(name)))
        return self._last


class NameBook:
    """The names that the writer knows; those that are new are in the file with its next transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read those of a file."""
        known = connection.execute("SELECT id, text FROM names")
        self._numbers = _Numbers((name_in(text), number) for number, text in known)

    def ids_of(self, names: Iterable[Name]) -> tuple[int, ...]:
        """Return the numbers of names, new ones of those that have none."""
        return tuple(map(self._numbers.__getitem__, names))

    def write(self, connection: sqlite3.Connection, now_s: float) -> None:
        """Write what is new, in a transaction of the caller; `written` follows once that is through."""
        rows = [(number, text, int(now_s)) for number, text in self._numbers.new]
        connection.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", rows)

    def written(self) -> None:
        """Take it that what was new is in the file."""
        self._numbers.new.clear()

    def note_used(self, connection: sqlite3.Connection, numbers: Iterable[int], at_s: int) -> None:
        """Note that some names were used at a time: who is not for as long as anything is kept is forgotten."""
        rows = [(at_s, number) for number in numbers]
        connection.executemany("UPDATE names SET used_s = max(used_s, ?) WHERE id = ?", rows)

    def forget(self, connection: sqlite3.Connection, before_s: int) -> None:
        """Forget names that nothing has used since."""
        gone = {number for (number,) in connection.execute("SELECT id FROM names WHERE used_s < ?", (before_s,))}
        if gone:
            connection.execute("DELETE FROM names WHERE used_s < ?", (before_s,))
            for name in [name for name, number in self._numbers.items() if number in gone]:
                del self._numbers[name]


def text_of(name: Name) -> str:
    """Return a name as it stands in the file."""
    return json.dumps(name, ensure_ascii=False, separators=(",", ":"))


def name_in(text: str) -> Name:
    """Return the name of a text in the file."""
    return tuple(json.loads(text))


def names_of(connection: sqlite3.Connection, numbers: Iterable[int]) -> Mapping[int, Name]:
    """Return the names of some numbers; those that are none lack."""
    wanted = sorted(set(numbers))
    found: dict[int, Name] = {NOTHING: ()}
    for start in range(0, len(wanted), _BATCH):
        some = wanted[start : start + _BATCH]
        marks = ",".join("?" * len(some))
        for number, text in connection.execute(f"SELECT id, text FROM names WHERE id IN ({marks})", some):
            found[number] = name_in(text)
    return found


def ids_beginning(connection: sqlite3.Connection, begin: Name) -> list[int]:
    """Return the numbers of the names that begin with some texts, those that are no longer among them."""
    whole = text_of(begin)
    first, last = f"{whole[:-1]},", f"{whole[:-1]}-"  # the character after the comma
    query = "SELECT id FROM names WHERE text = ? OR (text >= ? AND text < ?)"
    return [number for (number,) in connection.execute(query, (whole, first, last))]
