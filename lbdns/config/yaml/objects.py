"""Balancing objects out of any number of YAML trees: monitors, monitor groups, pools and load balancers.

A name is declared once in the whole directory. What cannot be read is reported; what can is kept beside it, so that
references are checked against everything that was declared, sound or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from lbdns.base.errors import Problem
from lbdns.base.wording import nearest
from lbdns.base.words import SETTINGS_FILE
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, Source
from lbdns.config.yaml.yaml_tree import Lines, LineTree, line_at, lines_at
from lbdns.model.balancer import LoadBalancer
from lbdns.model.fields import ObjectName
from lbdns.model.mistakes import mistakes_of
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings

NAMED_SECTIONS: Final = ("monitors", "monitor_groups", "pools")
SECTIONS: Final = (*NAMED_SECTIONS, "load_balancers")
_KINDS: Final = {"monitors": "monitor", "monitor_groups": "monitor group", "pools": "pool"}
_OBJECT_NAME: Final[TypeAdapter[str]] = TypeAdapter(ObjectName)
Model = TypeVar("Model", bound=BaseModel)


@dataclass(slots=True)
class Objects:
    """Every object with its place. `is_whole` is False where a file broke off, so that some names may be unknown."""

    monitors: dict[str, Placed[Monitor]] = field(default_factory=dict)
    monitor_groups: dict[str, Placed[MonitorGroup]] = field(default_factory=dict)
    pools: dict[str, Placed[Pool]] = field(default_factory=dict)
    load_balancers: list[Placed[LoadBalancer]] = field(default_factory=list)
    declared: dict[str, dict[str, Source]] = field(default_factory=lambda: {section: {} for section in NAMED_SECTIONS})
    is_whole: bool = True
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SectionPart:
    """The sections that one file contributes."""

    file: str
    value: Any
    lines: LineTree


def read_objects(parts: Iterable[SectionPart]) -> Objects:
    """Read every section of every part; the problems are in the result."""
    objects = Objects()
    for part in parts:
        if part.value is None:
            continue
        if not isinstance(part.value, dict):
            message = f"expected the sections {', '.join(SECTIONS)}, each a key with its objects below"
            objects.problems.append(Problem(part.file, line_at(part.lines), "", message))
            continue
        for section, value in part.value.items():
            lines = lines_at(part.lines, section)
            if section not in SECTIONS:
                objects.problems.append(
                    Problem(part.file, line_at(lines), str(section), _unknown_section(str(section)))
                )
            elif value is not None:
                _read_section(objects, section, value, lines, part.file)
    return objects


def _unknown_section(section: str) -> str:
    if section in Settings.model_fields:
        return f'"{section}" is a setting of the server; it belongs into {SETTINGS_FILE}'
    near = nearest(section, SECTIONS)
    meant = f'did you mean "{near}"?' if near else f"the sections are {', '.join(SECTIONS)}"
    return f'unknown section "{section}"; {meant}'


def _read_section(objects: Objects, section: str, value: Any, lines: LineTree, file: str) -> None:
    problems = objects.problems
    if section == "load_balancers":
        if isinstance(value, list):
            objects.load_balancers.extend(_balancers(value, lines, file, problems))
        else:
            message = 'expected a list: each load balancer begins with "- name: ..."'
            problems.append(Problem(file, line_at(lines), section, message))
        return
    if not isinstance(value, dict):
        message = f"expected a mapping: each {_KINDS[section]} is a key, its name, with its fields below"
        problems.append(Problem(file, line_at(lines), section, message))
        return
    for name, data in value.items():
        source = Source(file, lines_at(lines, name), section, name)
        if name in objects.declared[section]:
            there = objects.declared[section][name].place()
            problems.append(source.problem((), f'the {_KINDS[section]} "{name}" is declared in {there} already'))
            continue
        objects.declared[section][name] = source
        if section == "pools":
            _put(objects.pools, name, build(Pool, _named(name, data, source, problems), source, problems))
        elif section == "monitors":
            _check_name(name, source, problems)
            _put(objects.monitors, name, build(Monitor, {} if data is None else data, source, problems))
        else:
            _check_name(name, source, problems)
            _put(objects.monitor_groups, name, build(MonitorGroup, data, source, problems))


def _put(found: dict[str, Placed[Model]], name: str, placed: Placed[Model] | None) -> None:
    if placed is not None:
        found[name] = placed


def _named(name: str, data: Any, source: Source, problems: list[Problem]) -> Any:
    """Return a pool's fields with its name among them."""
    if not isinstance(data, dict):
        return data
    if data.get("name", name) != name:
        problems.append(source.problem(("name",), f'the name is "{name}", the key above; leave this one out'))
    return {**data, "name": name}


def _check_name(name: str, source: Source, problems: list[Problem]) -> None:
    """Check a monitor's or group's name as the model checks a pool's."""
    try:
        _OBJECT_NAME.validate_python(name)
    except ValidationError as error:
        problems.extend(source.problem((), found.message) for found in mistakes_of(error))


def _balancers(value: list[Any], lines: LineTree, file: str, problems: list[Problem]) -> Iterator[Placed[LoadBalancer]]:
    items = lines.items if isinstance(lines, Lines) and isinstance(lines.items, list) else None
    for index, data in enumerate(value):
        name = data.get("name") if isinstance(data, dict) else None
        item_lines = items[index] if items is not None else lines_at(lines, index)
        source = Source(file, item_lines, "load_balancers", name if isinstance(name, str) and name else index)
        placed = build(LoadBalancer, data, source, problems)
        if placed is not None:
            yield placed
