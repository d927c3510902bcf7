"""A machine that believes itself cut off says so: in the health table, in the record, in `lbdns health`."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from lbdns.cli.commands.health_command import render
from lbdns.health.events import read_events
from lbdns.health.verdict import HEALTHY
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.stage import Stage, adopted, until

pytestmark = pytest.mark.slow


def test_the_table_says_since_when_until_the_last_vantage_point_is_back_or_gone(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer()) as peer:
            one = pool("p", endpoint("e", port=peer.port))
            points = [{"name": name, "source": f"127.0.0.{last}"} for last, name in enumerate("abc", 2)]
            stage["frozen_since"][0] = 5.0  # a worker that was killed meanwhile left this behind
            stage.publish(one, vantage_points=points)
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == HEALTHY)
                assert stage["frozen_since"][0] == 0.0
                a, b, c = running.worker._targets.vantages
                for vantage in (a, b, c):
                    running.worker._cut_offs.tell(vantage, True)
                since_s = stage["frozen_since"][0]
                assert since_s > 0
                running.worker._cut_offs.tell(a, False)
                assert stage["frozen_since"][0] > since_s
                stage.publish(one, vantage_points=points[:1])
                await adopted(stage, 2)
                assert stage["frozen_since"][0] == 0.0

    asyncio.run(main())
    told = [(event.name, event.after) for event in read_events(tmp_path) if event.kind == "vantage_point"]
    assert told == [("a", "cut off"), ("b", "cut off"), ("c", "cut off"), ("a", "connected")]


def test_lbdns_health_says_it() -> None:
    report = {"monitor": {"silent_s": 0.1, "frozen_since": 40.0}, "pools": [], "load_balancers": []}
    shown = io.StringIO()
    Console(width=140, file=shown).print(render(report, 100.0))
    assert "This machine believes itself cut off, for 1 min: no target answers" in shown.getvalue()
