"""What the health table says of a pool when it is first served, before the monitor worker adopts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.health.identity import identity
from lbdns.health.verdict import COUNTS, CRITICAL, DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.publish.publisher import Publisher
from lbdns.snapshot.slots import QUARANTINE
from tests.processes.load import configuration

MONITORS = {"web": {"type": "tcp", "port": 80}}


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    run = RunDirectory(tmp_path / "state")
    yield Publisher(Control.create(run.control), run)
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


def test_a_pool_that_gets_a_monitor_begins_as_unknown(publisher: Publisher) -> None:
    publish(publisher, main={}, spare={"monitor": "web"}, forced={})
    state(publisher, "main", HEALTHY)  # no endpoint of it is down: nobody looks
    state(publisher, "spare", HEALTHY)
    state(publisher, "forced", HEALTHY | COUNTS)
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
    publisher: Publisher, endpoint: int, before: int, after: int
) -> None:
    two = [{"name": f"e{number}", "address": f"192.0.2.{number}"} for number in (1, 2)]
    publish(publisher, pair={"origins": two})
    assert publisher.current is not None
    slot = publisher.current.slots.endpoint["pair", "e1", "192.0.2.1"]
    publisher.current.table.columns["endpoint_state"][slot] = endpoint
    state(publisher, "pair", before)
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
