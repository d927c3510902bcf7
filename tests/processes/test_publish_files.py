"""The files of generations: which are written, which are shared, and when they go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import Snapshot
from lbdns.processes.responder.view_in_force import Views
from lbdns.publish.publisher import Published, Publisher
from tests.places.databases import write_database
from tests.processes.load import configuration


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path / "state")
    yield run
    run.remove()


@pytest.fixture
def publisher(run: RunDirectory) -> Publisher:
    return Publisher(Control.create(run.control), run)


def prepare(publisher: Publisher, ttl: int, country: str = "DE") -> Published:
    """Make a generation whose load balancer tells one country from the others."""
    tree = configuration()
    tree["pools"] |= {"spare": {"origins": [{"name": "e", "address": "192.0.2.7"}]}}
    tree["load_balancers"][0] |= {"ttl": ttl, "steering_policy": "geo", "country_pools": {country: ["spare"]}}
    return publisher.prepare(parse(tree, Path()).configuration)


def names(run: RunDirectory, pattern: str) -> list[str]:
    return sorted(path.name for path in run.path.glob(pattern))


def test_generations_share_their_tries_while_places_are_cut_up_alike(run: RunDirectory, publisher: Publisher) -> None:
    publisher.publish(prepare(publisher, 30))
    views = Views(Control.attach(run.control), run)
    first = views.current().snapshot
    publisher.publish(prepare(publisher, 60))
    second = views.current().snapshot
    assert names(run, "tries-*") == ["tries-1.bin"]
    assert second.columns["lb_ttl"][0] == 60 and second.parts[1] is first.parts[1]
    assert second.columns["trie_nodes"] == first.columns["trie_nodes"]
    publisher.publish(prepare(publisher, 60, "FR"))
    third = views.current().snapshot
    assert third.parts[1] is not second.parts[1]
    assert names(run, "tries-*") == ["tries-1.bin", "tries-3.bin"]
    publisher.publish(prepare(publisher, 30, "FR"))
    assert names(run, "tries-*") == ["tries-3.bin"]
    assert names(run, "snapshot-*") == ["snapshot-3.bin", "snapshot-4.bin"]
    assert views.current().snapshot.columns["trie_nodes"] == third.columns["trie_nodes"] != first.columns["trie_nodes"]


def test_pages_that_another_snapshot_has_as_well_are_left_alone(run: RunDirectory, publisher: Publisher) -> None:
    for ttl in (30, 60):
        publisher.publish(prepare(publisher, ttl))
    first = Snapshot.open(run.snapshot(1))
    second = Snapshot.open(run.snapshot(2), first)
    alone, beside = (len(list(second.fault_in(other))) for other in (None, first))
    assert alone > beside == 1, "a piece for the snapshot itself; its tries are there"
    assert len(list(first.let_go(second))) == 1 and len(list(first.let_go())) == alone
    assert bytes(first.columns["lb_ttl"]) != bytes(second.columns["lb_ttl"])


def test_a_generation_that_is_not_served_takes_its_tries_along(run: RunDirectory, publisher: Publisher) -> None:
    publisher.publish(prepare(publisher, 30))
    publisher.abandon(prepare(publisher, 30, "FR"))
    assert names(run, "tries-*") == ["tries-1.bin"]
    publisher.abandon(prepare(publisher, 60))
    publisher.publish(prepare(publisher, 60))
    opened = Snapshot.open(run.snapshot(2))
    assert opened.parts[1].path in (run.tries(1), run.tries(2)) and opened.columns["lb_ttl"][0] == 60


def test_what_an_earlier_version_left_serving_does_not_stop_a_change(run: RunDirectory, publisher: Publisher) -> None:
    publisher.publish(prepare(publisher, 30))
    run.snapshot(1).write_bytes(b"lbdns\x00s1" + bytes(64))
    with pytest.raises(LbdnsError, match="not a snapshot of this version"):
        Snapshot.open(run.snapshot(1))
    for ttl in (31, 32):
        publisher.publish(prepare(publisher, ttl))
    assert names(run, "snapshot-*") == ["snapshot-2.bin", "snapshot-3.bin"]
    assert Snapshot.open(run.snapshot(3)).columns["lb_ttl"][0] == 32


def test_what_the_databases_lack_is_told_once(
    tmp_path: Path, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    half = write_database(tmp_path / "x-ipv6.mmdb", [("2001:db8::/32", {"country_code": "DE"})])
    settings = {"geodata": {"city": str(half)}}
    for _ in range(2):
        publisher.publish(publisher.prepare(parse(configuration() | {"settings": settings}, tmp_path).configuration))
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert told.startswith("x-ipv6.mmdb: this file knows no IPv4 addresses, so every IPv4 client is at an unknown")
