"""A top-level key of lbdns.yaml put in or taken out, with all else in the file as it was, byte by byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.config.yaml.yaml_tree import parse_yaml

_BESIDE: Final = re.compile(r"[ \t#\r\n]|$")
"""How a line goes on that belongs to the key above it, or to nothing."""


def block_text(key: str, values: Mapping[str, Any]) -> str:
    """Return the lines of a key with values below it."""
    lines = [f"  {name}: {_shown(value)}" for name, value in values.items()]
    return "\n".join([f"{key}:", *lines, ""])


def with_block(text: str, key: str, values: Mapping[str, Any], file: str) -> str:
    """Return a file's text with a key that it does not have; raises LbdnsError where that cannot be done by adding
    lines at its end."""
    block = block_text(key, values)
    gap = "" if not text or text.endswith("\n") else "\n"
    added = f"{text}{gap}{block}"
    before, after = _read(text, file), _read(added, file)
    if before is None or key in before or after != before | {key: dict(values)}:
        by_hand = "\n".join(f"    {line}" for line in block.splitlines())
        raise LbdnsError(
            f"{file}: not changed, as its form is none that lines are added to; add this by hand:\n{by_hand}"
        )
    return added


def without_block(text: str, key: str, file: str) -> str:
    """Return a file's text without a key's lines; raises LbdnsError where they cannot be told from others."""
    before = _read(text, file)
    if before is None or key not in before:
        return text
    lines = text.splitlines(keepends=True)
    heads = [index for index, line in enumerate(lines) if line.startswith(f"{key}:")]
    left = text
    if len(heads) == 1:
        start = end = heads[0]
        end += 1
        while end < len(lines) and _BESIDE.match(lines[end]):
            end += 1
        # Comments and blank lines before the next key are that key's.
        while end > start + 1 and not lines[end - 1].startswith((" ", "\t")):
            end -= 1
        left = "".join(lines[:start] + lines[end:])
    if _read(left, file) != {name: value for name, value in before.items() if name != key}:
        raise LbdnsError(
            f'{file}: not changed, as it is not plain which lines are those of "{key}"; remove them by hand'
        )
    return left


def _read(text: str, file: str) -> dict[str, Any] | None:
    """Return what a text says, None where it is no mapping."""
    tree = parse_yaml(text, file)
    if tree.value is None:
        return {} if not tree.problems else None
    return tree.value if isinstance(tree.value, dict) and not tree.problems else None


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_./-]*", value) and value not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
