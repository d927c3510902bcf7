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
    kind: [replacer(Kind(field.kind), field.api_path, field.path[-1]) for field in kind.references] for kind in Kind
}
_TO_IDS: Final = {
    kind: [replacer(Kind(field.kind), field.path, field.api_path[-1]) for field in kind.references] for kind in Kind
}


def to_names(kind: Kind, body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Return a body whose references are names; what is not of the expected shape is left for the model to refuse."""

    def name_of(referred: Kind, reference: Any) -> Any:
        if not isinstance(reference, str):
            return reference
        item = state.get(referred, reference.lower() if referred.area == NETWORKING else reference)
        return item.name if item is not None and item.name else reference

    made = dict(body)
    for replace in _TO_NAMES[kind]:
        replace(made, name_of)
    return made


def to_ids(kind: Kind, body: Mapping[str, Any], state: State) -> dict[str, Any]:
    """Return a body whose references are ids."""

    def id_of(referred: Kind, reference: Any) -> Any:
        item = state.named(referred, reference) if isinstance(reference, str) else None
        return item.id if item is not None else reference

    made = dict(body)
    for replace in _TO_IDS[kind]:
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
