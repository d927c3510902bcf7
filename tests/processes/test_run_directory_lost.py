"""The run directory, removed or replaced while the server runs, or while orphans serve: nothing that serves notices."""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lbdns.testing import LbdnsServer
from tests.processes.load import NAME, load_on
from tests.processes.test_reload import HANG_S, eventually
from tests.processes.test_survival import MONITORED, is_alive, kill_supervisor

pytestmark = pytest.mark.process

Start = Callable[..., LbdnsServer]

P, S = ["127.0.0.11"], ["127.0.0.12"]


def remove(pattern: str) -> Callable[[Path], None]:
    """Return what removes some files of a run directory."""

    def do(run: Path) -> None:
        found = list(run.glob(pattern))
        assert found
        for path in found:
            path.unlink()

    return do


def replace(pattern: str) -> Callable[[Path], None]:
    """Return what puts copies in the place of some files, as an editor or a restored backup does."""

    def do(run: Path) -> None:
        for path in run.glob(pattern):
            copy = path.with_name("copy")
            shutil.copy(path, copy)
            copy.replace(path)

    return do


def link(run: Path) -> None:
    """Put a link to a directory with the same files in its place, which somebody else could write to."""
    other = run.with_name(run.name + "-other")
    run.rename(other)
    run.symlink_to(other)


def open_to_all(run: Path) -> None:
    """Put another directory in its place, in which everybody may write."""
    shutil.rmtree(run)
    run.mkdir()
    run.chmod(0o777)


LOSSES: Mapping[str, Callable[[Path], None]] = {
    "directory": shutil.rmtree,
    "every file": remove("*"),
    "control": remove("control"),
    "table": remove("health-*.bin"),
    "tries": remove("tries-*.bin"),
    "targets": remove("targets-*.json"),
    "counters": remove("counters-*.bin"),
    "control replaced": replace("control"),
    "all replaced": replace("*.bin"),
    "opened": lambda run: run.chmod(0o755),
}
ORPHANS_LOSSES: Mapping[str, Callable[[Path], None]] = {
    "directory": shutil.rmtree,
    "control": remove("control"),
    "sockets": remove("responder-*.sock"),
}
PLANTED = {"link": link, "open to all": open_to_all}


def answered(server: LbdnsServer) -> int:
    """Return how many replies were counted."""
    return sum(one["total"] for one in server.ask("counters")["rcodes"].values())


def lose(server: LbdnsServer, loss: Callable[[Path], None]) -> None:
    """Do a loss under load, and wait until it is mended."""
    rebuilds = server.log.count("rebuilt from what is held open")
    before = server.status()
    with load_on(server.host, server.port) as load:
        load.wait_for(20)
        loss(server.run_directory)
        eventually(lambda: server.log.count("rebuilt from what is held open") > rebuilds)
        load.wait_for(20)
    assert load.lost == 0 and {addresses for _, addresses in load.answers} == {frozenset(S)}
    after = server.status()
    assert after["generation"] == before["generation"] + 1
    assert after["responders"][0]["pid"] not in (0, before["responders"][0]["pid"])
    assert after["responders"][0]["restarts"] == after["monitor"]["restarts"] == 0


def kill(pid: int) -> None:
    """Kill a process, and wait until its last thread has ended: one may still take a datagram meanwhile."""
    handle = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        assert select.select([handle], [], [], HANG_S)[0]
    finally:
        os.close(handle)


def check_that_all_works(server: LbdnsServer) -> None:
    """Have everything done that needs the directory: changes of health, orders, reloads, deaths."""
    server.set_endpoint("primary/p", up=True)
    eventually(lambda: server.addresses(NAME) == P)  # the pool's state is written a moment after its endpoint's
    server.ask("force", pattern="primary", state="down")
    eventually(lambda: server.addresses(NAME) == S)
    server.ask("force", pattern="primary", state="auto")
    eventually(lambda: server.addresses(NAME) == P)
    text = (server.directory / "objects.yaml").read_text()
    server.reload({"objects.yaml": text.replace("192.0.2.99", "192.0.2.98")})
    assert server.ask("explain", name=NAME)
    before = server.status()
    kill(before["responders"][0]["pid"])
    assert server.addresses(NAME) == P
    kill(before["monitor"]["pid"])
    eventually(lambda: server.status()["monitor"]["pid"] not in (0, before["monitor"]["pid"]))
    server.set_endpoint("primary/p", up=False)
    eventually(lambda: server.addresses(NAME) == S)
    assert "Traceback" not in server.log


@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_is_rebuilt_and_all_goes_on(lbdns_server: Start, loss: str) -> None:
    server = lbdns_server(MONITORED)
    server.set_endpoint("primary/p", up=False)
    lose(server, LOSSES[loss])
    check_that_all_works(server)
    assert server.stop() == 0
    assert not server.run_directory.exists()


@pytest.mark.parametrize("loss", PLANTED)
def test_a_place_that_is_not_ours_alone_is_left(lbdns_server: Start, loss: str) -> None:
    server = lbdns_server(MONITORED)
    server.set_endpoint("primary/p", up=False)
    planted = server.run_directory
    try:
        lose(server, PLANTED[loss])
        assert (server.state_dir / "run" / "control").exists()
        check_that_all_works(server)
        kill_supervisor(server)
        planted.unlink() if planted.is_symlink() else planted.rmdir()
        with load_on(server.host, server.port) as load:
            server.start()
        assert load.lost == 0 and {addresses for _, addresses in load.answers} == {frozenset(S)}
        assert server.stop() == 0
        assert not server.run_directory.exists() and not (server.state_dir / "run").exists()
    finally:
        shutil.rmtree(planted.with_name(planted.name + "-other"), ignore_errors=True)


def test_a_change_that_comes_before_it_was_noticed_is_served(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    text = (server.directory / "objects.yaml").read_text()
    for number in range(3):
        shutil.rmtree(server.run_directory)
        server.reload({"objects.yaml": text.replace("127.0.0.11", f"192.0.2.{number + 1}")})
        assert (server.run_directory / f"snapshot-{server.status()['generation']}.bin").exists()
        assert server.status()["ready"]


def test_no_count_goes_back_and_none_is_lost(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    asked = answered(server)
    for _ in range(2):
        for _ in range(50):
            server.addresses(NAME)
        rebuilds = server.log.count("rebuilt from")
        shutil.rmtree(server.run_directory)
        for _ in range(50):
            server.addresses(NAME)
        eventually(lambda rebuilds=rebuilds: server.log.count("rebuilt from") > rebuilds)  # type: ignore[misc]
        asked += 100
        assert answered(server) == asked
    kill_supervisor(server)
    server.start()
    assert answered(server) >= asked


@pytest.mark.parametrize("loss", ORPHANS_LOSSES)
def test_orphans_whose_files_are_gone_are_taken_over(lbdns_server: Start, loss: str) -> None:
    server = lbdns_server(MONITORED)
    server.set_endpoint("primary/p", up=False)
    status = server.status()
    pids = [status["monitor"]["pid"], status["responders"][0]["pid"]]
    with load_on(server.host, server.port) as load:
        kill_supervisor(server)
        ORPHANS_LOSSES[loss](server.run_directory)
        eventually(lambda: (server.run_directory / f"responder-{pids[1]}.sock").exists())
        time.sleep(0.5)
        assert all(is_alive(pid) for pid in pids)
        server.start()
        eventually(lambda: not any(is_alive(pid) for pid in pids))
    assert load.lost == 0 and {addresses for _, addresses in load.answers} == {frozenset(S)}
    check_that_all_works(server)


def test_what_cannot_be_rebuilt_is_said_once_and_served_on(lbdns_server: Start) -> None:
    server = lbdns_server(MONITORED)
    (server.state_dir / "run").touch()
    other = server.run_directory.with_name(server.run_directory.name + "-other")
    server.run_directory.rename(other)
    server.run_directory.touch()
    shutil.rmtree(other)
    try:
        told = "was removed or replaced, and cannot be rebuilt: "
        eventually(lambda: told in server.log)
        time.sleep(1.5)
        assert server.addresses(NAME) == P and server.log.count(told) == 1
        status = server.status()
        assert status["ready"] and status["standing"]["state"] == "degraded"
        (row,) = (one for one in status["standing"]["rows"] if one["name"] == "run directory")
        assert told in row["problems"][0]
    finally:
        server.run_directory.unlink()
    eventually(lambda: server.status()["standing"]["state"] == "good")
    check_that_all_works(server)
