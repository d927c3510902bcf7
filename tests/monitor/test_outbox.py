"""What was accepted is sent, once, whatever becomes of the worker; what was sent is known afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.words import NOTIFICATIONS_FILE
from lbdns.health import forced
from lbdns.health.events import HealthChange
from lbdns.health.forced import Forced
from lbdns.model.subscription import Destination, Subscription
from lbdns.monitor.notify import notification_store, receiver
from lbdns.monitor.notify.alerts import HEALTH, START, Alert
from lbdns.monitor.notify.notification_store import (
    Fared,
    KeptAlert,
    NotificationChanges,
    NotificationStore,
    Sent,
    fared_of,
    sent_between,
)
from lbdns.monitor.notify.notifier import Notifier
from tests.api.hook_server import HookServer, eventually
from tests.monitor.documents import document, endpoint, parse_targets, pool
from tests.monitor.receivers import Hook
from tests.monitor.stage import Stage, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(receiver, "GATHER_S", 0.02)
    monkeypatch.setattr(receiver, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(receiver, "CLOSE_S", 0.2)
    yield


def subscription(url: str, mechanism: Any = "webhook", id: str = "d" * 32, **more: Any) -> Subscription:
    destination = Destination(mechanism=mechanism, name="hook", id=id, url=url, secret="s3cret")
    return Subscription(policy_id="p" * 32, policy_name="Trouble", destination=destination, **more)


def notifying(state_dir: Path | None, *subscriptions: Subscription) -> Notifier:
    found = Notifier(state_dir)
    adopt(found, *subscriptions)
    return found


def adopt(found: Notifier, *subscriptions: Subscription) -> None:
    targets = parse_targets(document(Path("t"), pool("p", *(endpoint(f"e{one}") for one in range(30)))))
    found.adopt(subscriptions, targets.pools, targets.balancers)


def flip(number: int = 0, after: str = "unhealthy") -> HealthChange:
    name = f"e{number}"
    return HealthChange(time.time(), "endpoint", f"p/{name}", "healthy", after, pool="p", endpoint=name)


def test_what_waits_is_sent_by_the_next_worker_and_what_was_sent_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with Hook(codes=[200, *[503] * 1000]).running() as hook:
            hooked = subscription(f"http://127.0.0.1:{hook.port}/in")
            first = notifying(tmp_path, hooked)
            first.tell(flip(0))
            await until(lambda: len(hook.documents) == 1)
            first.tell(flip(1))
            first.tell(flip(2))
            await until(lambda: len(hook.heads) >= 3)
            await first.close()
            hook.codes.clear()
            second = notifying(tmp_path, hooked)
            assert second.waiting[0] == 2 and second.waiting[1] > 0
            await until(lambda: len(hook.documents) == 3)
            second.tell(flip(0, "healthy"))
            await until(lambda: len(hook.documents) == 4)
            await second.close()
            assert [one["data"]["origin_name"] for one in hook.documents] == ["e0", "e1", "e2", "e0"]
            assert hook.documents[3]["alert_correlation_id"] == hook.documents[0]["alert_correlation_id"]
            keys = [line for head in hook.heads for line in head.split("\r\n") if line.startswith("Idempotency-Key")]
            assert len(set(keys)) == 4, "what is tried again, by another worker too, carries the same key"
            third = notifying(tmp_path, hooked)
            assert third.waiting == (0, 0)
            await third.close()

    asyncio.run(main())


def test_a_receiver_that_is_told_otherwise_keeps_its_queue_and_one_that_is_gone_loses_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with Hook(codes=[503] * 1000).running() as away, Hook().running() as hook:
            telling = notifying(tmp_path, subscription(f"http://127.0.0.1:{away.port}/in"))
            telling.tell(flip(0))
            await until(lambda: len(away.heads) >= 1)
            adopt(telling, subscription(f"http://127.0.0.1:{hook.port}/in", description="moved", pools=("p",)))
            await until(lambda: len(hook.documents) == 1)
            adopt(telling, subscription(f"http://127.0.0.1:{away.port}/in"))
            telling.tell(flip(1))
            await until(lambda: telling.waiting[0] == 1)
            adopt(telling)
            assert telling.waiting == (0, 0) and "notification Trouble is gone, and 1 message with it" in caplog.text
            await telling.close()
            later = notifying(tmp_path, subscription(f"http://127.0.0.1:{hook.port}/in"))
            assert later.waiting == (0, 0)
            await later.close()

    asyncio.run(main())


def test_what_is_held_back_is_not_lost(tmp_path: Path) -> None:
    async def main() -> None:
        async with Hook().running() as hook:
            hooked = subscription(f"http://127.0.0.1:{hook.port}/in")
            first = notifying(tmp_path, hooked)
            first._first_results_s["p"] = 60.0
            first.tell(HealthChange(time.time(), "pool", "p", "unknown", "degraded", pool="p"))
            await first.close()
            assert not hook.heads
            second = notifying(tmp_path, hooked)
            await until(lambda: len(hook.documents) == 1)
            await second.close()
            assert hook.documents[0]["data"]["new_health"] == "degraded"

    asyncio.run(main())


def test_a_disk_that_refuses_stops_no_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Hook().running() as hook:
            there = tmp_path / "gone"
            telling = notifying(there, subscription(f"http://127.0.0.1:{hook.port}/in"))
            telling.tell(flip(0))
            await until(lambda: len(hook.documents) == 1)
            assert "cannot keep notifications" in caplog.text
            there.mkdir()
            telling.tell(flip(1))
            await until(lambda: len(hook.documents) == 2)
            await telling.close()
            _, total = sent_between(there, None, None, 1, 10)
            assert total == 2, "what could not be written was written with what came next"

    asyncio.run(main())


def test_silences_and_times(tmp_path: Path) -> None:
    now_s = time.time()
    past, now = ((now_s - 60, now_s - 1),), ((now_s - 60, now_s + 60),)

    async def main() -> None:
        async with Hook().running() as hook:
            url = f"http://127.0.0.1:{hook.port}/in"
            telling = notifying(
                None, subscription(url, id="1" * 32, silences=now), subscription(url, id="2" * 32, silences=past)
            )
            telling.tell(flip(0))
            await until(lambda: len(hook.documents) == 1)
            assert telling.waiting[0] == 0
            await telling.close()
            assert len(hook.heads) == 1

    asyncio.run(main())


def test_how_a_destination_does_is_kept(tmp_path: Path) -> None:
    began_s = time.time()

    async def main() -> None:
        async with Hook(codes=[503]).running() as hook:
            telling = notifying(tmp_path, subscription(f"http://127.0.0.1:{hook.port}/in"))
            telling.tell(flip(0))
            await until(lambda: len(hook.documents) == 1)
            await telling.close()

    asyncio.run(main())
    fared = fared_of(tmp_path)["d" * 32]
    assert began_s <= fared.last_failure_s <= fared.last_success_s <= time.time()
    (row,), total = sent_between(tmp_path, None, None, 1, 10)
    assert total == 1 and (row.mechanism, row.mechanism_type, row.name) == ("d" * 32, "webhook", "Trouble")
    assert json.loads(row.alert_body)["data"]["origin_name"] == "e0"


def test_the_history_is_bounded_and_read_by_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notification_store, "HISTORY_MAX", 20)
    store = NotificationStore(tmp_path)
    for number in range(50):
        store.write(NotificationChanges(sent=[sent(number)]))
    rows, total = sent_between(tmp_path, None, None, 1, 8)
    assert total == 20 and [row.sent_s for row in rows] == [float(number) for number in range(49, 41, -1)]
    assert [row.sent_s for row in sent_between(tmp_path, None, None, 3, 8)[0]] == [33.0, 32.0, 31.0, 30.0]
    assert sent_between(tmp_path, None, None, 4, 8) == ([], 20)
    assert [row.sent_s for row in sent_between(tmp_path, 40.0, 43.0, 1, 8)[0]] == [42.0, 41.0]
    store.write(NotificationChanges(sent=[sent(49 + int(notification_store.HISTORY_S))]))
    assert sent_between(tmp_path, None, None, 1, 8)[1] == 2
    store.close()
    assert sent_between(tmp_path / "none", None, None, 1, 8) == ([], 0) and fared_of(tmp_path / "none") == {}


def sent(at_s: int) -> Sent:
    return Sent(f"{at_s:032x}", float(at_s), "p" * 32, "n", "", HEALTH, "m", "email", "text")


def test_changes_that_wait_become_one() -> None:
    one, two = KeptAlert("1", "r", 1.0, (alert(), ())), KeptAlert("2", "r", 1.0, (alert(), ()))
    first = NotificationChanges(waiting={"1": one}, fared={"d": Fared(1.0, 5.0)})
    later = NotificationChanges(waiting={"2": two}, done={"1"}, fared={"d": Fared(3.0, 0.0)})
    both = first.before(later)
    assert both.waiting == {"2": two} and both.done == {"1"} and both.fared == {"d": Fared(3.0, 5.0)}
    assert not NotificationChanges() and both


def test_rows_of_another_release_are_passed_over(tmp_path: Path) -> None:
    store = NotificationStore(tmp_path)
    store.write(NotificationChanges(waiting={"1": KeptAlert("1", "r", 1.0, (alert(), ["www.example.com"]))}))
    with contextlib.closing(sqlite3.connect(tmp_path / NOTIFICATIONS_FILE)) as there, there:
        there.execute("INSERT INTO outbox (id, receiver, at_s, told) VALUES ('2', 'r', 1.0, '{\"alert\": 1}')")
    (kept,) = store.load()[1]
    assert kept.told == (alert(), ["www.example.com"])
    store.close()


def alert(event: str = START, health: str = "unhealthy", endpoint: str = "e") -> Alert:
    return Alert(HEALTH, event, "c" * 32, "p", endpoint, health, "TCP timeout", 1_800_000_000.0, "p/e is down\nnow")


@pytest.mark.process
@pytest.mark.slow
def test_kill_9_loses_nothing_and_repeats_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """The worker is killed again and again, at any moment, while states are forced to and fro."""
    stage = Stage(tmp_path)
    pools = [pool(f"p{number}", endpoint("e", port=9), monitor=None) for number in range(4)]
    with HookServer().running() as hook:
        one = {"name": "hook", "webhook": hook.url, "event_source": "pool"}
        stage.publish(*pools, notifications=[one])
        version = 0
        wanted: list[str] = []
        for round_ in range(4):
            down = round_ % 2 == 0
            with stage.process() as process:
                eventually(lambda: stage.control.get("monitor_generation") == 1)
                orders = [Forced(f"p{n}", "down" if down else "up", 1.0, None, "x") for n in range(4)]
                forced.save(tmp_path, orders)
                version += 1
                stage.control.set("forced_version", version)
                wanted.extend(["critical" if down else "healthy"] * 4)
                eventually(lambda: changes_recorded(tmp_path) >= len(wanted))
                eventually(lambda: accepted(tmp_path) + len(told(hook)) >= len(wanted))
                process.send_signal(signal.SIGKILL)
                process.wait()
            stage.control.set("monitor_generation", 0)
        with stage.process():
            eventually(lambda: len(told(hook)) >= len(wanted) and accepted(tmp_path) == 0)
        assert sorted(told(hook)) == sorted(wanted)
        assert len(hook.posted) - len(messages(hook)) <= 4, "at most what was not acknowledged when it was killed"


def messages(hook: HookServer) -> dict[str, dict[str, Any]]:
    """Return what a webhook was sent by the key that is the same where it was sent again."""
    return {headers["idempotency-key"]: body for headers, body in [*hook.posted]}


def told(hook: HookServer) -> list[str]:
    """Return what became of a pool, in each of the alerts that a webhook was sent, singly or in a summary."""
    found = [body["data"] for body in messages(hook).values()]
    return [one["new_health"] for data in found for one in data.get("changes", [data])]


def changes_recorded(directory: Path) -> int:
    try:
        lines = (directory / "events.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(json.loads(line)["kind"] == "pool" for line in lines if line)


def accepted(directory: Path) -> int:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{directory / NOTIFICATIONS_FILE}?mode=ro", uri=True)) as there:
            return int(there.execute("SELECT count(*) FROM outbox").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
