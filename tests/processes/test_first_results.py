"""The first results: who is waited for, and for how long."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.config.loading import parse
from lbdns.health.verdict import HEALTHY, UNHEALTHY, UNRESOLVED
from lbdns.mapped.health_table import HealthTable
from lbdns.model.configuration import Configuration
from lbdns.publish import first_results as firstresults
from lbdns.publish.first_needs import FirstNeeds
from lbdns.publish.first_results import first_results
from lbdns.snapshot.slots import Slots
from tests.processes.load import ZONE

POOLS = {
    "watched": {
        "monitor": "web",
        "origins": [
            {"name": "up", "address": "127.0.0.1"},
            {"name": "down", "address": "127.0.0.2"},
            {"name": "off", "address": "127.0.0.3", "enabled": False},
        ],
    },
    "unwatched": {"origins": [{"name": "x", "address": "192.0.2.1"}]},
    "disabled": {"enabled": False, "monitor": "web", "origins": [{"name": "y", "address": "192.0.2.2"}]},
}


def generation(configuration: Configuration, table: HealthTable, has_needs: bool) -> Any:
    """Return a generation as far as `first_results` looks; `has_needs`: of which is known already who is waited for."""
    slots = Slots().assign(configuration)
    needs = FirstNeeds.decode(FirstNeeds.of(configuration, slots, 3).encode()) if has_needs else None
    return SimpleNamespace(configuration=configuration, slots=slots, table=table, generation=3, needs=needs)


@pytest.fixture(params=[False, True], ids=["read", "unread"])
def published(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A generation of which nothing is known yet."""
    balancers = [{"name": "www.example.com", "default_pools": list(POOLS), "fallback_pool": "unwatched"}]
    tree = {"zones": {"example.com": ZONE}, "monitors": {"web": {}}, "pools": POOLS, "load_balancers": balancers}
    table = HealthTable.create(tmp_path / "health", 8, 8, 1)
    yield generation(parse(tree, tmp_path).configuration, table, request.param)
    table.close()


def test_enabled_endpoints_with_a_monitor_are_waited_for(published: Any) -> None:
    measured = published.table.columns["endpoint_measured"]
    measured[published.slots.endpoint["watched", "up", "127.0.0.1"]] = HEALTHY

    async def scenario() -> None:
        waiting = asyncio.create_task(first_results(published))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        measured[published.slots.endpoint["watched", "down", "127.0.0.2"]] = UNHEALTHY
        assert await asyncio.wait_for(waiting, 1.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("has_needs", [False, True], ids=["read", "unread"])
@pytest.mark.parametrize("end", ["resolved", "unresolved", "given up"])
def test_hostnames_that_nobody_probes_are_waited_for_until_they_were_looked_up(
    tmp_path: Path, end: str, has_needs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firstresults, "NAMES_WAIT_S", 0.2)
    pools = {
        "named": {"origins": [{"name": "x", "address": "x.example.net"}]},
        "mail": {"origins": [{"name": "m", "address": "mx.example.net"}]},
    }
    balancers = [
        {"name": f"{name}.example.com", "default_pools": [name], "fallback_pool": name, "type": kind}
        for name, kind in (("named", "A"), ("mail", "MX"))
    ]
    tree = {"zones": {"example.com": ZONE}, "pools": pools, "load_balancers": balancers}
    table = HealthTable.create(tmp_path / "health", 8, 8, 1)
    published = generation(parse(tree, tmp_path).configuration, table, has_needs)
    slot = published.slots.endpoint["named", "x", "x.example.net"]

    async def scenario() -> None:
        waiting = asyncio.create_task(first_results(published))
        await asyncio.sleep(0.3)
        assert not waiting.done()  # the worker has not begun
        table.columns["adopted_generation"][0] = 3
        if end == "resolved":
            table.columns["resolved_count"][2 * slot + 1] = 1
        elif end == "unresolved":
            table.columns["endpoint_state"][slot] = UNRESOLVED
        assert await asyncio.wait_for(waiting, 1.0) is (end != "given up")

    asyncio.run(scenario())
    table.close()


def test_a_worker_that_has_not_begun_yet_has_its_time_afterwards(
    published: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firstresults, "WAIT_S", 0.1)
    monkeypatch.setattr(firstresults, "BEGIN_S", 60.0)
    columns = published.table.columns

    async def scenario() -> None:
        waiting = asyncio.create_task(first_results(published))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        for name, address in (("up", "127.0.0.1"), ("down", "127.0.0.2")):
            columns["endpoint_measured"][published.slots.endpoint["watched", name, address]] = HEALTHY
        columns["adopted_generation"][0] = 3
        assert await asyncio.wait_for(waiting, 1.0)

    asyncio.run(scenario())


@pytest.mark.parametrize("has_begun", [True, False])
def test_the_wait_is_bounded(published: Any, monkeypatch: pytest.MonkeyPatch, has_begun: bool) -> None:
    monkeypatch.setattr(firstresults, "WAIT_S", 0.1)
    monkeypatch.setattr(firstresults, "BEGIN_S", 60.0 if has_begun else 0.1)
    published.table.columns["adopted_generation"][0] = 3 if has_begun else 0
    began = time.monotonic()
    assert asyncio.run(first_results(published)) is False
    assert time.monotonic() - began < 1.0
