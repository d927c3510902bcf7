"""Reloading: all or nothing, no query lost, no answer mixed, whatever changed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lbdns.processes.supervisor.binding import choose_ports
from lbdns.testing import LbdnsServer, ServerError, running_server, write_files
from tests.processes.load import NAME, configuration, load_on

pytestmark = pytest.mark.process

Start = Callable[..., LbdnsServer]

OLD = (30, frozenset({"192.0.2.1", "192.0.2.2"}))
NEW = (40, frozenset({"198.51.100.1", "198.51.100.2"}))
OLD_FILES = configuration()
NEW_FILES = configuration(("198.51.100.1", "198.51.100.2"), ttl=40)
SERVED_WITHIN_S = 2.0
HANG_S = 60.0  # what lasts so long comes never, however busy the machine is
TRIES = 6  # of what other work on the machine can make longer


def eventually(condition: Callable[[], bool], seconds: float = HANG_S) -> float:
    """Wait for a condition; returns how long it took (seconds)."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began


def at_best(attempt: Callable[[], float], seconds: float) -> None:
    """Try until an attempt takes less than so many seconds, as it says itself; at most `TRIES` times."""
    took_s: list[float] = []
    while not took_s or took_s[-1] >= seconds:
        assert len(took_s) < TRIES, f"it took {took_s} s, never less than {seconds} s"
        took_s.append(attempt())


def test_reloading_under_load_loses_no_query_and_mixes_nothing(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    with load_on(server.host, server.port) as load:
        for round_number in range(6):
            write_files(NEW_FILES if round_number % 2 == 0 else OLD_FILES, server.directory)
            server.reload({})
            load.wait_for(20)
    assert load.lost == 0
    assert set(load.answers) == {OLD, NEW}
    # Each change shows in the next batch: the answers change sides as often as the configuration did.
    sides = sum(before != after for before, after in zip(load.answers, load.answers[1:], strict=False))
    assert sides == 6


def test_changed_files_are_served_within_two_seconds(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)

    def change() -> float:
        files, (_, addresses) = (OLD_FILES, OLD) if server.addresses(NAME) == sorted(NEW[1]) else (NEW_FILES, NEW)
        write_files(files, server.directory)
        return eventually(lambda: server.addresses(NAME) == sorted(addresses))

    at_best(change, SERVED_WITHIN_S)
    eventually(lambda: "files changed: serving 1 zone, 1 load balancer, 1 pool, 2 endpoints (gen" in server.log)


def test_a_mistake_is_reported_and_the_old_served_on_until_it_is_mended(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    objects = server.directory / "objects.yaml"
    tree = yaml.safe_load(objects.read_text())
    tree["pools"]["main"]["origins"][0]["wieght"] = 1
    tree["load_balancers"][0]["ttl"] = 99
    with pytest.raises(ServerError, match="wieght"):
        server.reload({"objects.yaml": yaml.safe_dump(tree)})
    assert server.query(NAME).answer[0].ttl == OLD[0]
    assert "what was served before is served on" in server.log
    assert server.status()["generation"] == 1
    del tree["pools"]["main"]["origins"][0]["wieght"]
    server.reload({"objects.yaml": yaml.safe_dump(tree)})
    assert server.query(NAME).answer[0].ttl == 99


def test_hangup_reloads(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    os.kill(server.pid, signal.SIGHUP)
    eventually(lambda: "SIGHUP: serving" in server.log)


def test_files_outside_the_directory_are_watched_through_links(lbdns_server: Start, tmp_path: Path) -> None:
    server = lbdns_server(OLD_FILES)
    write_files(NEW_FILES, tmp_path)
    # As Kubernetes mounts a ConfigMap: the names stay, what they lead to is swapped.
    link = server.directory / "objects.yaml.new"
    link.symlink_to(tmp_path / "objects.yaml")
    link.replace(server.directory / "objects.yaml")
    eventually(lambda: server.addresses(NAME) == sorted(NEW[1]))
    write_files(OLD_FILES, tmp_path)
    eventually(lambda: server.addresses(NAME) == sorted(OLD[1]))


def test_a_named_list_that_changes_is_served(lbdns_server: Start) -> None:
    """The file of a list, whose name is none of a configuration's files, is watched like these."""
    tree = configuration()
    rule = {"name": "office", "condition": "ip.src in $office", "overrides": {"ttl": 77}}
    tree["load_balancers"][0]["rules"] = [rule]
    tree["settings"] = {"lists": {"office": ["192.0.2.0/24"]}}
    server = lbdns_server(tree)
    assert server.query(NAME).answer[0].ttl == OLD[0]
    (server.directory / "office.txt").write_text("127.0.0.0/8\n")
    (server.directory / "lbdns.yaml").write_text("lists: {office: office.txt}\n")
    eventually(lambda: server.query(NAME).answer[0].ttl == 77)
    (server.directory / "office.txt").write_text("198.51.100.0/24  # moved\n")
    eventually(lambda: server.query(NAME).answer[0].ttl == OLD[0])
    (server.directory / "office.txt").write_text("198.51.100.1/24\n127.0.0.0/8\n")
    eventually(lambda: "office.txt:1: " in server.log)
    assert server.query(NAME).answer[0].ttl == OLD[0]


def test_more_and_fewer_responders_lose_no_query(lbdns_server: Start) -> None:
    server = lbdns_server(OLD_FILES)
    with load_on(server.host, server.port) as load:
        for workers in (2, 3, 1):
            server.reload({"lbdns.yaml": f"workers: {workers}\n"})
            eventually(lambda workers=workers: len(server.status()["responders"]) == workers)  # type: ignore[misc]
            load.wait_for(50)
    assert load.lost == 0
    assert set(load.answers) == {OLD}


def test_addresses_to_listen_on_come_and_go_without_losing_a_query(tmp_path: Path) -> None:
    first, second = choose_ports(("127.0.0.1:0", "127.0.0.2:0"))
    with running_server(configuration(listen=[first]), tmp_path, override=False) as server:
        with load_on(server.host, server.port) as load:
            server.reload({"lbdns.yaml": f"listen: ['{first}', '{second}']\n"})
            with load_on("127.0.0.2", int(second.rpartition(":")[2])) as other:
                other.wait_for(20)
            assert other.lost == 0
            server.reload({"lbdns.yaml": f"listen: ['{first}']\n"})
            load.wait_for(20)
        assert load.lost == 0
        with pytest.raises(ServerError, match=r"192\.0\.2\.1 is not an address of this machine"):
            server.reload({"lbdns.yaml": f"listen: ['{first}', '192.0.2.1:53']\n"})
        assert server.status()["listen"] == [first]
        assert server.addresses(NAME) == sorted(OLD[1])
