"""Renames of monitors and groups: what their series know goes on, and nothing is counted twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.monitor.ledger.states import Series
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Running, Stage, adopted, hurry, until

SLOW = {"interval": 3600, "timeout": 1, "retries": 0}


def all_series(running: Running) -> list[Series]:
    return [series for one in running.worker._ledger.endpoints.values() for series in one.series]


def test_a_renamed_monitor_goes_on_where_it_was(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as good:
            web = {"type": "http", "port": good.port, "consecutive_down": 3, **SLOW}
            stage.publish(pool("p", endpoint("e")), monitors={"web": web})
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                good.go()
                for failures in (1, 2):
                    hurry(running)
                    await until(lambda failures=failures: stage["endpoint_streak"][0] == -failures)  # type: ignore[misc]
                for generation, name, description in ((2, "site", ""), (3, "site", "in other words")):
                    monitors = {name: {**web, "description": description}}
                    stage.publish(pool("p", endpoint("e"), monitor=name), monitors=monitors)
                    await adopted(stage, generation)
                    (series,) = all_series(running)
                    assert (series.member.name, series.streak, series.state) == (name, -2, HEALTHY)
                    assert stage["endpoint_state"][0] == HEALTHY
                hurry(running)
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)

    asyncio.run(main())


def test_members_of_a_group_that_swap_names_keep_what_each_has_seen(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as good:
            monitors: dict[str, Any] = {
                "a": {"type": "http", "port": good.port, "consecutive_up": 2, **SLOW},
                "b": {"type": "tcp", "port": peers.refused_port(), "consecutive_up": 2, **SLOW},
            }
            group = {"members": [{"monitor": one, "monitoring_only": one == "b"} for one in ("a", "b")]}
            turned = {"members": [{"monitor": one, "monitoring_only": one == "a"} for one in ("a", "b")]}
            grouped = pool("p", endpoint("e"), monitor=None, monitor_group="g")
            stage.publish(grouped, monitors=monitors, monitor_groups={"g": group})
            async with stage.running() as running:
                await adopted(stage, 1)
                await until(lambda: all(one.at_s for one in all_series(running)))
                before = {one.member.name: one for one in all_series(running)}
                assert {name: one.state for name, one in before.items()} == {"a": HEALTHY, "b": UNHEALTHY}
                swapped = {"b": monitors["a"], "a": monitors["b"]}
                stage.publish(
                    pool("p", endpoint("e"), monitor=None, monitor_group="h"),
                    monitors=swapped,
                    monitor_groups={"h": turned},
                )
                await adopted(stage, 2)
                after = {one.member.name: one for one in all_series(running)}
                assert after == {"b": before["a"], "a": before["b"]}
                (health,) = running.worker._ledger.endpoints.values()
                assert health.watched == {"a": UNHEALTHY}
                assert stage["endpoint_state"][0] == HEALTHY

    asyncio.run(main())
