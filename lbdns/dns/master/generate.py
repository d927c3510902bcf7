"""$GENERATE, BIND's directive for records that differ in a number: expanded into the tokens of each.

As BIND 9.18 reads it: numbers are put into the owner and the data alone, data that is one text in quotes is what
stands in the quotes, and an offset holds for the plain `$` behind it. Beyond BIND, data may be several tokens; negative
numbers, which BIND writes out, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lbdns.dns.master.entries import is_before_type, split_tokens, unquoted

MAX_GENERATED: Final = 65_536
"""Records that one directive may make."""
MAX_WIDTH: Final = 127
"""Digits that a number may be padded to; no label or address part is longer."""
MAX_NUMBER: Final = (1 << 31) - 1
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:/([0-9]{1,10}))?", re.ASCII)
_PLACE = re.compile(r"\\. | \$\$ | \$ (?P<modifier> \{ [^}]* \}? )?", re.VERBOSE)
_MODIFIER = re.compile(
    r"\{ \s* (?P<offset>[+-]?[0-9]{1,10}) (?:, \s* \+? (?P<width>[0-9]{1,3}) (?:,(?P<base>[doxXnN]))? )? \}",
    re.ASCII | re.VERBOSE,
)
_FORM: Final = "$GENERATE takes FIRST-LAST[/STEP] OWNER [TTL] [IN] TYPE DATA, such as $GENERATE 1-9 host$ A 192.0.2.$"
_MODIFIERS: Final = "expected ${OFFSET}, ${OFFSET,WIDTH} or ${OFFSET,WIDTH,BASE} with a base of d, o, x, X, n or N"


def generate(arguments: list[str]) -> tuple[int, Iterator[list[str]]]:
    """Return how many records there are, and the tokens of each; raises ValueError, before any, for what is wrong."""
    found = _RANGE.fullmatch(arguments[0]) if len(arguments) >= 4 else None
    if found is None:
        raise ValueError(_FORM)
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if last < first or step == 0:
        raise ValueError(f'"{arguments[0]}" holds no number; expected FIRST-LAST[/STEP], such as 1-9/2')
    if last > MAX_NUMBER:
        raise ValueError(f"{arguments[0]} goes beyond {MAX_NUMBER}, the largest number there is")
    if (last - first) // step >= MAX_GENERATED:
        raise ValueError(f"{arguments[0]} makes more than {MAX_GENERATED} records; split it")
    owner, *rest = arguments[1:]
    if owner[0] == '"':
        raise ValueError(f"the owner {owner} stands in quotes, which $GENERATE does not take; leave them away")
    data_at = next((at for at, token in enumerate(rest, 1) if not is_before_type(token)), len(rest))
    before, data = rest[:data_at], _Data(rest[data_at:])
    for number in (first, last):
        _fill(owner, number)
        data.filled(number)
    numbers = range(first, last + 1, step)
    return len(numbers), ([_fill(owner, number), *before, *data.filled(number)] for number in numbers)


class _Data:
    """What stands behind the type."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.quoted = unquoted(tokens[0]) if len(tokens) == 1 and tokens[0][0] == '"' else None

    def filled(self, number: int) -> list[str]:
        """Return the tokens with a number put in; a sole text in quotes is read as if it stood without them."""
        if self.quoted is None:
            return [_fill(token, number) for token in self.tokens]
        return split_tokens(_fill(self.quoted, number))


def _fill(text: str, number: int) -> str:
    """Put a number where `$` and `${OFFSET,WIDTH,BASE}` stand; `$$` is a dollar sign, an escape stays as it is."""
    offset = 0

    def place(found: re.Match[str]) -> str:
        nonlocal offset
        if found[0][0] == "\\":
            return found[0]
        if found[0] == "$$":
            return "$"
        width, base = 0, "d"
        if found["modifier"]:
            modifier = _MODIFIER.fullmatch(found["modifier"])
            if modifier is None:
                raise ValueError(f'"{found[0]}" is no modifier of $GENERATE; {_MODIFIERS}')
            offset, width, base = int(modifier["offset"]), int(modifier["width"] or 0), modifier["base"] or "d"
        value = number + offset
        if width > MAX_WIDTH or value < 0:
            raise ValueError(f'"{found[0]}" makes a negative number, or one of more than {MAX_WIDTH} digits')
        if value > MAX_NUMBER:
            raise ValueError(f'"{found[0]}" makes a number above {MAX_NUMBER}')
        return _nibbles(value, width, base) if base in "nN" else format(value, base).zfill(width)

    return _PLACE.sub(place, text)


def _nibbles(value: int, width: int, base: str) -> str:
    """Return hexadecimal digits, the last first, with dots between. `width` counts dots too, as BIND does, so an even
    one ends in a dot where it is not outgrown."""
    digits = ".".join(format(value, "x" if base == "n" else "X")[::-1])
    return (
        digits + ".0" * ((width - len(digits)) // 2) + "." * ((width - len(digits)) % 2)
        if width > len(digits)
        else digits
    )
