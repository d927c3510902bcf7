"""Fail static: what is killed comes back or is not missed, and who takes over does it without an outage."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, ServerError, running_server, write_files
from tests.processes.launch import launched, soon
from tests.processes.load import NAME, configuration, load_on
from tests.processes.test_reload import HANG_S, OLD, TRIES, at_best, eventually

pytestmark = pytest.mark.process

Start = Callable[..., LbdnsServer]

STOOD_IN_S = 0.1
"""A new process needs several times as long before it answers, a spare a tenth where a processor is free for it."""
SETTLED_S = 0.5
"""How long who has just begun to wait is left alone, as its start still has the processors busy."""
INTERVAL_S = 5
TIMEOUT_S = 1
MONITORED = {
    **configuration(),
    "monitors": {"web": {"type": "http", "interval": INTERVAL_S, "timeout": TIMEOUT_S, "retries": 0}},
    "pools": {
        "primary": {"monitor": "web", "origins": [{"name": "p", "address": "127.0.0.11"}]},
        "secondary": {"monitor": "web", "origins": [{"name": "s", "address": "127.0.0.12"}]},
        # Answers only where nothing is known of the others, which must never show.
        "unmonitored": {"origins": [{"name": "u", "address": "192.0.2.99"}]},
    },
    "load_balancers": [{"name": NAME, "default_pools": ["primary", "secondary"], "fallback_pool": "unmonitored"}],
}


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill_supervisor(server: LbdnsServer) -> None:
    """Kill the supervisor and nothing else."""
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def test_the_first_answer_rests_on_real_health_and_failover_is_quick(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    assert server.addresses(NAME) == ["127.0.0.11"]

    def change(up: bool, wanted: str) -> float:
        server.set_endpoint("primary/p", up=up, wait=False)
        return eventually(lambda: server.addresses(NAME) == [wanted])

    def there_and_back() -> float:
        return max(change(False, "127.0.0.12"), change(True, "127.0.0.11"))

    at_best(there_and_back, INTERVAL_S + TIMEOUT_S + 0.2)


def test_a_killed_monitor_worker_changes_no_answer_and_is_back_in_two_seconds(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)

    def kill() -> float:
        before = server.status()["monitor"]["pid"]
        os.kill(before, signal.SIGKILL)
        killed = time.monotonic_ns()

        def is_back() -> bool:
            after = server.status()["monitor"]["pid"]
            silent_s = server.health()["monitor"]["silent_s"]
            return after not in (0, before) and silent_s * 1e9 < time.monotonic_ns() - killed

        return eventually(is_back)

    with load_on(server.host, server.port) as load:
        at_best(kill, 2.0)
        load.wait_for(100)
    assert load.lost == 0
    assert {addresses for _, addresses in load.answers} == {frozenset({"127.0.0.11"})}
    assert "the monitor worker died (signal SIGKILL)" in server.log


def test_a_killed_responder_comes_back_to_the_queries_that_waited(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    (responder,) = server.status()["responders"]
    os.kill(responder["pid"], signal.SIGKILL)
    eventually(lambda: not is_alive(responder["pid"]))
    assert server.addresses(NAME) == sorted(OLD[1])
    assert server.addresses(NAME, tcp=True) == sorted(OLD[1])
    (after,) = server.status()["responders"]
    assert after["pid"] != responder["pid"] and after["restarts"] == 1


def wait_for_spare(server: LbdnsServer) -> None:
    """Return when a spare process waits for what it is to be."""
    eventually(lambda: any("; a spare waits" in row["text"] for row in server.status()["standing"]["rows"]))
    time.sleep(SETTLED_S)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_spare_takes_the_sockets_of_a_responder_that_is_killed(lbdns_server: Start, workers: int) -> None:
    server = lbdns_server(configuration(workers=workers))
    slowest_s = []
    for _ in range(TRIES):
        with load_on(server.host, server.port) as load:
            load.wait_for(200)
            wait_for_spare(server)
            spare, before = server.status()["spare_responder"]["pid"], server.status()["responders"][0]
            os.kill(before["pid"], signal.SIGKILL)
            eventually(lambda: server.status()["responders"][0]["pid"] == spare)  # noqa: B023
            load.wait_for(200)
        assert server.status()["responders"][0]["restarts"] == before["restarts"] + 1
        assert load.lost == 0
        slowest_s.append(load.slowest_s)
        if load.slowest_s < STOOD_IN_S:
            return
    raise AssertionError(f"answers took up to {slowest_s} s, whenever a responder was killed")


def freeze(pid: int) -> None:
    """Stop a process, and return when none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    soon(lambda: all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks))


def test_a_stopped_responder_is_replaced_within_a_second(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    took_s = []
    for number in range(1, TRIES + 1):
        wait_for_spare(server)
        (before,) = server.status()["responders"]
        freeze(before["pid"])
        stopped_s = time.monotonic()
        assert server.addresses(NAME) == sorted(OLD[1])  # what waited meanwhile is answered
        took_s.append(time.monotonic() - stopped_s)
        (after,) = server.status()["responders"]
        assert after["pid"] != before["pid"] and after["restarts"] == after["hangs"] == number
        assert f"the responder 0 (pid {before['pid']}) hangs, silent for " in server.log
        if took_s[-1] < 1.0:
            return
    raise AssertionError(f"it took {took_s} s")


def test_a_stopped_monitor_worker_is_replaced_within_three_seconds(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)

    def stop() -> float:
        before = server.status()["monitor"]
        freeze(before["pid"])
        took_s = eventually(lambda: server.status()["monitor"]["pid"] not in (0, before["pid"]))
        assert server.status()["monitor"]["hangs"] == before["hangs"] + 1
        assert f"the monitor worker (pid {before['pid']}) hangs, silent for " in server.log
        eventually(lambda: server.health()["monitor"]["silent_s"] < 1.0)
        return took_s

    at_best(stop, 3.0)


@pytest.mark.parametrize("kind", ["spare_responder", "monitor"])
def test_a_process_that_stops_while_it_starts_is_replaced(lbdns_server: Start, kind: str) -> None:
    server = lbdns_server(configuration())
    wait_for_spare(server)
    before = server.status()[kind]["pid"]
    os.kill(before, signal.SIGKILL)
    soon(lambda: server.status()[kind]["pid"] not in (0, before))
    started = server.status()[kind]["pid"]
    freeze(started)
    eventually(lambda: server.status()[kind]["pid"] not in (0, started))
    assert f"(pid {started}) hangs, silent for " in server.log


def test_a_responder_that_stops_while_it_starts_does_not_end_the_start(tmp_path: Path) -> None:
    write_files(configuration(), tmp_path / "config")
    with launched(tmp_path) as (server, started):
        soon(lambda: responders_below(server.pid))
        (responder,) = responders_below(server.pid)
        freeze(responder)
        started.result(HANG_S)
        assert f"the spare responder (pid {responder}) hangs, silent for " in server.log
        assert server.addresses(NAME) == sorted(OLD[1])


def test_a_responder_killed_before_it_is_ready_does_not_end_the_start(tmp_path: Path) -> None:
    write_files(configuration(), tmp_path / "config")
    with launched(tmp_path) as (server, started):
        soon(lambda: responders_below(server.pid))
        (responder,) = responders_below(server.pid)
        os.kill(responder, signal.SIGKILL)
        started.result()
        assert "the spare responder ended before it was ready (signal SIGKILL); it is started again" in server.log
        assert server.addresses(NAME) == sorted(OLD[1])
        assert server.addresses(NAME, tcp=True) == sorted(OLD[1])
        (after,) = server.status()["responders"]
        assert after["pid"] != responder and after["restarts"] == 0


def responders_below(parent: int) -> list[int]:
    """Return the process ids of a supervisor's responders."""
    found = []
    for children in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):  # it may have ended
                if b"lbdns.processes.responder.responder" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    found.append(int(pid))
    return found


def test_without_its_supervisor_the_server_answers_until_another_takes_over(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    status = server.status()
    before = [status["monitor"]["pid"], *(one["pid"] for one in status["responders"])]
    server.set_endpoint("primary/p", up=False)
    with load_on(server.host, server.port) as load:
        kill_supervisor(server)
        load.wait_for(300)
        assert all(is_alive(pid) for pid in before)
        server.start()
        load.wait_for(300)
        eventually(lambda: not any(is_alive(pid) for pid in before))
        load.wait_for(300)
    assert load.lost == 0
    # What was down stayed down all the while: the new supervisor continues from the health table.
    assert {addresses for _, addresses in load.answers} == {frozenset({"127.0.0.12"})}
    assert "took over from 1 responder that" in server.log
    server.set_endpoint("primary/p", up=True)
    assert server.addresses(NAME) == ["127.0.0.11"]
    assert server.stop() == 0
    assert not server.run_directory.exists()


def test_what_was_stopped_is_taken_over_from_as_well(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    status = server.status()
    responder, monitor = status["responders"][0]["pid"], status["monitor"]["pid"]
    with load_on(server.host, server.port) as load:
        kill_supervisor(server)
        freeze(responder)
        freeze(monitor)
        server.start()
        load.wait_for(100)
    assert load.lost == 0
    assert "took over from 1 responder that" in server.log
    eventually(lambda: not is_alive(responder) and not is_alive(monitor))


def test_who_takes_over_from_another_version_says_so_and_measures_before_it_answers(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    server.set_endpoint("primary/p", up=False)
    with load_on(server.host, server.port) as load:
        kill_supervisor(server)
        (table,) = server.run_directory.glob("health-*.bin")
        with table.open("r+b") as file:
            file.seek(8)
            file.write(b"\xff")  # the format's number; those who have it mapped read on
        server.start()
        assert server.addresses(NAME) == ["127.0.0.12"]
    assert load.lost == 0
    assert re.search(
        "warning +supervisor: what the earlier start measured cannot .*a health table of format", server.log
    )


def test_who_takes_over_with_other_settings_leaves_nobody_unread(tmp_path: Path) -> None:
    with running_server(configuration(workers=3), tmp_path) as server:
        with load_on(server.host, server.port) as load:
            kill_supervisor(server)
            (server.directory / "lbdns.yaml").write_text("workers: 1\n")
            server.start()
            load.wait_for(100)
        assert load.lost == 0
        assert len(server.status()["responders"]) == 1


def test_who_cannot_take_over_leaves_the_others_serving(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    kill_supervisor(server)
    (server.directory / "lbdns.yaml").write_text(
        "strict: true\n"
    )  # what was served last may be kept by now, or not yet
    objects = server.directory / "objects.yaml"
    good = objects.read_text()
    objects.write_text("pools: [")
    with pytest.raises(ServerError):
        server.start()
    assert server.addresses(NAME) == sorted(OLD[1])
    objects.write_text(good)
    server.start()
    assert server.addresses(NAME) == sorted(OLD[1])


def test_a_second_server_on_the_same_state_is_refused(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    second = serve(server.directory, server.state_dir, "127.0.0.1:0")
    assert second.returncode == 1
    assert (
        f"another lbdns server (pid {server.pid}) already uses the state directory {server.state_dir}" in second.stderr
    )
    assert server.addresses(NAME) == sorted(OLD[1])


def test_addresses_that_cannot_be_had_are_all_named_and_nothing_stays_behind(
    lbdns_server: Start, tmp_path: Path
) -> None:
    server = lbdns_server(configuration())
    taken = f"127.0.0.1:{server.port}"
    refused = serve(server.directory, tmp_path / "other", taken, "192.0.2.1:5300")
    assert refused.returncode == 1
    assert f"cannot listen on {taken} (UDP): another program listens there" in refused.stderr
    assert "192.0.2.1 is not an address of this machine" in refused.stderr
    assert not (tmp_path / "other").exists()
    assert "Traceback" not in refused.stderr


def test_stopping_answers_what_has_come_and_leaves_nothing_behind(lbdns_server: Start) -> None:
    server = lbdns_server(configuration())
    status = server.status()
    assert server.stop() == 0
    assert "does not stop and is killed" not in server.log
    assert not server.run_directory.exists()
    assert not server.control.exists() and not (server.state_dir / "lock").exists()
    pids = [status["monitor"]["pid"], *(one["pid"] for one in status["responders"])]
    assert not any(is_alive(pid) for pid in pids)
    assert "Traceback" not in server.log


def test_stopping_under_load_ends_in_time(lbdns_server: Start) -> None:
    server = lbdns_server(configuration(workers=2))
    with load_on(server.host, server.port, reply_s=1.0) as load:
        load.wait_for(50)
        assert server.stop() == 0
    assert "Traceback" not in server.log


def serve(directory: Path, state: Path, *listen: str) -> subprocess.CompletedProcess[str]:
    """Run `lbdns serve` to its end, which is meant to come soon."""
    command = [sys.executable, "-P", "-m", "lbdns", "serve", str(directory), "--state", str(state)]
    for address in listen:
        command += ["--listen", address]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG_S, env=package_environment(), check=False
    )
