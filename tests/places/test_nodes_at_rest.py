"""Nodes of trees that rest: the same nodes, in memory that the system has back until somebody reads one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.places import geodata
from lbdns.places.nodes_at_rest import leave_to_the_system, rest_in, rested
from lbdns.publish.publisher import Publisher
from lbdns.snapshot.compile import place_classes
from lbdns.steering.policies.units import Unit
from tests.processes.test_publish_files import prepare

ROWS = 300_000


def nodes() -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.arange(2 * ROWS, dtype=np.int32).reshape(ROWS, 2)


def resident_bytes(folder: Path) -> int:
    """Return how much of the files in a folder this process has in its memory."""
    text = Path("/proc/self/smaps").read_text()
    parts = re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", text)
    own = [part for part in parts if str(folder) in part.partition("\n")[0]]
    return 1024 * sum(int(size) for part in own for size in re.findall(r"(?m)^Rss: +(\d+)", part))


def test_nodes_that_rest_take_no_memory_until_they_are_read(tmp_path: Path) -> None:
    with rest_in(tmp_path):
        found = rested(nodes())
    assert not found.flags.writeable and not list(tmp_path.iterdir())
    assert np.array_equal(found, nodes()) and found.shape == (ROWS, 2)
    assert resident_bytes(tmp_path) >= found.nbytes
    leave_to_the_system()
    assert resident_bytes(tmp_path) == 0
    assert np.array_equal(found[-7:], nodes()[-7:])
    assert 0 < resident_bytes(tmp_path) < found.nbytes
    del found
    leave_to_the_system()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


def test_nodes_stay_where_they_are_where_there_is_nowhere_to_rest(tmp_path: Path) -> None:
    made = nodes()
    assert rested(made) is made and not made.flags.writeable
    with rest_in(tmp_path):
        few = nodes()[:9]
        assert rested(few) is few
    with rest_in(tmp_path / "none"):
        assert rested(made) is made
    assert rested(made) is made


def test_what_a_server_compiles_geolocation_from_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geodata, "_place_cache", {})
    monkeypatch.setattr(place_classes, "_held", [])
    run = RunDirectory(tmp_path / "state")
    with rest_in(tmp_path):
        prepare(Publisher(Control.create(run.control), run), 30)
    run.remove()
    index = place_classes.place_index(geodata.Geodata.open().tree)
    for tree in (index.places, index.tree(Unit.COUNTRY)):
        assert not tree.nodes.flags.owndata and tree.nodes.nbytes > 1_000_000
    assert resident_bytes(tmp_path) == 0
