"""Small helpers for the text of problems."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Final

_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_PLAIN_STEP = re.compile(r"[^\s.\[\]]+")
MEANT_CHARS_MAX: Final = 300
"""Nothing longer is a slip of a known word; to compare it takes time in proportion."""

_TOLD_START, _TOLD_END = 3_000, 500
TOLD_CHARS_MAX: Final = 4_000
"""Of what is told to a client: what quotes what came with a request is as long as that otherwise."""


def join_path(*steps: str | int | None) -> str:
    """Return an object path such as `pools.eu.origins[1].weight`.

    A key with dots or spaces is put into brackets; a step in brackets already stays as it is, None is left out.
    """
    path = ""
    for step in steps:
        if step is None:
            continue
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.startswith("[") and step.endswith("]"):
            path += step
        elif not _PLAIN_STEP.fullmatch(step):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return `1 zone`, `2 zones`, `1,000 zones`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def listed(words: list[str], most: int = 6) -> str:
    """Return `"a", "b"` and how many more there are."""
    shown = ", ".join(f'"{word}"' for word in words[:most])
    return f"{shown} and {len(words) - most} more" if len(words) > most else shown


def moment(at_s: float) -> str:
    """Return a time of unix seconds as it stands in the log, in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_s))


def printable(text: str) -> str:
    """Return a text that plays no tricks on a terminal: what is not printable in it is written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def abridged(text: str) -> str:
    """Return a text for a client, without its middle where it is longer than anybody reads."""
    if len(text) <= TOLD_CHARS_MAX:
        return text
    left_out = len(text) - _TOLD_START - _TOLD_END
    return f"{text[:_TOLD_START]} ({left_out:,} characters are left out) {text[-_TOLD_END:]}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was most likely meant to be, or None where nothing is near."""
    if len(word) > MEANT_CHARS_MAX:
        return None
    from difflib import get_close_matches  # slow to import, and only wanted where somebody erred

    candidates = list(known)
    by_folded = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    found = get_close_matches(word.casefold(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def wrong_number(value: object, expected: str) -> str:
    """Return what to say where a number of some kind is expected; of a number in quotes, that the quotes are wrong."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f'"{value}" is a text; {expected}, without quotes'
    return expected


def unknown_field(key: str, known: Sequence[str]) -> str:
    """Return what to say of a field that there is not."""
    near = nearest(key, known)
    meant = f'did you mean "{near}"?' if near else f"the fields are {', '.join(known)}"
    return f'unknown field "{key}"; {meant}'
