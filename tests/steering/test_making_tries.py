"""Tries that are made beside others' work: in order, whole when they are asked for, and without a thread as well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lbdns.base.side_work import SideWork
from lbdns.snapshot.compile.node_room import NodeRoom
from lbdns.snapshot.compile.tries import PrefixTree, Tries, private_tree
from lbdns.steering.kernel.numbers import TRIE_WIDTH


def no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def slowly() -> PrefixTree:
    time.sleep(0.05)
    return private_tree()


@pytest.fixture(params=["in a thread", "in place"])
def _lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in place":
        monkeypatch.setattr(ThreadPoolExecutor, "_adjust_thread_count", no_thread)


@pytest.mark.usefixtures("_lane")
def test_side_work_is_done_in_order_and_what_fails_is_raised_where_it_is_waited_for() -> None:
    done: list[int] = []
    work = SideWork()
    for number in range(100):
        work.begin(lambda number=number: done.append(number))  # type: ignore[misc]
    work.end()
    work.settle()
    assert done == [*range(100)] and not work.is_under_way


def test_side_work_leaves_its_caller_to_go_on_and_raises_where_it_is_waited_for() -> None:
    work, go_on = SideWork(), threading.Event()
    work.begin(lambda: [][1] if go_on.wait(10) else None)
    assert work.is_under_way
    go_on.set()
    with pytest.raises(IndexError):
        work.settle()


@pytest.mark.usefixtures("_lane")
@pytest.mark.parametrize("make", [private_tree, slowly])
def test_tries_are_those_of_trees_one_behind_the_other(make: Callable[[], PrefixTree]) -> None:
    alone = Tries()
    alone.add("one", private_tree, 2)
    alone.finish()
    tries = Tries()
    assert [tries.add(key, make, 2) for key in "ab"] == [0, 1] and tries.find("b") == 1
    assert tries.add_made("c", alone._wides[0]) == 2
    tries.finish()
    assert tries.nodes.tobytes() == b"".join(alone._wides[0].moved(one.first).nodes.tobytes() for one in tries._wides)
    assert [one.first for one in tries._wides] == [0, alone._node_count, 2 * alone._node_count]
    assert len(tries.roots) == 6 and tries.size == 3 * alone.size == tries.nodes.nbytes


@pytest.mark.parametrize(
    ("recalled", "added", "are_same"), [("ab", "", True), ("a", "", False), ("ba", "", False), ("ab", "c", False)]
)
def test_tries_of_before_serve_again_where_all_of_them_do(recalled: str, added: str, are_same: bool) -> None:
    before = Tries()
    for key in "ab":
        before.add(key, private_tree, 2)
    before.finish()
    tries = Tries(before)
    for key in recalled:
        assert tries.recall(key) is not None
    for key in added:
        assert tries.recall(key) is None and not tries.knows(key)
        tries.add(key, slowly, 2)
    tries.finish()
    assert (tries.nodes is before.nodes) == are_same
    anew = Tries()
    for key in recalled + added:
        anew.add(key, private_tree, 2)
    anew.finish()
    assert np.array_equal(tries.nodes, anew.nodes) and np.array_equal(tries.roots, anew.roots)


def test_room_for_nodes_grows_and_keeps_what_is_there() -> None:
    room = NodeRoom()
    parts = [np.full(TRIE_WIDTH * count, count, np.uint32) for count in (1, 100_000, 0, 300_000)]
    for part in parts:
        room.append(part)
    assert np.array_equal(room.numbers(), np.concatenate(parts))
