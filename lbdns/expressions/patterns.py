"""Patterns: regular expressions in RE2's syntax and time, and wildcards.

Both look at bytes. RE2 is told that they are Latin-1, in which every byte is a character: with its own default, UTF-8,
`.` would not match a byte such as \\xff. It is told to keep silent as well, as it would write what is wrong with a
pattern to standard error itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from lbdns.expressions.tree import wildcard_parts

PATTERN_BYTES_MAX: Final = 1 << 20
"""Memory that a pattern and its states may take; where these need more, RE2 goes slower, still in linear time."""
_KEPT_PATTERNS: Final = 1024

_EXPECTED: Final = {
    "missing )": 'expected ")" for each "("',
    "unexpected )": 'expected "(" before it, or "\\)" for the character',
    "missing ]": 'expected "]" at the end of the class',
    "invalid perl operator": (
        "expected (?: ), (?P<name> ) or the flags i, m, s, U; there is no look-around, which is not linear in time"
    ),
    "invalid escape sequence": (
        "expected an escape of RE2's syntax; there are no back-references, which are not linear in time"
    ),
    "trailing \\": "expected a character behind the backslash",
    "invalid repetition size": "expected {n}, {n,} or {n,m}, and 1000 repetitions at most, inner ones multiplied",
    "bad repetition operator": "expected something to repeat between the two",
    "no argument for repetition operator": "expected something to repeat before it",
    "invalid character class range": "expected the lower end first in a range, or a class of RE2's syntax",
    "pattern too large - compile failed": "expected fewer repetitions",
}
"""What RE2 says -> what would be right."""


class PatternError(ValueError):
    """A pattern that is none: a sentence, and how many bytes behind its beginning it is about."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def _options() -> Any:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = True
    options.max_mem = PATTERN_BYTES_MAX
    return options


@lru_cache(_KEPT_PATTERNS)
def searcher(pattern: bytes) -> Callable[[bytes], object]:
    """Return the function that looks for a regular expression in bytes: what it found, else None.

    Raises PatternError where it is none.
    """
    import re2

    try:
        found: Callable[[bytes], object] = re2.compile(pattern, _options()).search
    except re2.error as error:
        raise _told(pattern, _reason(error)) from None
    return found


def _reason(error: Exception) -> bytes:
    reason = error.args[0]
    return reason if isinstance(reason, bytes) else str(reason).encode()


def _told(pattern: bytes, reason: bytes) -> PatternError:
    """Return RE2's reason with the place that it is about, which it tells by quoting what stands there."""
    what, _, about = reason.decode("latin-1").partition(": ")
    expected = _EXPECTED.get(what, "")
    offset = _offset(pattern, reason, what, about.encode("latin-1"))
    shown = f'"{_printable(about)}": ' if about and len(about) < len(pattern) else ""
    return PatternError(f"no regular expression: {shown}{what}{'; ' if expected else ''}{expected}", offset)


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _offset(pattern: bytes, reason: bytes, what: str, about: bytes) -> int:
    if what == "missing )":
        return len(pattern)
    if what == "unexpected )":
        return _first_failing(pattern, reason, b")")
    if not about:
        return len(pattern) - 1 if what == "trailing \\" else 0
    return _first_failing(pattern, reason, about)


def _first_failing(pattern: bytes, reason: bytes, about: bytes) -> int:
    """Return where what RE2 quotes stands: the first place up to which the pattern fails for the same reason.

    RE2 reads from left to right, so what goes on behind its mistake does not change what it says.
    """
    places = [place for place in range(len(pattern)) if pattern.startswith(about, place)]
    first = bisect_left(places, True, key=lambda place: _fails(pattern[: place + len(about)], reason))
    return places[min(first, len(places) - 1)] if places else 0


def _fails(pattern: bytes, reason: bytes) -> bool:
    import re2

    try:
        re2.compile(pattern, _options())
    except re2.error as error:
        return _reason(error).partition(b": ")[0] == reason.partition(b": ")[0]
    return False


def check_wildcard(pattern: bytes) -> None:
    """Raise PatternError where a wildcard has two asterisks in a row, or a backslash before anything but * and \\."""
    at = 0
    while at < len(pattern):
        if pattern[at : at + 2] == b"**":
            raise PatternError('"**" is no wildcard; expected one *, which stands for any text', at)
        if pattern[at] == ord("\\"):
            if pattern[at + 1 : at + 2] not in (b"*", b"\\"):
                raise PatternError(r"expected * or \ behind a backslash in a wildcard", at)
            at += 1
        at += 1


def is_like(text: bytes, pattern: bytes, strict: bool) -> bool:
    """Tell whether a text as a whole is like a wildcard; without `strict`, A-Z are a-z."""
    if not strict:
        text, pattern = text.lower(), pattern.lower()
    first, *rest = wildcard_parts(pattern)
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)
