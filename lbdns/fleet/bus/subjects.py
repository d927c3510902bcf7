"""The names that things have on the bus.

obs.<machine>       observations                                    orders.<machine>    forced states
all.<machine>       asks a machine for all that it observed         here.<machine>      how a machine stands
ask.<machine>       asks a machine anything else
cfg.rev, cfg.base                                                   in the stream, and followed
dump.<id>.<n>                                                       in the stream: parts of what is larger than one
new.<...>                                                           what was appended below cfg., as it is stored
"""

from __future__ import annotations

from typing import Final

from lbdns.base.errors import LbdnsError

REVISION: Final = "cfg.rev"
BASE: Final = "cfg.base"
FOLLOWED: Final = "cfg.>"
STORED: Final = ("cfg.>", "dump.>")
"""The subjects of the stream."""
NEWS: Final = "new"
"""What stands before a subject of the stream where the stream tells that it has a message more."""


def dump_subject(id: str, number: int) -> str:
    """Return the subject of a part of a base, or of a change that is larger than a message."""
    return f"dump.{checked_word(id)}.{number}"


def machine_subject(kind: str, machine: str) -> str:
    """Return the subject of a kind (`obs`, `orders`, `all`, `here`, `ask`) that is a machine's."""
    return f"{kind}.{checked_word(machine)}"


def checked_word(word: str) -> str:
    """Return a word as it may stand in a subject: a name with dots or blanks would be lost without an error."""
    if not word or not all(one.isascii() and (one.isalnum() or one in "-_") for one in word):
        raise LbdnsError(f'"{word}" is no word of a subject: letters, digits, "-" and "_"')
    return word


class SubjectSpace:
    """The subjects of one fleet: with its prefix, and without."""

    def __init__(self, fleet_id: str) -> None:
        self._prefix = f"lbdns.{checked_word(fleet_id)}."
        self.stream_name = f"LBDNS-{fleet_id}"

    def full(self, subject: str) -> str:
        """Return a subject as the bus has it."""
        return self._prefix + subject

    def short(self, subject: str) -> str:
        """Return a subject of the bus as this house has it."""
        return subject.removeprefix(self._prefix)
