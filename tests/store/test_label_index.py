"""Objects by label from state to state: the same as found anew, and the others are not looked at."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.store import edit as edits
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Change, Item
from lbdns.manage.store.label_index import LabelIndex
from lbdns.manage.store.refusals import NotUnique
from lbdns.manage.store.state import State, StateDraft

BALANCER = Kind.LOAD_BALANCER
ORIGINS = [{"name": "a", "address": "192.0.2.1"}]


def balancer(id: str, name: str, kind: str = "A", view: str = "") -> Item:
    body: dict[str, Any] = {"name": name, "type": kind}
    return Item(BALANCER, id, {**body, "view": view} if view else body)


def called(items: Iterable[Item]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for item in items:
        found.setdefault(item.label, set()).add(item.id)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_after_random_changes_it_is_as_made_anew(seed: int) -> None:
    """So many that what was altered is folded into the rest several times over; what came before stays as it was."""
    chance = Random(seed)
    names = [f"n{number}" for number in range(400 if seed % 2 else 3000)]
    states = [State.of([balancer(str(number), names[number]) for number in range(60)], 0)]
    states[0].named(BALANCER, "n0")
    for number in range(60, 760):
        before = states[-1]
        items = [*before.all(BALANCER).values()]
        changes = []
        for one in chance.sample(items, min(len(items), chance.randint(0, 3))):
            other = balancer(one.id, chance.choice(names), chance.choice(("A", "MX")), chance.choice(("", "", "lab")))
            changes.append(Change(one, chance.choice((None, other, other))))
        changes += [Change(None, balancer(str(number * 10 + one), chance.choice(names))) for one in range(3)]
        draft = StateDraft(before)
        for change in changes:
            draft.put(change)
        states += [before.changed(changes, number)]
        for now in (draft, states[-1]) if number % 50 == 0 else ():
            wanted = called(now.all(BALANCER).values())
            assert {label: {one.id for one in now.called(BALANCER, label)} for label in wanted} == wanted
            gone = called(before.all(BALANCER).values()).keys() - wanted.keys()
            assert not any(map(now.named, [BALANCER] * len(gone), gone))
    first = states[0]
    assert called(first.all(BALANCER).values()) == {
        f"n{n}": {one.id for one in first.called(BALANCER, f"n{n}")} for n in range(60)
    }


def pools(count: int) -> State:
    return State.of([Item(Kind.POOL, f"{n:032x}", {"name": f"p{n}", "origins": ORIGINS}) for n in range(count)], 0)


def test_a_change_looks_at_no_other_object(monkeypatch: pytest.MonkeyPatch) -> None:
    state = pools(300)
    asked: list[str] = []
    made: list[int] = []
    of = LabelIndex.of

    def key(item: Item) -> tuple[str, ...]:
        asked.append(item.id)
        return (item.name,)

    def counted(items: Iterable[Item]) -> LabelIndex:
        made.append(1)
        return of(items)

    monkeypatch.setattr(edits, "unique_key", key)
    monkeypatch.setattr(LabelIndex, "of", staticmethod(counted))
    for number in range(3):
        edit = Edit(state, 0.0)
        edit.create(Kind.POOL, {"name": f"new{number}", "origins": ORIGINS})
        edit.patch(Kind.POOL, f"{7:032x}", {"description": str(number)})
        state = state.changed(edit.finish(), number + 1)
    assert asked == [] and len(made) == 1


def test_the_second_of_one_name_is_told() -> None:
    state = pools(3)
    edit = Edit(state, 0.0)
    edit.patch(Kind.POOL, f"{0:032x}", {"name": "p2"})
    with pytest.raises(NotUnique, match='a pool "p2" already') as told:
        edit.finish()
    assert told.value.name == "p2"
    swapped = Edit(state, 0.0)
    swapped.patch(Kind.POOL, f"{0:032x}", {"name": "p2"})
    swapped.patch(Kind.POOL, f"{2:032x}", {"name": "p0"})
    after = state.changed(swapped.finish(), 1)
    assert [after.named(Kind.POOL, name).id[-1] for name in ("p0", "p1", "p2")] == ["2", "1", "0"]  # type: ignore[union-attr]
