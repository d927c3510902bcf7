"""What a PATCH dropped without naming it: an object inside an object is replaced as a whole.

    stored   {"random_steering": {"default_weight": 0.5, "pool_weights": {...}}}
    sent     {"random_steering": {"default_weight": 0.2}}
    dropped  random_steering: pool_weights

What is sent as null or at its default is named, so it is not told of; nor are lists of plain values, which mean what
they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lbdns.base.wording import join_path, listed
from lbdns.manage.store.item import Item
from lbdns.manage.store.private_balancers import ON_RAMPS
from lbdns.model.view_names import VIEW

_TOLD_APART_BY: Final = ("name", "monitor_id", "address")
"""What tells the objects of a list apart, the first of these that one has."""

Steps = tuple[str | int, ...]


def dropped(
    before: Mapping[str, Any], after: Mapping[str, Any], sent: Mapping[str, Any]
) -> Iterator[tuple[str, Steps]]:
    """Yield a sentence for each object that lost something by a PATCH, and the way to it in what was sent.

    `before` and `after` are stored bodies: what is at its default is left out.
    """
    for key, value in sent.items():
        if key in before and _holds_objects(value):
            for at, names in _lost(before[key], after.get(key), value, (key,)):
                path = join_path(*at)
                yield f"{path}: is replaced as a whole; what it had and was not sent is dropped: {listed(names)}", at


def widened(before: Item, after: Item, sent: Mapping[str, Any]) -> Iterator[tuple[str, Steps]]:
    """Yield what to say where a PUT that does not name an object's views has others see it, and where it would be."""
    back = "a PUT puts back what it does not name"
    if before.view and not after.view and VIEW not in sent:
        yield f'{VIEW}: was "{before.view}"; {back}, so all see it now', (VIEW,)
    ramps = before.body.get(ON_RAMPS)
    if ramps and not after.body.get(ON_RAMPS) and ON_RAMPS not in sent:
        seen = "all private views serve it now"
        yield f"{ON_RAMPS}: was {', '.join(ramps)}; {back}, so {seen}", (ON_RAMPS,)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def _lost(old: Any, new: Any, sent: Any, at: Steps) -> Iterator[tuple[Steps, list[str]]]:
    if isinstance(sent, Mapping) and isinstance(old, Mapping):
        yield from _lost_keys(old, new if isinstance(new, Mapping) else {}, sent, at)
    elif isinstance(sent, list) and isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        yield from _lost_items(old, new, sent, at)


def _lost_keys(
    old: Mapping[str, Any], new: Mapping[str, Any], sent: Mapping[str, Any], at: Steps
) -> Iterator[tuple[Steps, list[str]]]:
    named = {key.upper(): key for key in sent}  # places are written in any case
    names = [key for key in old if key not in new and key.upper() not in named]
    if names:
        yield at, names
    for key, value in old.items():
        if key.upper() in named and _holds_objects(sent[named[key.upper()]]):
            yield from _lost(value, new.get(key), sent[named[key.upper()]], (*at, named[key.upper()]))


def _lost_items(
    old: Sequence[Any], new: Sequence[Any], sent: Sequence[Any], at: Steps
) -> Iterator[tuple[Steps, list[str]]]:
    places = {_name_of(one): index for index, one in enumerate(new)}
    names = [name for one in old if (name := _name_of(one)) and name not in places]
    if names:
        yield at, names
    for one in old:
        index = places.get(_name_of(one))
        if index is not None and index < len(sent):
            yield from _lost(one, new[index], sent[index], (*at, index))


def _name_of(item: Any) -> str:
    """Return what an object of a list is called; "" where nothing tells it from others."""
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[key]) for key in _TOLD_APART_BY if item.get(key)), "")
