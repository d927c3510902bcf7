"""What a directory's files say as one tree, not checked: for a server, which checks it before it does anything with it.

The files' own check takes longer than reading them, and a server trusts none. Where lines of files are to be named, or
where what they say hangs on more than their texts, they are checked where they are (loading.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.kinds import SECTIONS, Kind
from lbdns.config.directory import Directory, try_read
from lbdns.config.yaml.yaml_tree import parse_yaml

_SECTIONS: Final = frozenset(SECTIONS)
_INCLUDE: Final = "$include"


def unchecked_tree(directory: Path) -> dict[str, Any] | None:
    """Return sections of objects and the zones' master texts, as `lbdns.config.parse` takes them.

    None where only a check of the files themselves can tell what they say: where there are settings among them or no
    zone, where one cannot be read or is no sound YAML, has what is no section of objects, declares what another does,
    or includes a file.
    """
    problems: list[Problem] = []
    listing = Directory(directory, problems)
    if problems or listing.settings is not None or listing.lack is not None:
        return None
    sections = _sections(listing.objects)
    zones = _zones(listing.zones)
    return None if sections is None or zones is None else {**sections, Kind.ZONE.section: zones}


def _sections(paths: Iterable[Path]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for path in paths:
        text = try_read(path, [])
        tree = None if text is None else parse_yaml(text, str(path))
        if tree is None or tree.problems or not tree.is_whole:
            return None
        value = {} if tree.value is None else tree.value
        if not isinstance(value, dict) or not _SECTIONS.issuperset(value):
            return None
        for section, objects in value.items():
            together = _together(found.get(section), objects)
            if together is None and objects is not None:
                return None
            found[section] = together
    return found


def _together(some: Any, others: Any) -> Any:
    """Return the objects of one section in two files; None where they cannot be put together, or are none."""
    if some is None or others is None:
        return others if some is None else some
    if isinstance(some, list) and isinstance(others, list):
        return [*some, *others]
    if isinstance(some, dict) and isinstance(others, dict) and some.keys().isdisjoint(others):
        return {**some, **others}
    return None


def _zones(paths: Iterable[Path]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for path in paths:
        text = try_read(path, [])
        if text is None or _INCLUDE in text.lower():
            return None
        found[path.name.removesuffix(".zone")] = text
    return found
