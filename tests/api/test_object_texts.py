"""The text of many objects is octet for octet what each is shown as, whatever it leaves out."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import pytest
from pydantic_core import to_json

from lbdns.base.kinds import BALANCING, Kind
from lbdns.manage.api.frame.object_shapes import SHOWN_FIELDS, shown
from lbdns.manage.api.frame.object_texts import AT_ONCE, shown_texts
from lbdns.manage.store.disabling import origin_key
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State

ZONE = Item(Kind.ZONE, "e" * 32, {"name": "example.com"})
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    30,
    0.5,
    "",
    "100 %",
    '%b "q" \\ ,',
    "bücher",
    [],
    ["a", "b"],
    {},
    {"WEU": ["a"]},
)
ORIGINS: tuple[dict[str, Any], ...] = (
    {"name": "one", "address": "192.0.2.1"},
    {"name": "two", "address": "192.0.2.2", "weight": 0.5},
)


class OneZone:
    """A state that has one zone."""

    def get(self, kind: Kind, id: str) -> Item | None:
        """Return an object."""
        return ZONE if (kind, id) == (Kind.ZONE, ZONE.id) else None


STATE = cast("State", OneZone())


def made(kind: Kind, chance: random.Random, number: int) -> Item:
    """Return an object that gives some fields, in any order."""
    names = [one.name for one in SHOWN_FIELDS[kind]]
    body = {name: chance.choice(VALUES) for name in chance.sample(names, chance.randrange(len(names) + 1))}
    if "origins" in names:
        body["origins"] = list(ORIGINS)
    body |= {"name": f"object {number}", "a field that is not shown": 1}
    zone = chance.choice(("", ZONE.id, "f" * 32))
    since = "2026-01-02T00:00:00Z"
    disabled = ((origin_key(ORIGINS[1]) if "origins" in names else "", since),) if chance.random() < 0.1 else ()
    times = "2026-01-01T00:00:00Z", f"2026-01-01T00:00:{number % 60:02}Z"
    return Item(kind, f"{number:032x}", body, zone, *times, number, disabled)


@pytest.mark.parametrize("kind", BALANCING)
def test_texts_are_what_each_is_shown_as(kind: Kind) -> None:
    chance = random.Random(f"texts of {kind}")
    items = [made(kind, chance, number) for number in range(300)]
    text = b"[" + b"".join(shown_texts(items, STATE)) + b"]"
    assert text == to_json([shown(item, STATE) for item in items])


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
def test_there_is_a_comma_between_any_two(count: int) -> None:
    chance = random.Random(count)
    items = [made(Kind.LOAD_BALANCER, chance, number) for number in range(count)]
    text = b"[" + b"".join(shown_texts(items, STATE)) + b"]"
    assert [one["id"] for one in json.loads(text)] == [item.id for item in items]
