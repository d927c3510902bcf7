"""Stored objects that this release cannot read: of another release's making, or damaged. None is dropped silently.

They are set aside as their rows have them, named, and stay in the store until somebody repairs or deletes them.
Meanwhile nothing else is changed, for what would be served then would lack them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lbdns.base.errors import ConfigError, Problem
from lbdns.base.json_values import is_text
from lbdns.base.kinds import Kind
from lbdns.base.wording import counted, printable
from lbdns.base.words import STORED
from lbdns.manage.store.item import Item
from lbdns.manage.store.refusals import Unavailable
from lbdns.model.view_names import VIEW

NAMED_MAX: Final = 5
"""How many a refusal names."""
_TEXT_CHARS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One of them: `kind`, `id`, `zone_id` and `text` (the body) as its row has them, `why` it cannot be read.

    `name` is what it seems to be called, "" where that cannot be told either, and `view` the view that it seems to be
    of.
    """

    kind: str
    id: str
    zone_id: str
    text: str
    why: tuple[str, ...]
    name: str = ""
    created_on: str = ""
    view: str = ""

    @property
    def called(self) -> str:
        """What it is called: its kind, its name and its id."""
        words = Kind(self.kind).words if self.kind in [*Kind] else f'object of the kind "{printable(self.kind)}"'
        name = f' "{printable(self.name[:_TEXT_CHARS_MAX])}"' if self.name else ""
        return f"{words}{name} ({printable(self.id)})"

    def shown(self) -> dict[str, Any]:
        """Return it as the API says it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "zone_id": self.zone_id or None,
            "created_on": self.created_on,
            "why": list(self.why),
            "text": self.text,
        }

    def problem(self) -> Problem:
        """Return it as a problem of a configuration."""
        way = f"`lbdns store show {self.id}` prints it, `lbdns store repair` and `lbdns store delete` mend that"
        return Problem(STORED, 0, self.called, f"cannot be read: {'; '.join(self.why)}; {way}")


def refusal(unreadable: Sequence[Unreadable]) -> ConfigError:
    """Return what is said where a store with such objects is to be served."""
    return ConfigError(one.problem() for one in unreadable)


def in_the_way(unreadable: Sequence[Unreadable]) -> Unavailable:
    """Return the refusal of a change that leaves them as they are."""
    named = ", ".join(one.called for one in unreadable[:NAMED_MAX])
    more = f" and {len(unreadable) - NAMED_MAX} more" if len(unreadable) > NAMED_MAX else ""
    count = counted(len(unreadable), "stored object")
    return Unavailable(
        f"{count} cannot be read, and would be missing from what is served: {named}{more}; `lbdns store check` says "
        "why, `lbdns store repair` or `lbdns store delete` comes first"
    )


def read_row(row: Sequence[Any]) -> Item | Unreadable:
    """Return the object of a row: kind, id, body, zone id, made, changed, revision, disabled at, is local."""
    kind, id, body, zone_id, made, changed, revision, since, is_local = row
    why = []
    if kind not in [*Kind]:
        why.append(f'this release knows no objects of the kind "{printable(str(kind))}"')
    value: Any = None
    try:
        value = json.loads(body)
    except (ValueError, TypeError, RecursionError) as error:
        why.append(f"its body is no JSON: {error}")
    else:
        if not isinstance(value, dict):
            why.append("its body is no JSON object")
    times: tuple[tuple[str, str], ...] = ()
    try:
        times = times_of(since)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        why.append(f"its times of disabling are no JSON object: {error}")
    texts = (kind, id, zone_id, made, changed)
    if not all(isinstance(one, str) and is_text(one) for one in texts) or not isinstance(revision, int):
        why.append("its row has values of other types than it is to have")
    if why:
        return Unreadable(
            str(kind), str(id), str(zone_id), _shown(body), tuple(why), _name(value), str(made), _text(value, VIEW)
        )
    return Item(Kind(kind), id, value, zone_id, made, changed, revision, times, bool(is_local))


def times_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return times of disabling as a row has them; raises ValueError, TypeError or AttributeError."""
    return tuple(json.loads(text).items()) if text else ()


def set_aside(item: Item, why: Iterable[str]) -> Unreadable:
    """Return an object whose row can be read, and whose body cannot."""
    text = json.dumps(item.body, ensure_ascii=False)
    name, view = _name(item.body), _text(item.body, VIEW)
    return Unreadable(item.kind.value, item.id, item.zone_id, text, tuple(why), name, item.created_on, view)


def _name(body: Any) -> str:
    return _text(body, "name")


def _text(body: Any, field: str) -> str:
    value = body.get(field, "") if isinstance(body, Mapping) else ""
    return value if isinstance(value, str) and is_text(value) else ""


def _shown(body: Any) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)
