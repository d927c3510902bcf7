"""Renames under queries: a check that stays the same keeps its result, and no moment has a wrong answer."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lbdns.testing import LbdnsServer, running_server
from tests.processes.load import NAME, ZONE, load_on
from tests.processes.test_reload import eventually

pytestmark = pytest.mark.process

Tree = dict[str, Any]
UP, ALSO_UP, DOWN = "127.0.0.11", "127.0.0.12", "127.0.0.13"
INTERVAL_S = 5  # long enough that nothing is mended by the next probe while a test lasts
FALLBACK = "192.0.2.99"


def pool(monitor: str, **addresses: str) -> Tree:
    return {
        "monitor": monitor,
        "origins": [{"name": name, "address": address, "weight": 1} for name, address in addresses.items()],
    }


TREE: Tree = {
    "zones": {"example.com": ZONE},
    "monitors": {"web": {"type": "http", "interval": INTERVAL_S, "timeout": 1}},
    "monitor_groups": {"both": {"members": [{"monitor": "web"}]}},
    "pools": {
        "good": pool("web", one=UP, two=DOWN),
        "bad": pool("web", one=DOWN),
        "other": pool("web", one=ALSO_UP),
        "last": {"origins": [{"name": "x", "address": FALLBACK}]},
    },
    "load_balancers": [{"name": NAME, "default_pools": ["good"], "fallback_pool": "last", "ttl": 30}],
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LbdnsServer, Tree]]:
    """Return a server of TREE with one endpoint down, and the objects that it serves, as its file has them."""
    with running_server(TREE, tmp_path_factory.mktemp("renames")) as server:
        for path in ("good/two", "bad/one"):
            server.set_endpoint(path, up=False)
        yield server, yaml.safe_load((server.directory / "objects.yaml").read_text())


@pytest.fixture
def server(running: tuple[LbdnsServer, Tree]) -> Iterator[LbdnsServer]:
    """Return the server, which serves TREE before and after each test."""
    server, tree = running
    yield server
    server.reload({"objects.yaml": yaml.safe_dump(tree)})
    eventually(lambda: server.endpoint_state("good/one") == "healthy" and server.endpoint_state("bad/one") != "unknown")
    eventually(lambda: server.addresses(NAME) == [UP])


@pytest.fixture
def tree(running: tuple[LbdnsServer, Tree]) -> Tree:
    """Return the objects, to be changed."""
    return copy.deepcopy(running[1])


def renamed(found: dict[str, Any], **names: str) -> dict[str, Any]:
    """Return a mapping with some of its keys renamed."""
    return {names.get(key, key): value for key, value in found.items()}


def use(tree: Tree, *names: str) -> None:
    tree["load_balancers"][0]["default_pools"] = list(names)


def rename_the_pool(tree: Tree) -> None:
    tree["pools"] = renamed(tree["pools"], good="better")
    use(tree, "better")


def swap_pools_and_follow(tree: Tree) -> None:
    tree["pools"] = renamed(tree["pools"], good="bad", bad="good")
    use(tree, "bad")


def rename_an_endpoint(tree: Tree) -> None:
    tree["pools"]["good"]["origins"][0]["name"] = "first"


def swap_endpoints(tree: Tree) -> None:
    one, two = tree["pools"]["good"]["origins"]
    one["name"], two["name"] = two["name"], one["name"]


def rename_all(tree: Tree) -> None:
    tree["monitors"] = renamed(tree["monitors"], web="site")
    for pool in tree["pools"].values():
        if "monitor" in pool:
            pool["monitor"] = "site"
    tree["monitor_groups"]["both"]["members"][0]["monitor"] = "site"
    rename_an_endpoint(tree)
    rename_the_pool(tree)


def take_a_group(tree: Tree) -> None:
    del tree["pools"]["good"]["monitor"]
    tree["pools"]["good"]["monitor_group"] = "both"
    tree["pools"] = renamed(tree["pools"], good="better")
    use(tree, "better")


def copy_the_pool(tree: Tree) -> None:
    tree["pools"]["copy"] = copy.deepcopy(tree["pools"]["good"])
    use(tree, "copy")


def move_the_endpoint(tree: Tree) -> None:
    endpoint = tree["pools"]["good"]["origins"].pop(0)
    tree["pools"]["bad"]["origins"].append(endpoint | {"name": "moved"})
    use(tree, "bad")


@pytest.mark.parametrize(
    "change",
    [
        rename_the_pool,
        swap_pools_and_follow,
        rename_an_endpoint,
        swap_endpoints,
        rename_all,
        take_a_group,
        copy_the_pool,
        move_the_endpoint,
    ],
)
def test_what_is_checked_as_before_is_answered_as_before(
    server: LbdnsServer, tree: Tree, change: Callable[[Tree], None]
) -> None:
    change(tree)
    with load_on(server.host, server.port) as load:
        server.reload({"objects.yaml": yaml.safe_dump(tree)})
        load.wait_for(300)
    assert load.lost == 0
    assert set(load.answers) == {(30, frozenset({UP}))}


def swap_pools(tree: Tree) -> None:
    tree["pools"] = renamed(tree["pools"], good="bad", bad="good")


def swap_good_pools(tree: Tree) -> None:
    tree["pools"] = renamed(tree["pools"], good="other", other="good")


def replace_the_endpoint(tree: Tree) -> None:
    tree["pools"]["good"]["origins"] = copy.deepcopy(tree["pools"]["other"]["origins"])


def changes_of_side(sides: list[str]) -> int:
    """Return how often an answer differs from the one before it."""
    return sum(before != now for before, now in itertools.pairwise(sides))


@pytest.mark.parametrize(
    ("change", "after"), [(swap_pools, FALLBACK), (swap_good_pools, ALSO_UP), (replace_the_endpoint, ALSO_UP)]
)
def test_what_changes_its_meaning_changes_its_answer_in_one_moment(
    server: LbdnsServer, tree: Tree, change: Callable[[Tree], None], after: str
) -> None:
    change(tree)
    with load_on(server.host, server.port) as load:
        server.reload({"objects.yaml": yaml.safe_dump(tree)})
        load.wait_for(300)
    assert load.lost == 0
    sides = [next(iter(addresses)) for _, addresses in load.answers]
    assert set(sides) == {UP, after}
    assert changes_of_side(sides) == 1


def test_orders_follow_names_from_the_first_answer_on(server: LbdnsServer, tree: Tree) -> None:
    server.ask("force", pattern="b*", state="down")
    try:
        rename_the_pool(tree)
        with load_on(server.host, server.port) as load:
            server.reload({"objects.yaml": yaml.safe_dump(tree)})
            load.wait_for(300)
        sides = [next(iter(addresses)) for _, addresses in load.answers]
        assert set(sides) == {UP, FALLBACK}
        assert changes_of_side(sides) == 1
    finally:
        server.ask("force", pattern="b*", state="auto")


def test_counts_of_a_pool_go_on_when_its_endpoints_change(server: LbdnsServer, tree: Tree) -> None:
    def answers() -> int:
        pools = {row["name"]: row["total"] for row in server.ask("counters", interval_s=0, limit=10)["pools"]}
        return int(pools["good"])

    for _ in range(20):
        server.addresses(NAME)
    before = answers()
    assert before >= 20
    replace_the_endpoint(tree)
    server.reload({"objects.yaml": yaml.safe_dump(tree)})
    server.addresses(NAME)
    assert answers() >= before


def test_two_services_at_one_address_swap_their_names(tmp_path: Path) -> None:
    tree: Tree = {
        "zones": {"example.com": ZONE},
        "monitors": {"web": {"type": "http", "interval": INTERVAL_S, "timeout": 1}},
        "pools": {
            "up": pool("web", e=UP),
            "down": pool("web", e=UP),
            "last": {"origins": [{"name": "x", "address": FALLBACK}]},
        },
        "load_balancers": [{"name": NAME, "default_pools": ["up"], "fallback_pool": "last", "ttl": 30}],
    }
    with running_server(tree, tmp_path) as server:
        server.set_endpoint("down/e", up=False)
        written = yaml.safe_load((server.directory / "objects.yaml").read_text())
        origins = [written["pools"][name]["origins"][0] for name in ("up", "down")]
        assert origins[0]["port"] != origins[1]["port"]
        origins[0]["port"], origins[1]["port"] = origins[1]["port"], origins[0]["port"]
        with load_on(server.host, server.port) as load:
            server.reload({"objects.yaml": yaml.safe_dump(written)})
            load.wait_for(300)
        sides = [next(iter(addresses)) for _, addresses in load.answers]
        assert set(sides) == {UP, FALLBACK}
        assert changes_of_side(sides) == 1
