"""The files of generations: which are written, which are shared, and when they go."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.mapped import snapshot_file
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import MappedPart, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.processes.responder.view_in_force import Views
from lbdns.publish.publisher import Published, Publisher
from tests.places.databases import write_database
from tests.processes.load import configuration

APEX = "example.com"


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


def test_tries_are_in_memory_once_where_they_are_mapped(run: RunDirectory, publisher: Publisher) -> None:
    writers = (publisher, Publisher(Control.attach(run.control, writable=True), run))
    kept = publisher._memo
    for ttl, country in ((30, "DE"), (60, "DE"), (60, "FR"), (90, "DE")):
        made = prepare(publisher, ttl, country)
        assert not kept.tries.nodes.flags.owndata
        assert kept.tries.nodes.tobytes() == bytes(made.snapshot.columns["trie_nodes"])
        publisher.publish(made)
        anew = prepare(writers[1], ttl, country)
        assert anew.snapshot.columns["trie_nodes"] == made.snapshot.columns["trie_nodes"]
        writers[1].abandon(anew)


def test_what_lies_in_the_run_directory_is_not_opened_anew_by_each_generation(
    run: RunDirectory, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def open_part(part: MappedPart, path: Path) -> None:
        opened.append(path)
        made(part, path)

    made = MappedPart.__init__
    monkeypatch.setattr(MappedPart, "__init__", open_part)
    for ttl in (30, 60, 90):
        publisher.publish(prepare(publisher, ttl))
    assert [path.name for path in opened if path.name.startswith("snapshot-")] == [
        f"snapshot-{number}.bin" for number in (1, 2, 3)
    ]
    other = Publisher(Control.attach(run.control, writable=True), run)  # as after a start: what was left is not known
    assert other.resume()
    other.publish(prepare(other, 30))
    assert names(run, "snapshot-*") == ["snapshot-3.bin", "snapshot-4.bin"]
    assert {part.path for part in Snapshot.open(run.snapshot(3)).parts} <= {*run.path.iterdir()}


def test_pages_that_another_snapshot_has_as_well_are_left_alone(
    run: RunDirectory, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ttl in (30, 60):
        publisher.publish(prepare(publisher, ttl))
    first = Snapshot.open(run.snapshot(1))
    second = Snapshot.open(run.snapshot(2), first)
    monkeypatch.setattr(snapshot_file, "PIECE_BYTES", mmap.PAGESIZE)
    alone, beside = (len(list(second.fault_in(other))) for other in (None, first))
    own = second.parts[0].path.stat().st_size // mmap.PAGESIZE
    assert alone > beside == own > 0, "pieces of the snapshot itself; its tries are there"
    assert len(list(first.let_go(second))) == own and len(list(first.let_go())) == alone
    monkeypatch.undo()
    assert not [*second.fault_in(first), *first.let_go(second)], "what is less than a piece makes nobody wait"
    assert bytes(first.columns["lb_ttl"]) != bytes(second.columns["lb_ttl"])


@cache
def whole(balancers: int) -> Configuration:
    """Return load balancers over two pools."""
    tree = configuration()
    rest = [{"name": str(number), "address": f"192.0.2.{number}"} for number in range(1, 100)]
    tree["pools"] = {"one": {"origins": [{"name": "e", "address": "192.0.2.101"}]}, "rest": {"origins": rest}}
    names = [f"n{number}.{APEX}" for number in range(balancers)]
    tree["load_balancers"] = [{"name": name, "default_pools": ["one"], "fallback_pool": "rest"} for name in names]
    return parse(tree, Path()).configuration


def many(publisher: Publisher, ttl: int, address: str, balancers: int = 200) -> Published:
    """Make a generation of `whole` in which one load balancer has this TTL, and one endpoint this address; the other
    objects are the same each time, as after a change by the API."""
    found = whole(balancers)
    first, *others = found.load_balancers
    endpoint = found.pools["one"].origins[0].model_copy(update={"address": address})
    pools = {**found.pools, "one": found.pools["one"].model_copy(update={"origins": (endpoint,)})}
    changed = (first.model_copy(update={"ttl": ttl}), *others)
    return publisher.prepare(replace(found, load_balancers=changed, pools=pools))


def test_a_change_writes_the_columns_that_it_changes(
    run: RunDirectory, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew = Publisher(Control.attach(run.control, writable=True), run)
    steps = [(30, "192.0.2.101", 200), (31, "192.0.2.101", 200), (31, "192.0.2.102", 200), (32, "192.0.2.102", 200)]
    steps += [(32, "192.0.2.102", 203), (33, "192.0.2.102", 203), (33, "192.0.2.103", 203)]
    sizes, files, seen = [], [], None
    for most in (snapshot_file.PARTS_MAX, 1):
        monkeypatch.setattr(snapshot_file, "PARTS_MAX", most)
        for ttl, address, balancers in steps:
            wanted = many(anew, ttl, address, balancers)
            anew.abandon(wanted)
            made = many(publisher, ttl, address, balancers)
            publisher.publish(made)
            seen = Snapshot.open(run.snapshot(made.generation), seen)
            fresh = Snapshot.open(run.snapshot(made.generation))
            assert seen.columns.keys() == fresh.columns.keys() == wanted.snapshot.columns.keys()
            assert all(seen.columns[name] == fresh.columns[name] for name in fresh.columns)
            for name in ("lb_ttl", "endpoint_address", "table", "name_types"):
                assert fresh.columns[name] == wanted.snapshot.columns[name], (ttl, name)
            assert {part.path for part in fresh.parts} <= {*run.path.iterdir()}
            assert len(fresh.parts) <= most + 2
            sizes.append(fresh.parts[0].path.stat().st_size)
            files.append(len(names(run, "snapshot-*")))
    assert max(sizes[1:4]) < sizes[0] / 3
    assert max(files) <= 2 + snapshot_file.PARTS_MAX + 2, "those that nobody has columns in are gone"


def test_a_file_of_which_less_than_half_is_used_is_given_up(run: RunDirectory, publisher: Publisher) -> None:
    publisher.publish(many(publisher, 30, "192.0.2.101"))
    publisher.publish(many(publisher, 31, "192.0.2.101"))
    assert names(run, "snapshot-*") == ["snapshot-1.bin", "snapshot-2.bin"]
    assert {part.path.name for part in Snapshot.open(run.snapshot(2)).parts} >= {"snapshot-1.bin", "snapshot-2.bin"}
    for ttl in (32, 33, 34):
        publisher.publish(many(publisher, ttl, "192.0.2.101", 1000))
    kept = {part.path.name for part in Snapshot.open(run.snapshot(5)).parts}
    assert "snapshot-1.bin" not in kept and not run.snapshot(1).exists()


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
    run.snapshot(1).unlink()  # who has it mapped goes on with it
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
