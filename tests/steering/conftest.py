"""Lanes and worlds for the tests of steering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from lbdns.places.geodata import Geodata
from tests.steering.naive_places import Network, Place
from tests.steering.naive_world import World
from tests.steering.scenes import TREE, Asker
from tests.steering.served import Lane, Served, compiled_lane, interpreted_lane, write_geodata
from tests.steering.strategies import draw_tree

TREE_COUNT = 10
LANES = [lane for lane in (interpreted_lane(), compiled_lane()) if lane is not None]

Toy = tuple[dict[Network, Place], Geodata]
Serve = Callable[..., Served]


@pytest.fixture(scope="session", params=LANES, ids=lambda lane: lane.name)
def lane(request: pytest.FixtureRequest) -> Lane:
    """`decide` as plain Python and, where it is installed, as the compiled extension."""
    found: Lane = request.param
    return found


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> list[Toy]:
    """Toy geolocation trees, as dictionaries and as files; the first is empty but for one network."""
    folder = tmp_path_factory.mktemp("geodata")
    found = []
    for seed in range(TREE_COUNT):
        tree = draw_tree(Random(seed), size=1 if seed == 0 else 20 + 5 * seed)
        found.append((tree, write_geodata(tree, folder / f"toy-{seed}.mmdb")))
    return found


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Return a function (world, geodata) -> Served, which is closed when the test ends."""
    opened: list[Served] = []

    def start(world: World, geodata: Geodata) -> Served:
        folder = tmp_path / str(len(opened))
        folder.mkdir()
        opened.append(Served(world, geodata, folder))
        return opened[-1]

    yield start
    for served in opened:
        served.close()


@pytest.fixture(scope="session")
def scene_geodata(tmp_path_factory: pytest.TempPathFactory) -> Geodata:
    """The tree of the hand-made scenes as a file."""
    return write_geodata(TREE, tmp_path_factory.mktemp("scenes") / "scenes.mmdb")


@pytest.fixture
def ask(lane: Lane, serve: Serve, scene_geodata: Geodata) -> Asker:
    """Ask `decide` about a hand-made scene; the oracle is asked too, and must agree."""
    return Asker(lane, lambda world: serve(world, scene_geodata))
