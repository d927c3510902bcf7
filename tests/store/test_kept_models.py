"""Models by name and ids by name, altered where few are others, held to what is made anew; what was given before stays
as it was."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.config.yaml.source import Placed, Source
from lbdns.manage.store.item import Item
from lbdns.manage.store.kept_models import KeptModels


def placed_of(item: Item) -> Placed[Any]:
    return Placed(item, Source("store", 0, "pools", item.name))


@pytest.mark.parametrize("seed", range(10))
def test_what_is_altered_is_what_would_be_made_anew(seed: int) -> None:
    draw, kept, items, number = Random(seed), KeptModels(), dict[str, Item](), 0
    given: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for _ in range(100):
        items = dict(items)
        for _ in range(draw.randint(0, 2)):
            number += 1
            kind = draw.choice(("new", "other", "other", "other", "gone", "renamed"))
            if kind == "new" or not items:
                items[f"id{number}"] = Item(Kind.POOL, f"id{number}", {"name": f"name{number}"})
                continue
            id = draw.choice([*items])
            if kind == "gone":
                del items[id]
            else:
                name = f"name{number}" if kind == "renamed" else items[id].name
                items[id] = Item(Kind.POOL, id, {"name": name, "step": number})
        models = kept.read(items, placed_of)
        sources, placed = kept.by_name(models)
        assert [*placed.items()] == [(one.name, placed_of(one)) for one in items.values()]
        assert [*sources.items()] == [(one.name, placed_of(one).source) for one in items.values()]
        assert [*kept.ids_by_name(placed).items()] == [(one.name, id) for id, one in items.items()]
        given.append((placed, dict(placed)))
    assert all(one == then for one, then in given)


def test_ids_are_the_very_same_while_names_are() -> None:
    kept, items = KeptModels(), {f"id{at}": Item(Kind.POOL, f"id{at}", {"name": f"name{at}"}) for at in range(9)}
    ids = kept.ids_by_name(kept.by_name(kept.read(items, placed_of))[1])
    other = {**items, "id4": Item(Kind.POOL, "id4", {"name": "name4", "step": 1})}
    placed = kept.by_name(kept.read(other, placed_of))[1]
    assert kept.ids_by_name(placed) is ids and placed["name4"].item is other["id4"]
