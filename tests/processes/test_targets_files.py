"""The files that tell the monitor worker of a generation: written where they say something else, and read then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration import Configuration
from lbdns.monitor.targets import LoadedTargets, Targets, load_targets
from lbdns.publish.publisher import Published, Publisher
from tests.processes.load import configuration


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    """A run directory of nobody."""
    directory = RunDirectory(tmp_path / "state")
    yield directory
    directory.remove()


@pytest.fixture
def publisher(run: RunDirectory) -> Publisher:
    return Publisher(Control.create(run.control), run)


@pytest.fixture
def whole(tmp_path: Path) -> Configuration:
    """Two load balancers over two pools, which a monitor judges."""
    tree: dict[str, Any] = configuration()
    tree["monitors"] = {"web": {"type": "http"}}
    tree["pools"] = {
        name: {"origins": [{"name": "e", "address": f"192.0.2.{last}"}], "monitor": "web"}
        for name, last in (("one", 1), ("two", 2))
    }
    tree["load_balancers"] = [
        {"name": f"{name}.example.com", "default_pools": [name], "fallback_pool": "two"} for name in ("one", "two")
    ]
    return parse(tree, tmp_path).configuration


def published(publisher: Publisher, wanted: Configuration) -> Published:
    made = publisher.prepare(wanted)
    publisher.publish(made)
    return made


def inodes(run: RunDirectory, generation: int) -> list[int]:
    """The files of the lists: of pools, of load balancers."""
    return [path.stat().st_ino for path in run.all_targets(generation)[1:]]


def read(run: RunDirectory, generation: int, known: LoadedTargets | None) -> tuple[LoadedTargets, Targets]:
    """What a worker has that knows an earlier generation, and what one has that knows none."""
    path = run.targets(generation)
    return load_targets(path, generation, known), load_targets(path, generation).targets


def with_ttl(whole: Configuration, ttl: int) -> Configuration:
    first, *others = whole.load_balancers
    return replace(whole, load_balancers=(first.model_copy(update={"ttl": ttl}), *others))


def with_address(whole: Configuration, address: str) -> Configuration:
    pool = whole.pools["one"]
    endpoint = pool.origins[0].model_copy(update={"address": address})
    return replace(whole, pools={**whole.pools, "one": pool.model_copy(update={"origins": (endpoint,)})})


def test_a_list_that_says_the_same_is_neither_written_nor_read_again(
    run: RunDirectory, publisher: Publisher, whole: Configuration
) -> None:
    published(publisher, whole)
    first, anew = read(run, 1, None)
    assert first.targets == anew and [pool.name for pool in anew.pools] == ["one", "two"] and len(anew.balancers) == 2
    written = [inodes(run, 1)]
    published(publisher, with_ttl(whole, 61))
    second, anew = read(run, 2, first)
    written.append(inodes(run, 2))
    assert written[1] == written[0] and second.repeats == 1 and second.targets == anew
    published(publisher, with_address(whole, "192.0.2.7"))
    third, anew = read(run, 3, second)
    written.append(inodes(run, 3))
    assert written[2][0] != written[0][0] and written[2][1] == written[0][1]
    assert third.targets == anew and anew.pools[0].endpoints[0].address == "192.0.2.7"
    assert third.targets.balancers is first.targets.balancers and third.repeats == 0
    assert sorted(path.name for path in run.path.glob("pools-*")) == ["pools-2.json", "pools-3.json"]


def with_many(whole: Configuration, count: int) -> Configuration:
    """So many more pools and load balancers."""
    pools = {f"p{number}": whole.pools["one"].model_copy(update={"name": f"p{number}"}) for number in range(count)}
    first = whole.load_balancers[0]
    balancers = [first.model_copy(update={"name": f"b{number}.example.com"}) for number in range(count)]
    return replace(whole, pools={**whole.pools, **pools}, load_balancers=(*whole.load_balancers, *balancers))


def test_a_change_of_few_of_many_writes_no_list_anew_and_leaves_all_others_the_objects_that_they_were(
    run: RunDirectory, publisher: Publisher, whole: Configuration
) -> None:
    many = with_many(whole, 64)
    published(publisher, many)
    first, _ = read(run, 1, None)
    written = inodes(run, 1)
    published(publisher, with_address(many, "192.0.2.7"))
    second, anew = read(run, 2, first)
    assert inodes(run, 2) == written and second.targets == anew
    assert anew.pools[0].endpoints[0].address == "192.0.2.7" and anew.pools[1:] == first.targets.pools[1:]
    assert [one is other for one, other in zip(second.targets.pools, first.targets.pools, strict=True)].count(
        False
    ) == 1
    new = many.load_balancers[0].model_copy(update={"name": "new.example.com"})
    more = replace(with_address(many, "192.0.2.7"), load_balancers=(new, *many.load_balancers))
    published(publisher, more)
    third, anew = read(run, 3, second)
    assert inodes(run, 3) == written and third.targets == anew
    assert [one.name.partition(".")[0] for one in anew.balancers[:2]] == ["new", "one"]
    assert third.targets.pools[0] is second.targets.pools[0]
    assert all(map(lambda one, other: one is other, third.targets.balancers[1:], second.targets.balancers))
    last = replace(more, pools={**more.pools, **with_many(with_address(whole, "192.0.2.9"), 32).pools})
    last = replace(last, pools={**last.pools, "one": more.pools["one"]})
    published(publisher, last)
    fourth, anew = read(run, 4, third)
    assert inodes(run, 4)[0] != written[0] and inodes(run, 4)[1] == written[1] and fourth.targets == anew
    assert fourth.targets.pools[0] is third.targets.pools[0], "it was an edit, and stands in the list now"


def test_pools_are_judged_by_the_monitors_that_the_document_has_now(
    run: RunDirectory, publisher: Publisher, whole: Configuration
) -> None:
    published(publisher, whole)
    first, _ = read(run, 1, None)
    monitor = whole.monitors["web"].model_copy(update={"interval": 77})
    published(publisher, replace(whole, monitors={"web": monitor}))
    second, anew = read(run, 2, first)
    assert second.targets == anew and anew.pools[0].members[0].monitor.interval == 77


def test_what_was_not_served_leaves_nothing_that_is_taken_for_a_list(
    run: RunDirectory, publisher: Publisher, whole: Configuration
) -> None:
    published(publisher, whole)
    first, _ = read(run, 1, None)
    publisher.abandon(publisher.prepare(with_address(whole, "192.0.2.8")))
    assert not [path for path in run.all_targets(2) if path.exists()]
    for address in ("192.0.2.8", "192.0.2.9"):
        made = published(publisher, with_address(whole, address))
        known, anew = read(run, made.generation, first)
        assert known.targets == anew and anew.pools[0].endpoints[0].address == address
        first = known
