"""How much waits, in `lbdns status` and in metrics: queries, connections over TCP, notifications, changes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lbdns.mapped.control import Control
from lbdns.mapped.level_words import DEFERRED_WAITING
from lbdns.processes.responder.fast_port import load_loop
from lbdns.processes.supervisor.change_queue import ChangeQueue
from lbdns.telemetry.server_facts import Waiting
from lbdns.telemetry.standing import ROWS
from lbdns.telemetry.thresholds import CHANGE_WAITS_S, DEFERRED_WAITING_MAX, NOTIFICATION_WAITS_S
from lbdns.testing import LbdnsServer
from tests.answer.packets import query, slow_query
from tests.processes.load import NAME
from tests.processes.test_metrics import scrape
from tests.processes.test_reload import OLD_FILES, eventually
from tests.processes.test_status import rows
from tests.processes.test_survival import MONITORED

Start = Callable[..., LbdnsServer]

SOURCES = tuple(f"127.3.{number}.1" for number in range(1, 13))
METRICS = {"metrics": "127.0.0.1:0"}


def level(server: LbdnsServer, name: str) -> float:
    """Return a metric, summed over its labels."""
    return scrape(server).total(name)


@contextlib.contextmanager
def flooding(server: LbdnsServer, datagram: bytes) -> Iterator[None]:
    """Have many networks send a query without pause."""
    ended = threading.Event()

    def flood() -> None:
        with contextlib.ExitStack() as opened:
            socks = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in SOURCES]
            for sock, source in zip(socks, SOURCES, strict=True):
                sock.bind((source, 0))
                sock.connect(("127.0.0.1", server.port))
            while not ended.is_set():
                for sock in socks:
                    with contextlib.suppress(OSError):
                        sock.send(datagram)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.process
def test_a_flood_shows_in_the_slow_paths_queue_and_goes(lbdns_server: Start) -> None:
    if load_loop() is None:
        pytest.skip("the compiled loop is not installed")
    server = lbdns_server({**OLD_FILES, "settings": {**OLD_FILES.get("settings", {}), **METRICS}})
    assert rows(server)["queues"]["text"].startswith("0 queries for the slow path, TCP: ")
    with flooding(server, slow_query(f"{NAME}.").wire):
        eventually(lambda: level(server, "slow_path_waiting") > 0)
        eventually(lambda: not rows(server)["queues"]["text"].startswith("0 queries"))
    eventually(lambda: level(server, "slow_path_waiting") == 0)


@pytest.mark.process
def test_connections_show_by_what_they_are_at(lbdns_server: Start) -> None:
    server = lbdns_server({**OLD_FILES, "settings": {**OLD_FILES.get("settings", {}), **METRICS}})
    wire = query(f"{NAME}.").wire
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(struct.pack("!H", len(wire)) + wire)
        assert idle.recv(4096)
        eventually(lambda: "TCP: 0 waiting, 1 idle" in rows(server)["queues"]["text"])
        with socket.create_connection(("127.0.0.1", server.port)) as waiting:
            waiting.sendall(b"\0")
            eventually(lambda: "TCP: 1 waiting, 1 idle" in rows(server)["queues"]["text"], 1.9)
    eventually(lambda: level(server, "tcp_connections") == 0)


@pytest.mark.process
def test_a_receiver_that_hangs_shows_with_how_long(lbdns_server: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        hook = {"name": "hook", "webhook": f"http://127.0.0.1:{hanging.getsockname()[1]}/"}
        server = lbdns_server({**MONITORED, "settings": {"notifications": [hook], **METRICS}})
        server.set_endpoint("primary/p", up=True)
        assert rows(server)["queues"]["text"].endswith(", 0 notifications, 0 changes")
        server.set_endpoint("primary/p", up=False)
        eventually(lambda: level(server, "notifications_waiting") >= 1)
        assert level(server, "notification_wait_seconds") > 0
        assert " 0 notifications" not in rows(server)["queues"]["text"]


def queues(waiting: Waiting, counted: Any = None) -> list[str]:
    (make,) = [one for one in ROWS if one.__name__ == "_queues"]
    facts: Any = SimpleNamespace(waiting=waiting, counted=counted)
    return list(make(facts).problems)


def test_what_waits_too_long_or_is_too_much_is_wrong() -> None:
    assert queues(Waiting(3, NOTIFICATION_WAITS_S, 2, CHANGE_WAITS_S)) == []
    assert queues(Waiting(3, NOTIFICATION_WAITS_S + 1, 2, CHANGE_WAITS_S + 5)) == [
        "3 notifications not through yet, the first for 61 s",
        "2 changes not through yet, the first for 65 s",
    ]
    for count, told in ((DEFERRED_WAITING_MAX, []), (201, ["responder 1: 201 queries wait for the slow path"])):
        levels = {0: {DEFERRED_WAITING: 0}, 1: {DEFERRED_WAITING: count}}
        assert queues(Waiting(), SimpleNamespace(levels=levels, level=lambda word: 0)) == told


def test_changes_wait_from_when_they_come_and_who_only_looks_is_none(tmp_path: Path) -> None:
    async def main() -> None:
        control, changes = Control.create(tmp_path / "control"), ChangeQueue()
        entered, end = asyncio.Event(), asyncio.Event()

        async def change() -> None:
            async with changes.turn():
                entered.set()
                await end.wait()

        async with changes.lock:
            assert changes.waiting(control) == Waiting()
        tasks = [asyncio.create_task(change()) for _ in range(2)]
        await entered.wait()
        waiting = changes.waiting(control)
        assert waiting.changes == 2 and waiting.change_s > 0
        tasks[1].cancel()
        await asyncio.wait(tasks[1:])
        assert changes.waiting(control).changes == 1
        end.set()
        await asyncio.gather(tasks[0])
        assert changes.waiting(control) == Waiting()

    asyncio.run(main())
