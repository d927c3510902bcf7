"""Where objects name other objects: paths of fields, and what is done along them, made once for each path.

("monitor",)                                   the field
("default_pools", ITEMS)                       each item of a list
("region_pools", VALUES, ITEMS)                each item of each value of a mapping
("random_steering", "pool_weights", KEYS)      each key of a mapping
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeVar

ITEMS: Final = "[items]"
VALUES: Final = "[values]"
KEYS: Final = "[keys]"

Path = tuple[str, ...]
Steps = tuple[str | int, ...]
"""The way to one value inside an object: keys and indexes."""
Collect = Callable[[Any, set[str]], None]
Kind = TypeVar("Kind")
Translate = Callable[[Kind, Any], Any]
"""Returns what stands for a reference, given the kind that it leads to."""
Replace = Callable[[dict[str, Any], Translate[Kind]], None]


class ReferenceField(NamedTuple):
    """Where an object names objects of a kind. `api_field` is what the API, which says ids instead of names, calls the
    last field of the path; "": the same."""

    path: Path
    kind: str
    api_field: str = ""

    @property
    def api_path(self) -> Path:
        """The path in what the API says, and in stored objects."""
        return (*self.path[:-1], self.api_field) if self.api_field else self.path


def located(value: Any, path: Path, location: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """Yield the references of a sound model along a path, each with its location."""
    if not path:
        yield location, value
        return
    step, rest = path[0], path[1:]
    found: Any
    if step == ITEMS:
        found = enumerate(value)
    elif step == VALUES:
        found = value.items()
    elif step == KEYS:
        found = ((key, key) for key in value)
    else:
        inner = getattr(value, step)
        found = () if inner is None else ((step, inner),)
    for key, inner in found:
        yield from located(inner, rest, (*location, key))


def collector(path: Path) -> Collect:
    """Return what adds the references of a sound object, as JSON with defaults left out, to a set."""
    if not path:
        return lambda value, found: found.add(value)
    step, rest = path[0], collector(path[1:])
    if step == KEYS or path == (ITEMS,):
        return lambda value, found: found.update(value)
    if step in (ITEMS, VALUES):

        def each(value: Any, found: set[str]) -> None:
            for item in value if step == ITEMS else value.values():
                rest(item, found)

        return each

    def field(value: Any, found: set[str]) -> None:
        inner = value.get(step)
        if inner is not None:
            rest(inner, found)

    return field


def replacer(kind: Kind, path: Path, last: str) -> Replace[Kind]:
    """Return what puts other references into an object, as JSON, along a path whose last field is called `last` then.

    It changes a dictionary of the caller's own; what that holds is copied where it changes. What is not of the expected
    shape stays as it is.
    """
    step, rest = path[0], _copier(kind, path[1:], last)
    name = last if len(path) == 1 else step

    def replace(body: dict[str, Any], of: Translate[Kind]) -> None:
        if step not in body:
            return
        made = rest(body[step], of)
        if name == step:
            body[step] = made
        else:
            items = [(name, made) if key == step else (key, value) for key, value in body.items()]
            body.clear()
            body.update(items)

    return replace


def _copier(kind: Kind, path: Path, last: str) -> Callable[[Any, Translate[Kind]], Any]:
    if not path:
        return lambda value, of: of(kind, value)
    step, rest = path[0], _copier(kind, path[1:], last)
    if path == (ITEMS,):
        return lambda value, of: [of(kind, item) for item in value] if isinstance(value, (list, tuple)) else value
    if step == ITEMS:
        return lambda value, of: [rest(item, of) for item in value] if isinstance(value, (list, tuple)) else value
    if step == VALUES:
        return lambda value, of: (
            {key: rest(item, of) for key, item in value.items()} if isinstance(value, Mapping) else value
        )
    if step == KEYS:
        return lambda value, of: (
            {of(kind, key): item for key, item in value.items()} if isinstance(value, Mapping) else value
        )
    replace = replacer(kind, path, last)

    def field(value: Any, of: Translate[Kind]) -> Any:
        if not isinstance(value, Mapping) or step not in value:
            return value
        made = dict(value)
        replace(made, of)
        return made

    return field
