"""Balancing objects out of any number of YAML trees: networks, monitors, monitor groups, pools and load balancers.

A name is declared once in the whole directory. What cannot be read is reported; what can is kept beside it, so that
references are checked against everything that was declared, sound or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lbdns.base.errors import Problem
from lbdns.base.kept_problems import is_hopeless
from lbdns.base.kinds import BALANCING, KEYED, SECTIONS, Kind
from lbdns.base.wording import nearest
from lbdns.base.words import SETTINGS_FILE
from lbdns.config.yaml.repair import build
from lbdns.config.yaml.source import Placed, SectionPart, Source
from lbdns.config.yaml.yaml_tree import Lines, LineTree, line_at, lines_at
from lbdns.model.balancer import LoadBalancer
from lbdns.model.kind_models import MODELS, NAMED_BESIDE, REQUIRED
from lbdns.model.mistakes import name_mistakes
from lbdns.model.monitors import Monitor, MonitorGroup
from lbdns.model.name_override import NameOverride
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from lbdns.model.virtual_network import NetworkRoute, VirtualNetwork

_BY_SECTION: Final = {kind.section: kind for kind in BALANCING}


@dataclass(slots=True)
class Objects:
    """Every object with its place. `is_whole` is False where a file broke off, so that some names may be unknown."""

    keyed: dict[Kind, dict[str, Placed[Any]]] = field(default_factory=lambda: {kind: {} for kind in KEYED})
    load_balancers: Sequence[Placed[LoadBalancer]] = field(default_factory=list)
    routes: Sequence[Placed[NetworkRoute]] = field(default_factory=list)
    declared: dict[str, dict[str, Source]] = field(default_factory=lambda: {kind.section: {} for kind in KEYED})
    is_whole: bool = True
    problems: list[Problem] = field(default_factory=list)

    @property
    def monitors(self) -> dict[str, Placed[Monitor]]:
        """The monitors by name."""
        return self.keyed[Kind.MONITOR]

    @property
    def monitor_groups(self) -> dict[str, Placed[MonitorGroup]]:
        """The groups of monitors by name."""
        return self.keyed[Kind.MONITOR_GROUP]

    @property
    def pools(self) -> dict[str, Placed[Pool]]:
        """The pools by name."""
        return self.keyed[Kind.POOL]

    @property
    def virtual_networks(self) -> dict[str, Placed[VirtualNetwork]]:
        """The virtual networks by name."""
        return self.keyed[Kind.VIRTUAL_NETWORK]

    @property
    def overrides(self) -> dict[str, Placed[NameOverride]]:
        """The overrides by name."""
        return self.keyed[Kind.OVERRIDE]

    def of(self, kind: Kind) -> Iterable[Placed[Any]]:
        """Return the objects of a kind, in the order in which they were read."""
        return self.keyed[kind].values() if kind.is_keyed else self.listed(kind)

    def listed(self, kind: Kind) -> Sequence[Placed[Any]]:
        """Return the objects of a kind that files keep in a list."""
        found: Sequence[Placed[Any]] = getattr(self, kind.section)
        return found

    def put(self, kind: Kind, those: Sequence[Placed[Any]]) -> None:
        """Have these as the objects of a kind that files keep in a list; they stay as they are."""
        setattr(self, kind.section, those)


def read_objects(parts: Iterable[SectionPart], problems: list[Problem] | None = None) -> Objects:
    """Read every section of every part; the problems are in the result, whose list `problems` is where it is given."""
    objects = Objects(problems=[] if problems is None else problems)
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
    name_networks(objects)
    return objects


def _unknown_section(section: str) -> str:
    if section in Settings.model_fields:
        return f'"{section}" is a setting of the server; it belongs into {SETTINGS_FILE}'
    near = nearest(section, SECTIONS)
    meant = f'did you mean "{near}"?' if near else f"the sections are {', '.join(SECTIONS)}"
    return f'unknown section "{section}"; {meant}'


def _read_section(objects: Objects, section: str, value: Any, lines: LineTree, file: str) -> None:
    problems, kind = objects.problems, _BY_SECTION[section]
    if not kind.is_keyed:
        if isinstance(value, list):
            objects.put(kind, [*objects.listed(kind), *_listed(kind, value, lines, file, problems)])
        else:
            message = f'expected a list: each {kind.words} begins with "- {kind.called_by}: ..."'
            problems.append(Problem(file, line_at(lines), section, message))
        return
    if not isinstance(value, dict):
        message = f"expected a mapping: each {kind.words} is a key, its name, with its fields below"
        problems.append(Problem(file, line_at(lines), section, message))
        return
    for name, data in value.items():
        if is_hopeless(problems):
            break
        source = Source(file, lines_at(lines, name), section, name)
        if name in objects.declared[section]:
            there = objects.declared[section][name].place()
            problems.append(source.problem((), f'the {kind.words} "{name}" is declared in {there} already'))
            continue
        objects.declared[section][name] = source
        data = {} if data is None and not REQUIRED[kind] - {kind.called_by} else data
        if kind.short and data is not None and not isinstance(data, dict):
            data = {kind.short: data}
        if kind in NAMED_BESIDE:
            problems.extend(source.problem((), message) for message in name_mistakes(name))
        else:
            data = _named(name, data, source, problems)
        placed = build(MODELS[kind], data, source, problems)
        if placed is not None:
            _keep(objects, kind, name, placed)


def _keep(objects: Objects, kind: Kind, name: str, placed: Placed[Any]) -> None:
    """Keep an object by its name, which its model may spell otherwise than the key."""
    own = name if kind in NAMED_BESIDE or not placed.knows("name") else placed.item.name
    there = objects.keyed[kind].get(own)
    if there is not None:
        message = f'the {kind.words} "{own}" is declared in {there.source.place()} already'
        objects.problems.append(placed.source.problem((), message))
        return
    objects.declared[kind.section][own] = placed.source
    objects.keyed[kind][own] = placed


def _named(name: str, data: Any, source: Source, problems: list[Problem]) -> Any:
    """Return an object's fields with its name among them."""
    if not isinstance(data, dict):
        return data
    if data.get("name", name) != name:
        problems.append(source.problem(("name",), f'the name is "{name}", the key above; leave this one out'))
    return {**data, "name": name}


def _listed(kind: Kind, value: list[Any], lines: LineTree, file: str, problems: list[Problem]) -> Iterator[Placed[Any]]:
    items = lines.items if isinstance(lines, Lines) and isinstance(lines.items, list) else None
    for index, data in enumerate(value):
        if is_hopeless(problems):
            break
        name = data.get(kind.called_by) if isinstance(data, dict) else None
        item_lines = items[index] if items is not None else lines_at(lines, index)
        key = name if isinstance(name, str) and name else index
        source = Source(file, item_lines, kind.section, key, None if line_at(item_lines) else index)
        placed = build(MODELS[kind], data, source, problems)
        if placed is not None:
            yield placed


def name_networks(objects: Objects) -> None:
    """Put names where pools and routes name virtual networks by their ids."""
    ids = {placed.item.uuid: name for name, placed in objects.virtual_networks.items()}
    if not ids:
        return
    for name, placed in objects.pools.items():
        if any(one.virtual_network is not None for one in placed.item.origins):
            objects.pools[name] = replace(placed, item=_pool_by_names(placed.item, ids))
    routes = [*objects.routes]
    for index, route in enumerate(routes):
        known = ids.get((route.item.virtual_network or "").lower())
        if known is not None:
            routes[index] = replace(route, item=route.item.model_copy(update={"virtual_network": known}))
    objects.put(Kind.ROUTE, routes)


def _pool_by_names(pool: Pool, ids: Mapping[str, str]) -> Pool:
    origins = []
    for endpoint in pool.origins:
        known = ids.get((endpoint.virtual_network or "").lower())
        origins.append(endpoint if known is None else endpoint.model_copy(update={"virtual_network": known}))
    return pool.model_copy(update={"origins": tuple(origins)})
