"""What the health table says of a pool when it is first served, before the monitor worker adopts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.health.forced import Forced
from lbdns.health.identity import identity
from lbdns.health.verdict import COUNTS, CRITICAL, DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.mapped.control import Control
from lbdns.mapped.resolved import read_addresses, write_addresses
from lbdns.mapped.run_directory import RunDirectory
from lbdns.publish.publisher import Publisher
from lbdns.snapshot.slots import QUARANTINE
from tests.processes.load import configuration

MONITORS = {"web": {"type": "tcp", "port": 80}}


@pytest.fixture
def orders() -> list[Forced]:
    """Return what operators force, to be changed."""
    return []


@pytest.fixture
def publisher(tmp_path: Path, orders: list[Forced]) -> Iterator[Publisher]:
    run = RunDirectory(tmp_path / "state")
    yield Publisher(Control.create(run.control), run, lambda: orders)
    run.remove()


def publish(publisher: Publisher, **pools: dict[str, Any]) -> None:
    """Serve `main` and other pools, each with these fields."""
    tree = {**configuration(), "monitors": MONITORS}
    tree["pools"] = {
        name: {"origins": [{"name": "e", "address": "192.0.2.1"}], **fields}
        for name, fields in {"main": {}, **pools}.items()
    }
    publisher.publish(publisher.prepare(parse(tree, Path()).configuration))


def state(publisher: Publisher, pool: str, byte: int | None = None) -> int:
    """Return what the table says of a pool; with `byte`, say that first, as the monitor worker would."""
    assert publisher.current is not None
    states, slot = publisher.current.table.columns["pool_state"], publisher.current.slots.pool[pool]
    if byte is not None:
        states[slot] = byte
    return int(states[slot])


def test_a_pool_that_gets_a_monitor_begins_as_unknown(publisher: Publisher, orders: list[Forced]) -> None:
    publish(publisher, main={}, spare={"monitor": "web"}, forced={})
    state(publisher, "main", HEALTHY)  # no endpoint of it is down: nobody looks
    state(publisher, "spare", HEALTHY)
    state(publisher, "forced", HEALTHY | COUNTS)
    orders.append(Forced("forced", "up", 0.0))
    publish(publisher, main={"monitor": "web"}, spare={"monitor": "web"}, forced={"monitor": "web"})
    assert state(publisher, "main") == UNKNOWN
    assert state(publisher, "spare") == HEALTHY
    assert state(publisher, "forced") == HEALTHY | COUNTS


@pytest.mark.parametrize(
    ("endpoint", "before", "after"),
    [
        (UNHEALTHY | COUNTS, DEGRADED | COUNTS, UNKNOWN),  # the other one is up as long as nobody looks
        (HEALTHY | COUNTS, HEALTHY | COUNTS, DEGRADED),
        (UNHEALTHY | COUNTS, CRITICAL | COUNTS, CRITICAL | COUNTS),  # the pool itself is forced
    ],
)
def test_a_pool_that_gets_a_monitor_keeps_what_is_forced(
    publisher: Publisher, orders: list[Forced], endpoint: int, before: int, after: int
) -> None:
    two = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in (1, 2)]
    publish(publisher, pair={"origins": two})
    assert publisher.current is not None
    slot = publisher.current.slots.endpoint["pair", "e1", "192.0.2.1"]
    publisher.current.table.columns["endpoint_state"][slot] = endpoint
    state(publisher, "pair", before)
    if before == CRITICAL | COUNTS:
        orders.append(Forced("pair", "down", 0.0))
    publish(publisher, pair={"origins": two, "monitor": "web"})
    assert state(publisher, "pair") == after


def test_a_new_pool_begins_as_unknown_whoever_had_its_slot(publisher: Publisher) -> None:
    publish(publisher, old={"monitor": "web"})
    state(publisher, "old", CRITICAL | COUNTS)
    assert publisher.current is not None
    slot = publisher.current.slots.pool["old"]
    columns, endpoint = publisher.current.table.columns, publisher.current.slots.endpoint["old", "e", "192.0.2.1"]
    columns["pool_identity"][slot] = identity("old")
    columns["endpoint_identity"][endpoint], columns["endpoint_state"][endpoint] = identity("old", "e", ""), HEALTHY
    for _ in range(QUARANTINE + 1):
        publish(publisher)
    publish(publisher, new={})
    assert publisher.current.slots.pool["new"] == slot
    assert state(publisher, "new") == UNKNOWN
    assert publisher.current.slots.endpoint["new", "e", "192.0.2.1"] == endpoint
    assert columns["endpoint_state"][endpoint] == UNKNOWN


def test_a_renamed_endpoint_without_a_monitor_keeps_the_addresses_of_its_name(publisher: Publisher) -> None:
    named = {"origins": [{"name": "e", "address": "www.example.net"}]}
    publish(publisher, old=named)
    assert publisher.current is not None
    slot = publisher.current.slots.endpoint["old", "e", "www.example.net"]
    write_addresses(publisher.current.table.columns, slot, [bytes((192, 0, 2, 7))], [], 4_000_000_000)
    publish(publisher, new={"origins": [{"name": "f", "address": "www.example.net"}]})
    columns = publisher.current.table.columns
    assert read_addresses(columns, publisher.current.slots.endpoint["new", "f", "www.example.net"], 4) == [
        bytes((192, 0, 2, 7))
    ]


def test_a_table_that_grows_takes_the_rows_of_renamed_ones_along(publisher: Publisher) -> None:
    publish(publisher, old={"monitor": "web"})
    assert publisher.current is not None
    columns, slots = publisher.current.table.columns, publisher.current.slots
    for column in ("endpoint_state", "endpoint_measured"):
        columns[column][slots.endpoint["old", "e", "192.0.2.1"]] = HEALTHY
    state(publisher, "old", HEALTHY)
    many = {f"p{number}": {"monitor": "web"} for number in range(100)}
    before = publisher.current.table
    publish(publisher, new={"monitor": "web"}, **many)
    assert publisher.current.table is not before
    assert state(publisher, "new") == HEALTHY
    slot = publisher.current.slots.endpoint["new", "e", "192.0.2.1"]
    assert publisher.current.table.columns["endpoint_state"][slot] == HEALTHY


def test_a_takeover_knows_who_was_renamed_meanwhile(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "state")
    control = Control.create(run.control)
    first, second = Publisher(control, run), Publisher(control, run)
    try:
        publish(first, old={"monitor": "web"})
        assert first.current is not None
        slot = first.current.slots.endpoint["old", "e", "192.0.2.1"]
        for column in ("endpoint_state", "endpoint_measured"):
            first.current.table.columns[column][slot] = HEALTHY
        assert second.resume()
        publish(second, new={"monitor": "web"})
        assert state(second, "new") == HEALTHY
    finally:
        run.remove()
