"""POSIX extended regular expressions (ERE), of which NAPTR's substitutions are made: whether one is sound. Linear.

expression   branch | branch ...
branch       pieces, at least one: an atom, with at most one of * + ? {low,high} behind it
atom         (expression), (), [bracket], ^, $, ., \\digit (an earlier group), \\char, char; { before no digit is one
"""

from __future__ import annotations

from typing import Final

_BOUND_MAX: Final = 255
_CLASSES: Final = frozenset(
    b"alnum alpha blank cntrl digit graph lower print punct space upper xdigit".split()  # POSIX.1 section 9.3.5
)
_CLOSINGS: Final = {b"[:": b":]", b"[.": b".]", b"[=": b"=]"}


class BadRegex(Exception):
    """An expression that is not sound."""


def count_groups(expression: bytes) -> int:
    """Return how many groups a sound expression has; raises BadRegex."""
    scan = _Scan(expression)
    scan.run()
    return scan.groups


class _Scan:
    """One pass. `has_atom`: whether the branch has one; `may_repeat`: whether what comes next may be a repetition."""

    def __init__(self, expression: bytes) -> None:
        self.expression = expression
        self.at = 0
        self.groups = self._open = 0
        self._has_atom = self._may_repeat = self._may_be_empty = False

    def run(self) -> None:
        """Look at all of it."""
        while self.at < len(self.expression):
            self._step(self._next())
        if self._open or not self._has_atom:
            raise BadRegex

    def _step(self, char: bytes) -> None:
        if char == b"(":
            self.groups += 1
            self._open += 1
            self._begin(may_be_empty=True)
        elif char == b"|":
            if not self._has_atom:
                raise BadRegex
            self._begin(may_be_empty=False)
        elif char == b")" and self._open and not (self._has_atom or self._may_be_empty):
            raise BadRegex
        elif char in (b"*", b"+", b"?") or (char == b"{" and self._peek().isdigit()):
            self._repeat(char)
        else:
            self._take_atom(char)

    def _begin(self, may_be_empty: bool) -> None:
        self._has_atom = self._may_repeat = False
        self._may_be_empty = may_be_empty

    def _repeat(self, char: bytes) -> None:
        if not self._may_repeat:
            raise BadRegex
        if char == b"{":
            self._read_bound()
        self._may_repeat = False

    def _take_atom(self, char: bytes) -> None:
        if char == b")":
            self._open = max(self._open - 1, 0)
        elif char == b"[":
            self._read_bracket()
        elif char == b"\\":
            digit = self._next()
            if digit.isdigit() and int(digit) > self.groups:
                raise BadRegex
        self._has_atom, self._may_repeat = True, char not in (b"^", b"$")

    def _next(self) -> bytes:
        """Take the next octet; raises BadRegex at the end."""
        if self.at >= len(self.expression):
            raise BadRegex
        self.at += 1
        return self.expression[self.at - 1 : self.at]

    def _peek(self) -> bytes:
        return self.expression[self.at : self.at + 1]

    def _until(self, closing: bytes) -> bytes:
        """Take what stands before a closing, and that."""
        end = self.expression.find(closing, self.at)
        if end < 0:
            raise BadRegex
        text, self.at = self.expression[self.at : end], end + len(closing)
        return text

    def _read_bound(self) -> None:
        """Take LOW}, LOW,} or LOW,HIGH}."""
        low, comma, high = self._until(b"}").partition(b",")
        if not low.isdigit() or not (high.isdigit() or not high):
            raise BadRegex
        bounds = int(low[:4]), int(high[:4] or (b"255" if comma else low[:4]))
        if not bounds[0] <= bounds[1] <= _BOUND_MAX:
            raise BadRegex

    def _read_bracket(self) -> None:
        """Take a bracket expression up to its end; a ] that stands first is one of its characters."""
        if self._peek() == b"^":
            self.at += 1
        start = b""
        is_first, is_after_range = True, False
        while (char := self._next()) != b"]" or is_first:
            if char == b"-" and is_after_range:  # POSIX leaves open what that is, and BIND refuses it
                raise BadRegex
            is_range = char == b"-" and not is_first and self._peek() != b"]"
            char = self._element(char)
            if is_range and start > (char := self._element(self._next())):
                raise BadRegex
            start, is_first, is_after_range = char, False, is_range

    def _element(self, char: bytes) -> bytes:
        """Take the rest of what may be [:class:], [.element.] or [=class=]; return what it stands for."""
        closing = _CLOSINGS.get(char + self._peek())
        if closing is None:
            return char
        self.at += 1
        text = self._until(closing)
        if not text or (closing == b":]" and text not in _CLASSES):
            raise BadRegex
        return text
