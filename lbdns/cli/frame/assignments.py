"""KEY=VALUE on the command line: a way into an object, and what is put there. No I/O.

    ttl=60                              a field
    origins.eu-2.weight=0.2             a field of an item of a list, which its name tells (or its index: origins[1])
    origins.eu-3=192.0.2.12             a new endpoint; origins.eu-3=null takes it away
    region_pools.ENAM=us,eu             a list of names
    rules.office.overrides.pools=eu     the same inside of a rule
    origins."eu.1".enabled=false        a key that holds a dot

A value is JSON, or a list or mapping as files have them ([eu, us]), where it can be read as such, else text; where the
object holds a text, it is text. null puts a field back to its default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lbdns.base.errors import LbdnsError
from lbdns.base.words import PLACE_MAPS

Path = tuple[str | int, ...]
Assignment = tuple[Path, str]

TEXTS: Final = frozenset(
    {
        *("name", "description", "path", "expected_codes", "expected_body", "address"),
        *("client_certificate", "client_key", "condition", "message_body", "content_type", "location"),
        *("comment", "device", "namespace", "proxy", "source", "virtual_network"),
    }
)
"""Fields that hold text, whatever it looks like."""
NAME_LISTS: Final = frozenset({"default_pools", "check_regions", "pools", "pops", "countries", "regions", "on_ramps"})
"""Fields that hold lists of names: commas stand between the names, as in the lists of PLACE_MAPS."""
NAMED_BY: Final = {"origins": "name", "members": "monitor", "rules": "name", "pool_sets": "name"}
"""Lists of objects, and the field that tells these apart."""
SHORT_FOR: Final = {"origins": "address"}
"""Lists whose new item may be given as one text, and the field that it stands for."""
_STEP: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^.\[\]"=]+)|\[([0-9]{1,6})\]')


def parse_assignment(text: str) -> Assignment:
    """Return the way and the value's text of KEY=VALUE; raises LbdnsError."""
    steps: list[str | int] = []
    at = 0
    while found := _STEP.match(text, at):
        quoted, plain, index = found.groups()
        steps.append(json.loads(f'"{quoted}"') if quoted is not None else plain if plain is not None else int(index))
        at = found.end()
        if text[at : at + 1] == "=":
            return tuple(steps), text[at + 1 :]
        if text[at : at + 1] == ".":
            at += 1
        elif text[at : at + 1] != "[":
            break
    raise LbdnsError(f'"{text}" is no KEY=VALUE, such as ttl=60 or origins.eu-2.weight=0.2')


def assign(body: dict[str, Any], assignments: Iterable[Assignment]) -> set[str]:
    """Put values into a body, references by name; returns the body's keys that were touched. Raises LbdnsError."""
    touched = set()
    for path, text in assignments:
        top = str(path[0])
        if len(path) == 1:
            body[top] = value_of(path, text, body.get(top))
        else:
            body[top] = _changed(body.get(top), path, 1, text)
        touched.add(top)
    return touched


def value_of(path: Path, text: str, current: Any = None) -> Any:
    """Return the value that a text stands for at a place that holds `current`."""
    if text == "null":
        return None
    if _is_name_list(path) and not text.startswith("["):
        return [name.strip() for name in text.split(",") if name.strip()]
    is_text = isinstance(current, str) or path[-1] in TEXTS
    if is_text and not text.startswith('"'):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return _yaml_of(text) if text.startswith(("[", "{")) else text


def _yaml_of(text: str) -> Any:
    """Return what `[eu, us]` or `{name: eu-1}` holds, as in the configuration's files; the text where it is neither."""
    from lbdns.config.yaml.yaml_tree import parse_yaml

    tree = parse_yaml(text, "")
    return text if tree.problems else tree.value


def _is_name_list(path: Path) -> bool:
    return path[-1] in NAME_LISTS or (len(path) > 1 and path[-2] in PLACE_MAPS)


def _changed(holder: Any, path: Path, depth: int, text: str) -> Any:
    """Return a collection with the value at `path[depth:]` changed."""
    if isinstance(holder, list) or (holder is None and path[depth - 1] in NAMED_BY):
        return _changed_list(list(holder or ()), path, depth, text)
    if holder is not None and not isinstance(holder, Mapping):
        raise LbdnsError(f"{_spelled(path[:depth])} holds one value, nothing inside of which could be set")
    made, key = dict(holder or {}), path[depth]
    if depth + 1 < len(path):
        made[str(key)] = _changed(made.get(str(key)), path, depth + 1, text)
    elif (value := value_of(path, text, made.get(str(key)))) is None:
        made.pop(str(key), None)
    else:
        made[str(key)] = value
    return made


def _changed_list(made: list[Any], path: Path, depth: int, text: str) -> list[Any]:
    list_name, key = str(path[depth - 1]), path[depth]
    named_by = NAMED_BY.get(list_name, "name")
    index = _index(made, key, named_by)
    if depth + 1 < len(path):
        if index is None:
            known = ", ".join(str(item.get(named_by)) for item in made if isinstance(item, Mapping)) or "nothing"
            raise LbdnsError(f'{_spelled(path[:depth])} has no "{key}"; it has {known}')
        made[index] = _changed(made[index], path, depth + 1, text)
        return made
    value = value_of(path, text)
    if value is None:
        if index is not None:
            made.pop(index)
        return made
    if not isinstance(value, Mapping) and list_name in SHORT_FOR and not isinstance(key, int):
        value = {SHORT_FOR[list_name]: text}
    if isinstance(value, Mapping) and not isinstance(key, int):
        value = {named_by: key, **value}
    if index is None:
        made.append(value)
    else:
        made[index] = value
    return made


def _index(items: list[Any], key: str | int, named_by: str) -> int | None:
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and item.get(named_by) == key:
            return index
    number = int(key) if isinstance(key, int) or (key.isascii() and key.isdigit()) else None
    return number if number is not None and number < len(items) else None


def _spelled(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def parse_origin(text: str) -> dict[str, Any]:
    """Return the endpoint that NAME=ADDRESS[,KEY=VALUE]... describes; `host` stands for its Host header."""
    first, *more = text.split(",")
    name, equals, address = first.partition("=")
    if not (equals and name and address):
        raise LbdnsError(f'"{text}" is no endpoint; expected NAME=ADDRESS[,KEY=VALUE]..., such as eu-1=192.0.2.10')
    made: dict[str, Any] = {"name": name.strip(), "address": address.strip()}
    for part in more:
        key, equals, value = part.strip().partition("=")
        if not equals:
            raise LbdnsError(f'"{part}" in "{text}" is no KEY=VALUE, such as weight=0.5')
        if key == "host":
            made["header"] = {"Host": [value]}
        else:
            made[key] = value_of((key,), value)
    return made
