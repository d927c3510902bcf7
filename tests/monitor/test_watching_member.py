"""A group's member that only watches: no trace of it in the endpoint, its own alerts, its place in the group's list."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from lbdns.health.events import HealthChange, read_events
from lbdns.health.reasons import Reason
from lbdns.health.verdict import HEALTHY, UNHEALTHY
from lbdns.monitor.notify.alerts import END, START, AlertBook
from lbdns.monitor.notify.notification_store import NotificationChanges, NotificationStore
from tests.monitor import peers
from tests.monitor.documents import endpoint, pool
from tests.monitor.receivers import Hook
from tests.monitor.stage import Stage, hurry, until

QUICK = {"interval": 3600, "timeout": 1, "retries": 0}


def group(*watching: str, votes: str = "web") -> dict[str, Any]:
    members = [{"monitor": votes}, *({"monitor": name, "monitoring_only": True} for name in watching)]
    return {"monitor_groups": {"app": {"members": members}}}


@pytest.mark.slow
def test_a_failing_member_that_only_watches_shows_nowhere_in_the_endpoint_but_notifies(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with Hook().running() as hook, peers.saying(peers.answer()) as good:
            closed = peers.refused_port()
            monitors = {
                "web": {"type": "http", "port": good.port, **QUICK},
                "login": {"type": "tcp", "port": closed, **QUICK},
            }
            grouped = pool("p", endpoint("e"), monitor=None, monitor_group="app")
            stage.publish(grouped, monitors=monitors, notifications=[hook.settings()], **group("login"))
            async with stage.running() as running:
                await until(lambda: len(hook.documents) == 1)
                await until(lambda: stage["endpoint_checks"][0] == 1)
                for round_ in (2, 3, 4):
                    hurry(running)
                    await until(lambda round_=round_: stage["endpoint_checks"][0] == round_)  # type: ignore[misc]
                assert (stage["endpoint_state"][0], stage["endpoint_reason"][0]) == (HEALTHY, Reason.NO_FAILURES)
                assert (stage["endpoint_code"][0], stage["endpoint_passed"][0]) == (200, 4)
                assert stage["endpoint_streak"][0] == 4 and stage["endpoint_rtt_us"][0] > 0
                async with peers.saying(b"", port=closed):
                    hurry(running)
                    await until(lambda: len(hook.documents) == 2)
                # The voter fails: the endpoint is down for the voter's reason, and the list has both.
                good.go()
                hurry(running)
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
                assert stage["endpoint_reason"][0] == Reason.TCP_FAILED
            starts, ends = hook.documents[:2]
            assert (starts["alert_event"], ends["alert_event"]) == (START, END)
            assert starts["alert_correlation_id"] == ends["alert_correlation_id"]
            told = {
                key: starts["data"][key] for key in ("origin_name", "monitor_name", "monitoring_only", "new_health")
            }
            assert told == {
                "origin_name": "e",
                "monitor_name": "login",
                "monitoring_only": True,
                "new_health": "unhealthy",
            }
            assert starts["text"].startswith("monitor login (monitoring only) of pool p endpoint e (127.0.0.1) is")

    asyncio.run(main())
    changes = read_events(stage.path)
    watched = [(change.monitor, change.after, change.reason) for change in changes if change.kind == "monitor"]
    assert watched[:2] == [("login", "unhealthy", "TCP connection failed"), ("login", "healthy", "")]
    (flip,) = [change for change in changes if change.kind == "endpoint" and change.after == "unhealthy"]
    assert flip.monitor == "web"
    assert {(seen.monitor, seen.monitoring_only) for seen in flip.probes} == {("web", False), ("login", True)}


@pytest.mark.slow
def test_a_voters_failure_beside_a_good_watcher_is_the_reason(tmp_path: Path) -> None:
    stage = Stage(tmp_path)

    async def main() -> None:
        async with peers.saying(peers.answer(code=503)) as bad, peers.saying(peers.answer(code=204)) as good:
            monitors = {
                "web": {"type": "http", "port": bad.port, **QUICK},
                "seen": {"type": "http", "port": good.port, "expected_codes": "204", **QUICK},
            }
            grouped = pool("p", endpoint("e"), monitor=None, monitor_group="app")
            stage.publish(grouped, monitors=monitors, **group("seen"))
            async with stage.running() as running:
                await until(lambda: stage["endpoint_state"][0] == UNHEALTHY)
                hurry(running)
                await until(lambda: stage["endpoint_checks"][0] == 2 and good.connections == 2)
                assert (stage["endpoint_reason"][0], stage["endpoint_code"][0]) == (Reason.CODE_MISMATCH, 503)
                assert stage["endpoint_passed"][0] == 0

    asyncio.run(main())


def test_a_watchers_alert_is_beside_its_endpoints_and_ends_with_its_membership(tmp_path: Path) -> None:
    def change(kind: Any, after: str) -> HealthChange:
        return HealthChange(1.0, kind, "eu/e", "healthy", after, pool="eu", endpoint="e", monitor="login", reason="r")

    book = AlertBook()
    own, watchers = book.take(change("endpoint", "unhealthy")), book.take(change("monitor", "unhealthy"))
    assert own and watchers and own.correlation_id != watchers.correlation_id
    assert (own.monitor, watchers.monitor, watchers.source) == ("", "login", "origin")
    later = AlertBook()
    with contextlib.closing(NotificationStore(tmp_path)) as kept:
        kept.write(NotificationChanges(alerts=book.taken()))
        later.restore(kept.load()[0])
    enabled = {("eu", ""): True, ("eu", "e"): True}
    assert later.adopt(enabled, 5.0, {("eu", "login")}) == []
    (gone,) = later.adopt(enabled, 5.0)
    assert (gone.event, gone.monitor, gone.correlation_id) == (END, "login", watchers.correlation_id)
    end = later.take(change("endpoint", "healthy"))
    assert end and end.correlation_id == own.correlation_id
