"""A check that ends its worker again and again is left out, and said to hang; the other endpoints are probed on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.reasons import Reason
from lbdns.mapped.control import Control
from lbdns.model.monitors import Monitor
from lbdns.model.targets_document import Vantage
from lbdns.monitor.probe_check import Check, CheckKey
from lbdns.monitor.probe_watch import FATAL_MAX, WORD, ProbeWatch, mark_of
from lbdns.monitor.probes.result import Result, Target
from lbdns.testing import LbdnsServer
from tests.processes.test_reload import eventually

GOOD = Result(True, Reason.NO_FAILURES)


class Played:
    """A check whose probe does what a test says, and the results that came of it."""

    def __init__(self, probe: Callable[[], Awaitable[Result]]) -> None:
        self.results: list[Result] = []
        self._probe = probe
        self.check = Check(CheckKey((), Target("192.0.2.1", 80), Vantage()), Monitor(type="tcp", port=80), self)
        self.check.probe = self

    async def run(self, target: Target, deadline_s: float) -> Result:
        return await self._probe()

    def take(self, check: Check, result: Result, started_s: float) -> None:
        self.results.append(result)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A control file of a server's own."""
    return Control.create(tmp_path / "control")


def test_the_check_that_has_the_processor_is_marked_while_it_has_it(control: Control, tmp_path: Path) -> None:
    seen = []

    async def probe() -> Result:
        seen.append(control.get(WORD))
        await asyncio.sleep(0)
        seen.append(control.get(WORD))
        return GOOD

    async def main() -> None:
        played = Played(probe)
        running = asyncio.create_task(ProbeWatch(control, tmp_path).run(played.check))
        await asyncio.sleep(0)
        between = control.get(WORD)
        await running
        assert played.results == [GOOD]
        assert seen == [mark_of(played.check)] * 2 and 0 not in seen
        assert between == control.get(WORD) == 0

    asyncio.run(main())


def test_a_probe_that_is_broken_off_sees_it(control: Control, tmp_path: Path) -> None:
    seen = []

    async def probe() -> Result:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return GOOD

    async def main() -> None:
        running = asyncio.create_task(ProbeWatch(control, tmp_path).run(Played(probe).check))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert seen == ["cancelled"] and control.get(WORD) == 0


def test_a_check_on_which_workers_end_in_a_row_fails_without_being_run(control: Control, tmp_path: Path) -> None:
    runs = []

    async def probe() -> Result:
        runs.append(1)
        return GOOD

    async def main() -> None:
        played = Played(probe)
        for _ in range(FATAL_MAX - 1):
            control.set(WORD, mark_of(played.check))
            watch = ProbeWatch(control, tmp_path)
        await watch.run(played.check)  # it came to its end: what was counted is over
        for _ in range(FATAL_MAX):
            control.set(WORD, mark_of(played.check))
            watch = ProbeWatch(control, tmp_path)
        for _ in range(2):
            await watch.run(played.check)
        assert len(runs) == 1
        told = Result(False, Reason.CONFIG_ERROR, detail="the probe of 192.0.2.1 port 80 hung")
        assert played.results == [GOOD, told, told]

    asyncio.run(main())


FATAL = """
import os
from lbdns.monitor.probes import tcp

run = tcp.TcpProbe.run

async def fatal(self, target, deadline_s):
    if target.address == "{address}":
        os._exit(9)
    return await run(self, target, deadline_s)

tcp.TcpProbe.run = fatal
"""


@pytest.mark.process
@pytest.mark.slow
def test_an_endpoint_whose_probe_kills_the_worker_does_not_keep_the_others_from_being_probed(
    lbdns_server: Callable[..., LbdnsServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FATAL.format(address="127.0.0.66"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def pool(address: str) -> dict[str, Any]:
        return {"monitor": "tcp", "origins": [{"name": "e", "address": address}]}

    server = lbdns_server(
        {
            "zones": {"example.com": "$TTL 300\n@ IN SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n"},
            "monitors": {"tcp": {"type": "tcp", "port": 9, "interval": 5, "timeout": 1, "retries": 0}},
            "pools": {"good": pool("127.0.0.11"), "bad": pool("127.0.0.66")},
            "load_balancers": [{"name": "www.example.com", "default_pools": ["bad", "good"], "fallback_pool": "good"}],
        }
    )

    def reasons() -> dict[str, str]:
        return {pool["name"]: pool["origins"][0]["reason"] or "" for pool in server.health()["pools"]}

    eventually(lambda: reasons()["bad"] == "Monitor config error", 30.0)
    restarts = server.status()["monitor"]["restarts"]
    assert restarts >= FATAL_MAX
    eventually(lambda: reasons()["good"] != "", 10.0)
    assert server.status()["monitor"]["restarts"] == restarts
    assert "the probe of 127.0.0.66 port " in server.log
