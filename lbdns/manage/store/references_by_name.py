"""References by id, as the API says them, and by name, as files and models do. Those to nothing stay as they are.

Where an object has references is told by its kind's row in lbdns.base.kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lbdns.base.kinds import NETWORKING, Kind
from lbdns.base.reference_paths import ITEMS, KEYS, VALUES, Steps, replacer
from lbdns.manage.store.state import State

_TO_NAMES: Final = {
    kind: [(field.api_path[0], replacer(Kind(field.kind), field.api_path, field.path[-1])) for field in kind.references]
    for kind in Kind
}
_TO_IDS: Final = {
    kind: [(field.path[0], replacer(Kind(field.kind), field.path, field.api_path[-1])) for field in kind.references]
    for kind in Kind
}
"""What replaces the references in each field that has some; most objects have few of the fields."""


class NamesOf:
    """Names by reference, of all kinds, while a state stays as it is: each is looked for once, however many name it."""

    def __init__(self, state: State) -> None:
        """Begin with none."""
        self._tables: dict[Kind, _NamesOfKind] = {}
        self._state = state

    def __call__(self, referred: Kind, reference: Any) -> Any:
        """Return the name of an object of a kind; what leads to none, or is no reference, is what it was."""
        if not isinstance(reference, str):
            return reference
        table = self._tables.get(referred)
        if table is None:
            table = self._tables[referred] = _NamesOfKind(self._state, referred)
        return table[reference]


class _NamesOfKind(dict[str, str]):
    def __init__(self, state: State, kind: Kind) -> None:
        self._state = state
        self._kind = kind

    def __missing__(self, reference: str) -> str:
        kind = self._kind
        item = self._state.get(kind, reference.lower() if kind.area == NETWORKING else reference)
        name = self[reference] = item.name if item is not None and item.name else reference
        return name


def to_names(kind: Kind, body: Mapping[str, Any], of: State | NamesOf) -> dict[str, Any]:
    """Return a body whose references are names; what is not of the expected shape is left for the model to refuse."""
    name_of = NamesOf(of) if isinstance(of, State) else of
    made = dict(body)
    for field, replace in _TO_NAMES[kind]:
        if field in body:
            replace(made, name_of)
    return made


def to_ids(kind: Kind, body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Return a body whose references are ids."""

    def id_of(referred: Kind, reference: Any) -> Any:
        item = state.named(referred, reference) if isinstance(reference, str) else None
        return item.id if item is not None else reference

    made = dict(body)
    for field, replace in _TO_IDS[kind]:
        if field in body:
            replace(made, id_of)
    return made


def as_api_says(kind: Kind, steps: Iterable[str | int], id_of: Callable[[Kind, str], str] | None = None) -> Steps:
    """Return the way to a value inside an object as the API says it: fields by their names there.

    With `id_of`, a reference that is a key on the way becomes what that returns.
    """
    made = tuple(steps)
    for field in kind.references:
        if len(made) < len(field.path) or not all(map(_fits, made, field.path)):
            continue
        last = len(field.path) - 1
        if field.api_field:
            made = (*made[:last], field.api_field, *made[last + 1 :])
        elif field.path[last] == KEYS and id_of is not None:
            made = (*made[:last], id_of(Kind(field.kind), str(made[last])), *made[last + 1 :])
    return made


def _fits(step: str | int, wanted: str) -> bool:
    """Tell whether a step of the way to a value is what a step of a reference's path stands for."""
    return isinstance(step, int) if wanted == ITEMS else wanted in (step, VALUES, KEYS)
