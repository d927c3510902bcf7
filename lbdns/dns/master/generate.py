"""$GENERATE, BIND's directive for records that differ in a number: expanded into the tokens of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

MAX_GENERATED: Final = 65_536
"""Records that one directive may make."""
MAX_WIDTH: Final = 127
"""Digits that a number may be padded to; no label or address part is longer."""
_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:/([0-9]{1,10}))?", re.ASCII)
_PLACE = re.compile(
    r"\\. | \$\$ | \$\{ (?P<offset>[+-]?[0-9]{1,10}) (?:,(?P<width>[0-9]{1,3}) (?:,(?P<base>[doxXnN]))? )? \} | \$",
    re.ASCII | re.VERBOSE,
)
_FORM: Final = "$GENERATE takes FIRST-LAST[/STEP] OWNER [TTL] [IN] TYPE DATA, such as $GENERATE 1-9 host$ A 192.0.2.$"


def generate(arguments: list[str]) -> Iterator[list[str]]:
    """Return the tokens of each record; raises ValueError, before the first of them, for what is wrong."""
    found = _RANGE.fullmatch(arguments[0]) if len(arguments) >= 4 else None
    if found is None:
        raise ValueError(_FORM)
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if last < first or step == 0:
        raise ValueError(f'"{arguments[0]}" holds no number; expected FIRST-LAST[/STEP], such as 1-9/2')
    if (last - first) // step >= MAX_GENERATED:
        raise ValueError(f"{arguments[0]} makes more than {MAX_GENERATED} records; split it")
    template = arguments[1:]
    for token in template:
        _fill(token, first)
    return ([_fill(token, number) for token in template] for number in range(first, last + 1, step))


def _fill(token: str, number: int) -> str:
    """Put a number where `$` and `${OFFSET,WIDTH,BASE}` stand; `$$` is a dollar sign, an escape stays as it is."""

    def place(found: re.Match[str]) -> str:
        if found[0].startswith("\\"):
            return found[0]
        if found[0] == "$$":
            return "$"
        width = int(found["width"] or 0)
        value = number + int(found["offset"] or 0)
        if width > MAX_WIDTH or value < 0:
            raise ValueError(f'"{found[0]}" makes a negative number, or one of more than {MAX_WIDTH} digits')
        base = found["base"] or "d"
        return _nibbles(value, width, base) if base in "nN" else format(value, base).zfill(width)

    return _PLACE.sub(place, token)


def _nibbles(value: int, width: int, base: str) -> str:
    """Return hexadecimal digits, the last first, with dots between; `width` counts dots too, as BIND does."""
    digits = format(value, "x" if base == "n" else "X")[::-1]
    return ".".join(digits.ljust((width + 1) // 2, "0"))
