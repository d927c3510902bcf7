"""A responder that ends while a crowd asks: whatever it had read is answered by the process that goes on for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.processes.responder.fast_port import load_loop
from lbdns.testing import LbdnsServer, write_files
from tests.answer.packets import query, slow_query
from tests.processes.crowd import crowd_at
from tests.processes.launch import soon
from tests.processes.load import NAME, configuration
from tests.processes.test_reload import eventually
from tests.processes.test_survival import freeze, wait_for_spare

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(load_loop() is None, reason="the compiled loop is not installed"),
]

Start = Callable[..., LbdnsServer]

# For the fast path, and for the slow path.
QUESTIONS = tuple(
    one.wire for one in (query(NAME), slow_query(NAME), query("example.com", "SOA"), slow_query("a.test"))
)
KILLS = 3
QUEUED = 20
FREEZES = 20


def states(pid: int) -> list[str]:
    """Return what each thread of a process does, one letter each: R, S, T, Z and others; none while some go."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks]
    except (FileNotFoundError, ProcessLookupError):
        return []


@pytest.mark.parametrize("questions", [QUESTIONS[:1], QUESTIONS], ids=["fast", "mixed"])
@pytest.mark.parametrize("workers", [1, 2])
def test_no_query_is_lost_whenever_a_responder_is_killed(
    lbdns_server: Start, workers: int, questions: tuple[bytes, ...]
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


def test_a_spare_that_was_stopped_with_its_responder_goes_on_for_it(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=2))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        for frozen in range(1, FREEZES + 1):  # until the spare is not the one that is found silent first
            wait_for_spare(server)
            status = server.status()
            before, spare = status["responders"][0]["pid"], status["spare_responder"]["pid"]
            freeze(before)
            freeze(spare)
            eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before))  # noqa: B023
            crowd.wait_for(500)
            assert server.status()["responders"][0]["hangs"] == frozen
            if server.status()["responders"][0]["pid"] == spare:
                break
        assert server.status()["responders"][0]["pid"] == spare
    assert crowd.lost == 0


def test_no_query_is_lost_when_both_are_killed_at_once(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=2))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        wait_for_spare(server)
        before = [one["pid"] for one in server.status()["responders"]]
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not {0, *before} & {one["pid"] for one in server.status()["responders"]})
        crowd.wait_for(500)
    assert crowd.lost == 0


def test_a_spare_that_ends_as_it_is_to_stand_in_is_one_line_in_the_log(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=1))
    told = ""
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        for _ in range(FREEZES):  # until it hears of the responder's end first, and of the spare's too late
            wait_for_spare(server)
            before = server.status()
            spare = before["spare_responder"]["pid"]
            freeze(server.pid)
            try:
                for pid in (before["responders"][0]["pid"], spare):
                    os.kill(pid, signal.SIGKILL)
                    soon(lambda: states(pid) == ["Z"])  # noqa: B023
            finally:
                os.kill(server.pid, signal.SIGCONT)
            eventually(lambda: server.status()["responders"][0]["pid"] not in (0, before["responders"][0]["pid"]))  # noqa: B023
            crowd.wait_for(100)
            told = f"the spare responder (pid {spare}) cannot stand in for responder 0: Broken pipe"
            if told in server.log:
                break
    assert sum(told in line for line in server.log.splitlines()) == 1 and "Traceback" not in server.log


def test_no_query_is_lost_when_one_is_killed_as_generations_change(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=2))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        for number in range(2 * KILLS):
            wait_for_spare(server)
            write_files(configuration((f"192.0.2.{number + 1}",), workers=2), server.directory)
            before = server.status()["responders"][number % 2]["pid"]
            server.ask("reload")
            os.kill(before, signal.SIGKILL)
            crowd.wait_for(200)
            eventually(lambda: server.status()["responders"][number % 2]["pid"] not in (0, before))  # noqa: B023
        assert server.addresses(NAME) == [f"192.0.2.{2 * KILLS}"]
    assert crowd.lost == 0 and "Traceback" not in server.log


def test_no_query_is_lost_when_one_is_killed_as_another_takes_its_place(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=1))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        for log in ("json", "text", "json"):
            wait_for_spare(server)
            (before,) = server.status()["responders"]
            write_files(configuration(workers=1, log=log), server.directory)
            soon(lambda: server.status()["responders"][0]["pid"] not in (0, before["pid"]))  # noqa: B023
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.kill(before["pid"], signal.SIGKILL)
            crowd.wait_for(500)
    assert crowd.lost == 0 and "Traceback" not in server.log


def test_a_spare_that_is_killed_or_stops_is_replaced(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=1))
    with crowd_at(server.host, server.port, QUESTIONS) as crowd:
        for end in (lambda pid: os.kill(pid, signal.SIGKILL), freeze):
            wait_for_spare(server)
            spare = server.status()["spare_responder"]["pid"]
            end(spare)
            eventually(lambda: server.status()["spare_responder"]["pid"] not in (0, spare))  # noqa: B023
        wait_for_spare(server)
        spare, (before,) = server.status()["spare_responder"]["pid"], server.status()["responders"]
        os.kill(before["pid"], signal.SIGKILL)
        eventually(lambda: server.status()["responders"][0]["pid"] == spare)
        crowd.wait_for(500)
    assert crowd.lost == 0
    assert "the spare responder died (signal SIGKILL)" in server.log
    assert "the spare responder (pid" in server.log and ") hangs, silent for " in server.log


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
