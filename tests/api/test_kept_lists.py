"""Long lists in pieces: whatever came, went or changed, they say what all texts say, and little is made anew."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, cast

import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.api.frame import kept_lists
from lbdns.manage.api.frame.content_codings import takes_gzip
from lbdns.manage.api.frame.kept_lists import LISTS_MAX, PIECE_MAX, KeptLists
from lbdns.manage.api.frame.object_texts import shown_texts
from lbdns.manage.store.item import Item
from lbdns.manage.store.state import State

ZONE = "e" * 32


class OneZone:
    """A state that has a zone."""

    def __init__(self, name: str = "example.com") -> None:
        self._zone = Item(Kind.ZONE, ZONE, {"name": name})

    def get(self, kind: Kind, id: str) -> Item | None:
        """Return an object."""
        return self._zone if (kind, id) == (Kind.ZONE, ZONE) else None


STATE = cast("State", OneZone())


def made(chance: random.Random, zone_id: str = ZONE) -> Item:
    """Return a load balancer with an id as they are drawn."""
    body = {"name": f"w{chance.randrange(1_000_000)}.example.com", "default_pools": [f"{chance.getrandbits(128):032x}"]}
    return Item(Kind.LOAD_BALANCER, f"{chance.getrandbits(128):032x}", body, zone_id)


def listed(lists: KeptLists, items: list[Item], state: State = STATE) -> bytes:
    """Return a list as its pieces say it."""
    return b",".join(piece.text for piece in lists.pieces(items, state))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The objects of each piece that is made, counted."""
    counts: list[int] = []

    def count(items: Any, *more: Any) -> Any:
        counts.append(len(items))
        return shown_texts(items, *more)

    monkeypatch.setattr(kept_lists, "shown_texts", count)
    return counts


def test_random_changes_are_all_seen(encoded: list[int]) -> None:
    chance = random.Random("kept lists")
    lists = KeptLists()
    items = [made(chance) for _ in range(3000)]
    for turn in range(60):
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(items) + 1)
            match chance.randrange(4):
                case 0:
                    items.insert(at, made(chance))
                case 1:
                    items.append(made(chance))
                case 2:
                    del items[at : at + chance.choice((1, 1, 300))]
                case _:
                    at = min(at, len(items) - 1)
                    items[at] = replace(items[at], body={**items[at].body, "ttl": 30 + turn})
        del encoded[:]
        assert listed(lists, [*items]) == b"".join(shown_texts(items, STATE))
        assert turn == 0 or sum(encoded) <= 7 * PIECE_MAX
    del encoded[:]
    assert listed(lists, items) == b"".join(shown_texts(items, STATE))
    assert not encoded


def test_one_that_changes_costs_its_piece_alone(encoded: list[int]) -> None:
    chance = random.Random(3)
    lists = KeptLists()
    items = [made(chance) for _ in range(5000)]
    listed(lists, items)
    assert len(encoded) > 10
    for at in (0, 2500, 4999):
        del encoded[:]
        items[at] = replace(items[at], body={**items[at].body, "enabled": False})
        listed(lists, items)
        assert len(encoded) == 1
    del encoded[:]
    items.append(made(chance))
    listed(lists, items)
    assert len(encoded) == 1


def test_ids_that_never_end_a_piece_do_not_make_it_endless(encoded: list[int]) -> None:
    items = [replace(made(random.Random(number)), id=f"{number:031x}1") for number in range(2 * PIECE_MAX + 1)]
    assert listed(KeptLists(), items) == b"".join(shown_texts(items, STATE))
    assert encoded == [PIECE_MAX, PIECE_MAX, 1]


def test_a_zone_of_another_name_is_told_of_all(encoded: list[int]) -> None:
    items = [made(random.Random(number)) for number in range(600)]
    lists = KeptLists()
    listed(lists, items)
    renamed = cast("State", OneZone("example.net"))
    assert listed(lists, items, renamed) == b"".join(shown_texts(items, renamed))


def test_lists_that_were_not_asked_for_lately_are_forgotten(encoded: list[int]) -> None:
    lists = KeptLists()
    each = [[made(random.Random(number), f"{number:032x}")] for number in range(LISTS_MAX + 1)]
    for items in each:
        listed(lists, items)
    del encoded[:]
    listed(lists, each[1])  # which is among the last, and now the very last
    assert not encoded
    listed(lists, each[0])
    listed(lists, each[1])
    assert encoded == [1]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5, br", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*", True),
        ("*;q=0", False),
        ("identity", False),
        ("br, deflate", False),
        ("gzip;q=much", False),
        ("gzip;level=1", True),
    ],
)
def test_who_takes_gzip(accepted: str, expected: bool) -> None:
    assert takes_gzip(accepted) == expected
