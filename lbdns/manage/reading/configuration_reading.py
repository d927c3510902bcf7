"""A JSON body with a whole configuration -> its objects, checked and canonical.

Bounds are looked at before contents: how many objects each section has, then how many endpoints, then each object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.kept_problems import KEPT_MAX
from lbdns.base.kinds import LISTED, SECTIONS, Kind
from lbdns.config.loading import examine_tree
from lbdns.manage.reading.body_fields import ApplyBody, checked_fields
from lbdns.manage.reading.body_refused import BadBody, BodyRefused, Found
from lbdns.manage.reading.frames import Frame, in_parts
from lbdns.manage.reading.json_body import parse_json
from lbdns.manage.reading.request_bounds import ENDPOINTS_MAX, OBJECTS_MAX, RECORDS_MAX
from lbdns.manage.store.revisions.wanted import Wanted, WantedZone, balancer_bodies, named_bodies, zones_of

SOURCE: Final = "configuration"
_GENERATE: Final = re.compile(rb"\$GENERATE|\\u00", re.IGNORECASE)
_ZONE_FILE: Final = re.compile(rf"{SOURCE}:(?P<name>.*)\.zone", re.DOTALL)
TREE_SECTIONS: Final = (*SECTIONS, Kind.ZONE.section)
_LISTED: Final = frozenset(kind.section for kind in LISTED)
_FIELDS, _NAMED, _BALANCERS, _ZONE, _RECORDS = "fields", "named", "balancers", "zone", "records"


@dataclass(frozen=True, slots=True)
class ReadConfiguration:
    """The objects of a body, and its other fields: prune, based_on, message."""

    wanted: Wanted
    fields: dict[str, Any]
    _names: dict[str, list[str]] = field(default_factory=dict)  # by section, once the bodies are let go
    _places: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def is_let_go(self) -> bool:
        """Whether the bodies are gone."""
        return bool(self._names)

    def let_go(self) -> None:
        """Forget the bodies, which a store has taken over as its own: kept until it serves them, they would be holes in
        the process afterwards, a tenth of it. Problems still have their places."""
        self._names.update(self._named())
        for those in (self.wanted.named, self.wanted.balancers, self.wanted.zones):
            those.clear()

    def place(self, problem: Problem) -> Sequence[str | int] | None:
        """Return where in the body a problem's object stands; None where it is an object of the store alone."""
        if len(problem.at) < 2:
            return None
        section, name, *rest = problem.at
        index = self._sections().get(str(section), {}).get(str(name))
        if index is None:
            return None
        step = index if section in _LISTED else name
        return (SOURCE, section, step, *(rest if section != Kind.ZONE.section else ()))

    def _sections(self) -> dict[str, dict[str, int]]:
        if not self._places:
            for section, names in (self._names or self._named()).items():
                # Backwards, so that of one name the first object counts.
                self._places[section] = {names[at]: at for at in range(len(names) - 1, -1, -1)}
        return self._places

    def _named(self) -> dict[str, list[str]]:
        """Return the names of the objects of each section, in order."""
        found: dict[str, list[str]] = {section: [] for section in TREE_SECTIONS}
        for kind, name, _ in self.wanted.named:
            found[kind.section].append(name)
        for zone in self.wanted.zones:
            found[Kind.ZONE.section] += zone.labels()
        found[Kind.LOAD_BALANCER.section] += (balancer["name"] for balancer in self.wanted.balancers)
        return found


@dataclass(frozen=True, slots=True)
class ConfigurationReading:
    """What is to be read of a request that sends a whole configuration. `signed`: apexes of zones signed here."""

    signed: frozenset[bytes] = frozenset()

    def may_grow(self, body: bytearray) -> bool:
        """Tell whether a directive in a zone's text may make many records; JSON can spell it in many ways."""
        return _GENERATE.search(body) is not None

    def tell(self, body: bytes) -> Iterator[Frame]:
        """Yield what a body says; raises BadBody, BodyRefused, or ConfigError with every mistake: `at` is the way to it
        in the body."""
        fields = parse_json(body, max(OBJECTS_MAX.values()))
        del body  # it is not looked at any more
        if not isinstance(fields, dict):
            raise BadBody("the body is not a JSON object; expected {...}")
        checked_fields(fields, ApplyBody)
        tree = fields.pop(SOURCE)
        _check_counts(tree)
        examined = examine_tree(
            tree,
            Path(),
            SOURCE,
            keeps_all=False,
            records_max=RECORDS_MAX,
            knows_settings=False,
            signed=self.signed,
        )
        if examined.configuration is None:
            ways = _Ways(tree)
            raise ConfigError((replace(one, at=ways.to(one)) for one in map(_placed, examined.errors)), examined.more)
        yield [_FIELDS, fields]
        yield from ([_NAMED, part] for part in in_parts(named_bodies(examined.configuration)))
        yield from ([_BALANCERS, part] for part in in_parts(balancer_bodies(examined.configuration.load_balancers)))
        for zone in zones_of(examined.configuration):
            yield [_ZONE, zone.body]
            yield from ([_RECORDS, part] for part in in_parts(zone.records))

    def hear(self, frames: Iterable[Frame]) -> ReadConfiguration:
        """Return what `tell` told."""
        wanted, fields = Wanted(), {}
        for what, told in frames:
            if what == _FIELDS:
                fields = told
            elif what == _NAMED:
                wanted.named.extend((Kind(kind), name, body) for kind, name, body in told)
            elif what == _BALANCERS:
                wanted.balancers.extend(told)
            elif what == _ZONE:
                wanted.zones.append(WantedZone(told, []))
            else:
                wanted.zones[-1].records.extend(told)
        return ReadConfiguration(wanted, fields)


def _check_counts(tree: Mapping[str, Any]) -> None:
    """Raise BodyRefused for sections that there are not, and for those that have too many objects."""
    found: list[Found] = []
    unknown = [section for section in tree if section not in TREE_SECTIONS]
    expected = f"expected only the sections {', '.join(TREE_SECTIONS)}"
    found += ((f"{section}: {expected}", None) for section in unknown[:KEPT_MAX])
    for section, most in OBJECTS_MAX.items():
        objects = tree.get(section)
        if isinstance(objects, (dict, list)) and len(objects) > most:
            message = f"{SOURCE}.{section}: {len(objects):,} entries; expected at most {most:,}"
            found.append((message, (SOURCE, section)))
    if found:
        raise BodyRefused(*found, more=max(0, len(unknown) - KEPT_MAX))
    pools = tree.get(Kind.POOL.section)
    origins = (
        (pool.get("origins") for pool in pools.values() if isinstance(pool, dict)) if isinstance(pools, dict) else ()
    )
    count = sum(len(some) for some in origins if isinstance(some, list))
    if count > ENDPOINTS_MAX:
        message = f"{SOURCE}.{Kind.POOL.section}: {count:,} endpoints in all; expected at most {ENDPOINTS_MAX:,}"
        raise BodyRefused((message, (SOURCE, Kind.POOL.section)))


def _placed(problem: Problem) -> Problem:
    """Return a problem of a zone's text with its line in words and its zone to point to."""
    zone = _ZONE_FILE.fullmatch(problem.file)
    if zone is None or problem.at:
        return problem
    line = f"line {problem.line}: " if problem.line else ""
    return replace(problem, message=f"{line}{problem.message}", at=("zones", zone["name"]))


class _Ways:
    """The ways in a body to what problems are about."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self._tree = tree
        self._indexes: dict[str, dict[str, int]] = {}

    def to(self, problem: Problem) -> tuple[str | int, ...]:
        """Return the way to a problem's object; () where it is nowhere in the body."""
        if len(problem.at) < 2:
            return ()
        section, name, *rest = problem.at
        objects = self._tree.get(str(section))
        if isinstance(objects, Mapping) and name in objects:
            return (SOURCE, section, name, *(rest if section != Kind.ZONE.section else ()))
        if isinstance(objects, list):
            index = self._index(str(section), objects).get(str(name), name)
            return (SOURCE, section, index, *rest) if isinstance(index, int) else ()
        return ()

    def _index(self, section: str, objects: list[Any]) -> dict[str, int]:
        """Return where in a list the first object of each name stands."""
        if section not in self._indexes:
            found = self._indexes[section] = {}
            title = next(kind.called_by for kind in LISTED if kind.section == section)
            for index, one in enumerate(objects):
                if isinstance(one, Mapping):
                    found.setdefault(str(one.get(title)), index)
        return self._indexes[section]
