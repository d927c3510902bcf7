"""Plain values -> YAML as a person writes it, read back the same by `lbdns.config` and by any YAML 1.1 or 1.2 reader.

What fits on its line stands there in brackets; lists of mappings, mappings of collections and what is longer stand in
lines of their own:

    pools:
      eu:
        latitude: 52.37
        origins:
          - {name: eu-1, address: 192.0.2.10}
        load_shedding: {default_percent: 25}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import yaml

from lbdns.config.yaml.yaml_tree import resolve_scalar

LINE_CHARS: Final = 118
_STEP: Final = "  "
_PLAIN = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*", re.ASCII)
_RESOLVER: Final = yaml.resolver.Resolver()
"""PyYAML's, of YAML 1.1, where `off` and `12:30` are no texts."""
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


def block_text(value: Mapping[str, Any], indent: int = 0) -> str:
    """Return a mapping in lines of its own, `indent` steps in, with a newline at the end."""
    return "".join(f"{line}\n" for line in _mapping_lines(value, _STEP * indent))


def item_text(value: Mapping[str, Any], indent: int = 0) -> str:
    """Return a mapping as an item of a list that is `indent` steps in: its first line begins with `- `."""
    return "".join(f"{line}\n" for line in _item_lines(value, _STEP * indent))


def flow_text(value: Any) -> str:
    """Return any value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """Return a text, number, truth value or None; a text is quoted wherever it might be taken for something else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return _text(value) if isinstance(value, str) else str(value)


@lru_cache(maxsize=4096)
def _text(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) is not None and isinstance(resolve_scalar(text), str)
    if is_plain and _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT_TAG:  # type: ignore[no-untyped-call]
        return text
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _mapping_lines(value: Mapping[str, Any], margin: str) -> Iterator[str]:
    for key, item in value.items():
        head = f"{margin}{scalar_text(key)}:"
        if _is_collection(item) and item and not _fits(head, item):
            yield head
            yield from _lines(item, margin + _STEP)
        else:
            yield f"{head} {flow_text(item)}"


def _lines(value: Any, margin: str) -> Iterator[str]:
    """Yield the lines of a collection that is not empty."""
    if isinstance(value, Mapping):
        yield from _mapping_lines(value, margin)
        return
    for item in value:
        if _is_collection(item) and item and not _fits_alone(item, margin):
            yield from _item_lines(item, margin)
        else:
            yield f"{margin}- {flow_text(item)}"


def _item_lines(value: Any, margin: str) -> Iterator[str]:
    lines = list(_lines(value, margin + _STEP))
    yield f"{margin}- {lines[0].lstrip()}"
    yield from lines[1:]


def _fits(head: str, value: Any) -> bool:
    """Tell whether a collection stands on its key's line: it holds nothing nested, and there is room."""
    items = value.values() if isinstance(value, Mapping) else value
    return not any(map(_is_collection, items)) and len(head) + 1 + len(flow_text(value)) <= LINE_CHARS


def _fits_alone(value: Any, margin: str) -> bool:
    return len(margin) + 2 + len(flow_text(value)) <= LINE_CHARS


def _is_collection(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))
