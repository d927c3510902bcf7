"""Master-file text -> entries: the tokens of one record or directive each, comments and parentheses undone.

RFC 1035 section 5.1. An entry is one line, or several where parentheses join them. A token keeps its quotes and
escapes; what they mean depends on the record's type. A mistake costs its own entry only: reading goes on at the next
line. Quotes behind "=" are part of a word, as the parameters of SVCB have them: alpn="h2,h3" (RFC 9460).

    "www  300 IN A 192.0.2.1 ; web"     ->  Entry(7, False, ["www", "300", "IN", "A", "192.0.2.1"])
    "     MX 10 mail"                   ->  Entry(8, True, ["MX", "10", "mail"])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

BLOCK_CHARS: Final = 1 << 16
"""So much of a text is split into lines at once: the lines of a whole zone would take several times its size."""


class Entry(NamedTuple):
    """One record or directive: its first line, whether white space stands before its first token, and its tokens."""

    line: int
    is_indented: bool
    tokens: list[str]


_SPECIAL = re.compile(r'[();"\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[^\x00-\x7f]')
"""What a line without any of can be split at white space alone."""
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r]+)
    | (?P<comment>;.*)
    | (?P<bracket>[()])
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<open>")
    | (?P<word>(?:="(?:[^"\\]|\\.)*"|[^ \t\r();"\\]|\\.|\\$)+)
    """,
    re.VERBOSE,
)


CLASS = re.compile(r"IN|CH|HS|CS|CLASS[0-9]{1,5}", re.IGNORECASE | re.ASCII)
_QUOTE_ESCAPE = re.compile(r"\\(.)")


def is_before_type(token: str) -> bool:
    """Tell whether a token behind the owner is a TTL or a class, not yet the type."""
    return token[0].isdigit() or CLASS.fullmatch(token) is not None


def unquoted(token: str) -> str:
    """Return what stands in quotes: `\\"` is a quote, all other escapes stay, for whoever reads it."""
    return _QUOTE_ESCAPE.sub(lambda found: '"' if found[1] == '"' else found[0], token[1:-1])


def split_tokens(text: str) -> list[str]:
    """Return the tokens of one line of text; raises ValueError where quotes or parentheses do not match."""
    if not _SPECIAL.search(text):
        return text.split()

    def refuse(line: int, message: str) -> None:
        raise ValueError(f"in {text}: {message}")

    return [token for entry in scan_entries(text, refuse) for token in entry.tokens]


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text without their newlines, as `split` makes them."""
    at = 0
    while (end := text.find("\n", at + BLOCK_CHARS)) >= 0:
        yield from text[at:end].split("\n")
        at = end + 1
    yield from text[at:].split("\n")


def scan_entries(text: str, report: Callable[[int, str], None]) -> Iterator[Entry]:
    """Yield the entries of a master file; `report(line, message)` hears of those that cannot be read."""
    pending: _Pending | None = None
    for number, line in enumerate(lines_of(text), 1):
        if pending is None and not _SPECIAL.search(line):
            tokens = line.split()
            if tokens:
                yield Entry(number, line[0] in " \t", tokens)
            continue
        if pending is None:
            if line.lstrip(" \t\r").startswith(";"):
                continue  # by itself, as a file may be comments for the most part
            pending = _Pending(number, line[0] in " \t")
        pending.add(number, line, report)
        if pending.depth == 0:
            if pending.tokens and pending.is_whole:
                yield Entry(pending.line, pending.is_indented, pending.tokens)
            pending = None
    if pending is not None:
        report(pending.bracket_line, 'the "(" in this line is not closed; everything behind it was left unread')


class _Pending:
    """An entry that is being read, line by line while parentheses are open."""

    def __init__(self, line: int, is_indented: bool) -> None:
        self.line = line
        self.is_indented = is_indented
        self.tokens: list[str] = []
        self.depth = 0
        self.bracket_line = line
        self.is_whole = True

    def add(self, number: int, line: str, report: Callable[[int, str], None]) -> None:
        """Take the tokens of one more line."""
        for found in _TOKEN.finditer(line):
            kind = found.lastgroup
            if kind in ("word", "quoted"):
                if not self.tokens and self.depth == 0:
                    self.line = number
                self.tokens.append(found[0])
            elif kind == "bracket":
                self._bracket(found[0], number, report)
            elif kind == "open":
                report(number, "the quotes opened in this line are not closed in it")
                self.is_whole = False
                return

    def _bracket(self, bracket: str, number: int, report: Callable[[int, str], None]) -> None:
        if bracket == "(":
            if self.depth == 0:
                self.bracket_line = number
            self.depth += 1
        elif self.depth:
            self.depth -= 1
        else:
            report(number, 'a ")" closes nothing; no "(" is open')
            self.is_whole = False
