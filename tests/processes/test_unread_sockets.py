"""Sockets that were bound for a change that does not happen: what came to them is answered before they are closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lbdns.config.loading import parse
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.processes.supervisor.binding import bind, choose_ports
from lbdns.processes.supervisor.last_reader import close_unread
from lbdns.publish.publisher import Publisher
from lbdns.testing import LbdnsServer, ServerError
from tests.answer.packets import query
from tests.processes.crowd import crowd_at
from tests.processes.load import NAME, configuration
from tests.processes.task_limit import TaskLimit, why_no_task_limit

CLIENTS = 24
PATIENCE_S = 10.0


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunDirectory]:
    run = RunDirectory(tmp_path / "state")
    yield run
    run.remove()


def replies(clients: list[socket.socket]) -> int:
    count = 0
    for client in clients:
        with contextlib.suppress(BlockingIOError):
            count += len(client.recv(4096)) > 12
    return count


@pytest.mark.parametrize("published", [True, False])
def test_what_waits_is_answered_and_closed(run: RunDirectory, published: bool) -> None:
    publisher = Publisher(Control.create(run.control), run)
    if published:
        publisher.publish(publisher.prepare(parse(configuration(), Path()).configuration))
    (listen,) = choose_ports(["127.0.0.1:0"])
    host, _, port = listen.rpartition(":")
    first, second = bind([listen], [], 2)
    asked = query(NAME).wire
    with contextlib.ExitStack() as opened:
        opened.callback(first.close)
        clients = [opened.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(CLIENTS)]
        for client in clients:
            client.setblocking(False)
            client.connect((host, int(port)))
            client.send(asked)
        connected = [
            opened.enter_context(socket.create_connection((host, int(port)), PATIENCE_S)) for _ in range(CLIENTS)
        ]
        for one in connected:
            one.sendall(len(asked).to_bytes(2) + asked)
        asyncio.run(close_unread(second.listeners, run))
        assert second.listeners[0].udp.fileno() == second.listeners[0].tcp.fileno() == -1
        waiting = 0
        with contextlib.suppress(BlockingIOError):
            while first.listeners[0].udp.recv(4096):
                waiting += 1
        assert 0 < waiting < CLIENTS
        assert replies(clients) == (CLIENTS - waiting if published else 0)
        if published:
            for one in connected:
                one.setblocking(False)
            accepted = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    accepted.append(opened.enter_context(first.listeners[0].tcp.accept()[0]))
            assert replies(connected) == CLIENTS - len(accepted) > 0
        asyncio.run(close_unread(second.listeners, run))


@pytest.mark.process
def test_a_reload_to_more_workers_that_fails_loses_nothing(
    lbdns_server: Callable[..., LbdnsServer],
) -> None:
    if why := why_no_task_limit():
        pytest.skip(why)
    server = lbdns_server(configuration(workers=1))
    status = server.status()
    pids = [server.pid, status["monitor"]["pid"], status["spare_responder"]["pid"], status["responders"][0]["pid"]]
    with crowd_at(server.host, server.port, (query(NAME).wire,)) as crowd:
        with TaskLimit(f"lbdns-unread-{os.getpid()}", pids):
            for workers in (3, 2):
                with pytest.raises(ServerError, match="does not start"):
                    server.reload({"lbdns.yaml": f"workers: {workers}\n"})
                crowd.wait_for(200)
        server.reload({"lbdns.yaml": "workers: 3\n"})
        crowd.wait_for(200)
    assert crowd.lost == 0
    assert len(server.status()["responders"]) == 3 and "Traceback" not in server.log
