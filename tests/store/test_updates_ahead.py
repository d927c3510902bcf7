"""Updates that wait for others are worked out meanwhile: what comes of them is the same."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.kinds import Kind
from lbdns.dns.codes import NOERROR, SERVFAIL
from lbdns.manage.store.sqlite import Store
from lbdns.manage.updates import update_queue
from lbdns.transfer.update.updating import update_zone
from tests.store.test_update_queue import Desk
from tests.transfer.asking_updates import adding, asked, update

TEXT = {"name": "text", "type": "TXT", "content": '"1"'}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path)
    try:
        yield Desk(store)
    finally:
        store.close()


@pytest.mark.parametrize("meanwhile", ["nothing", "change", "failure"])
def test_updates_that_wait_for_others_are_worked_out_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    monkeypatch.setattr(update_queue, "GATHER_SHARE", 1e9)
    monkeypatch.setattr(update_queue, "GATHER_MAX_S", 3600.0)
    worked_out: list[bytes] = []
    work_out = update_zone

    def note(zone: Any, message: Any, objects: Any) -> Any:
        owner = message.updates[0].owner
        if meanwhile == "failure" and owner.startswith(b"\x02b3"):
            raise RuntimeError("a mistake of ours")
        worked_out.append(owner)
        return work_out(zone, message, objects)

    def some(prefix: str, numbers: range) -> list[asyncio.Future[Any]]:
        names = [f"{prefix}{number}.example.com" for number in numbers]
        return [desk.queue.take(asked(adding(name, "A", "192.0.2.9"))) for name in names]

    async def load() -> list[int]:
        said = list(await asyncio.gather(*some("a", range(20))))
        monkeypatch.setattr(update_queue, "update_zone", note)
        waiting = some("b", range(16))
        while len(worked_out) < 3 + 13 * (meanwhile != "failure"):
            await asyncio.sleep(0.001)
        assert desk.server.tried == 2 and not any(one.done() for one in waiting)
        if meanwhile == "change":
            await desk.manager.change("ann", "more", lambda edit: edit.create(Kind.RECORD, TEXT, desk.zone_id))
        return [one.rcode for one in (*said, *await asyncio.gather(*waiting, *some("b", range(16, 20))))]

    failed = [36 - 16 + 3] if meanwhile == "failure" else []
    assert asyncio.run(load()) == [SERVFAIL if at in failed else NOERROR for at in range(40)]
    served = {line.partition(".")[0] for line in desk.served() if line.startswith("b")}
    assert served == {f"b{number}" for number in range(20) if not (failed and number == 3)}
    assert len(worked_out) == 20 if meanwhile == "nothing" else len(worked_out) > 20


def test_short_updates_of_a_zone_at_hand_are_worked_out_without_a_thread(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_queue, "GATHER_SHARE", 1e9)
    monkeypatch.setattr(update_queue, "GATHER_MAX_S", 3600.0)
    in_loop: list[bool] = []
    work_out = update_zone

    def note(*arguments: Any) -> Any:
        in_loop.append(threading.current_thread() is threading.main_thread())
        return work_out(*arguments)

    def some(numbers: range, record_count: int = 1, net: int = 1) -> list[asyncio.Future[Any]]:
        found = []
        for number in numbers:
            made = update()
            for address in range(record_count):
                made.add(f"a{number}", 60, "A", f"10.0.{net}.{address}")
            found.append(desk.queue.take(asked(made)))
        return found

    async def load() -> None:
        await asyncio.gather(*some(range(40), net=2))
        monkeypatch.setattr(update_queue, "update_zone", note)
        waiting = []
        for first, record_count in ((0, 1), (8, 1), (16, 10), (24, 1)):
            waiting += some(range(first, first + 8), record_count)
            while len(in_loop) < first + 8:
                await asyncio.sleep(0.001)
        await asyncio.gather(*waiting, *some(range(32, 40)))

    asyncio.run(load())
    expected = {0: False, 8: True, 16: False, 24: True}
    assert {first: set(in_loop[first : first + 8]) for first in expected} == {at: {it} for at, it in expected.items()}
