"""A responder that ends while a crowd asks: whatever it had read is answered by the process that goes on for it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

import pytest

from lbdns.processes.responder.fast_port import load_loop
from lbdns.testing import LbdnsServer
from tests.answer.packets import query
from tests.processes.crowd import crowd_at
from tests.processes.load import NAME, configuration
from tests.processes.test_reload import eventually
from tests.processes.test_survival import SPARE_READY_S, freeze

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(load_loop() is None, reason="the compiled loop is not installed"),
]

Start = Callable[..., LbdnsServer]

# For the fast path, and for the slow path.
QUESTIONS = ((NAME, "A"), (NAME, "ANY"), ("example.com", "SOA"), ("nothing.example.com", "A"))
KILLS = 3
QUEUED = 20


def wait_for_spare(server: LbdnsServer) -> None:
    """Return when a spare process waits."""
    eventually(lambda: server.status()["spare_responder"]["pid"] != 0)
    time.sleep(SPARE_READY_S)


@pytest.mark.parametrize("questions", [QUESTIONS[:1], QUESTIONS], ids=["fast", "mixed"])
@pytest.mark.parametrize("workers", [1, 2])
def test_no_query_is_lost_whenever_a_responder_is_killed(
    lbdns_server: Start, workers: int, questions: tuple[tuple[str, str], ...]
) -> None:
    server = lbdns_server(configuration(workers=workers))
    with crowd_at(server.host, server.port, questions) as crowd:
        for number in range(KILLS):
            wait_for_spare(server)
            before = server.status()["responders"][number % workers]["pid"]
            os.kill(before, signal.SIGKILL)
            eventually(lambda: server.status()["responders"][number % workers]["pid"] not in (0, before))  # noqa: B023
            crowd.wait_for(500)
    assert crowd.lost == 0
    assert "left out" not in server.log and "Traceback" not in server.log


def test_no_query_is_lost_when_one_stops_and_is_killed_for_it(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=2))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        wait_for_spare(server)
        before = server.status()["responders"][0]["pid"]
        freeze(before)
        eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before))
        crowd.wait_for(500)
    assert crowd.lost == 0 and crowd.slowest_s < 3.0


def test_connections_that_wait_to_be_accepted_are_served_by_the_spare(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=1))
    wait_for_spare(server)
    (responder,) = server.status()["responders"]
    freeze(responder["pid"])
    asked = query(NAME, "A").wire
    clients = []
    for _ in range(QUEUED):
        clients.append(socket.create_connection((server.host, server.port), timeout=10))
        clients[-1].sendall(len(asked).to_bytes(2) + asked)
    os.kill(responder["pid"], signal.SIGKILL)
    for client in clients:
        with client:
            assert client.recv(4096)[2:4] == asked[:2]
