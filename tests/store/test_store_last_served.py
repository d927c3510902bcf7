"""A store whose settings have a mistake, or that cannot be opened: what was served last is served, loudly."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.base.words import LAST_SERVED, STORE_FILE
from tests.processes.load import NAME
from tests.processes.namespaces import filled, read_only, seen_from_outside, small_disk, with_mounts
from tests.processes.test_last_served import lbdns, row
from tests.processes.test_reload import eventually
from tests.store.served import StoreServer, stopped_server

pytestmark = pytest.mark.process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    """Return a server that has served a zone with a pool from its store, and is stopped."""
    with stopped_server(tmp_path, "pop: {code: AMS}") as server:
        yield server


def standing(server: StoreServer) -> dict[str, Any]:
    found: dict[str, Any] = server.status()["standing"]
    return found


def test_settings_with_a_mistake_leave_the_store_served_and_changed(server: StoreServer) -> None:
    good = server.settings_file.read_text()
    server.settings_file.write_text(f"{good}workers: many\n")
    server.start()
    server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert standing(server)["state"] == "degraded" and row(server, "store")["text"] == "revision 1, can be written"
    with server.local as client:
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        pools = f"/client/v4/accounts/{account}/load_balancers/pools"
        (pool,) = client.get(pools).json()["result"]
        origins = [{"name": "e", "address": "192.0.2.9"}]
        client.patch(f"{pools}/{pool['id']}", json={"origins": origins}).raise_for_status()
    eventually(lambda: server.addresses(NAME) == ["192.0.2.9"])
    assert server.stop() == 0
    # What was changed meanwhile is served by the next start as well, and kept.
    server.start()
    assert server.addresses(NAME) == ["192.0.2.9"]
    assert standing(server)["state"] == "degraded"
    server.settings_file.write_text(good)
    eventually(lambda: standing(server)["state"] == "good", 5)
    (copy,) = [path for path in (server.state_dir / LAST_SERVED).iterdir() if path.is_dir()]
    assert (copy / "files" / "lbdns.yaml").read_text() == good
    assert "192.0.2.9" in (copy / "files" / "pools.yaml").read_text()


@pytest.mark.parametrize("is_of_another_release", [False, True])
def test_a_list_whose_file_is_gone_is_what_was_served_last(tmp_path: Path, is_of_another_release: bool) -> None:
    listed = tmp_path / "lists" / "office.txt"
    listed.parent.mkdir()
    listed.write_text("127.0.0.0/8 # here\n")
    with stopped_server(tmp_path, "lists: {office: lists/office.txt}") as server:
        server.start()
        server.wait_for_api()
        with server.local as client:
            (balancer,) = client.get("/lbdns/v1/load_balancers").json()["result"]
            at = f"/client/v4/zones/{balancer['zone_id']}/load_balancers/{balancer['id']}"
            rules = [{"name": "office", "condition": "ip.src in $office", "fixed_response": {}}]
            client.patch(at, json={"rules": rules}).raise_for_status()
        eventually(lambda: server.query(NAME).answer == [])
        assert server.stop() == 0
        listed.unlink()
        for _ in range(2):  # what is kept of such a start serves the next one
            if is_of_another_release:
                current = server.state_dir / LAST_SERVED / "current.json"
                current.write_text(json.dumps({**json.loads(current.read_text()), "format": "another release"}))
                (copy,) = [path for path in (server.state_dir / LAST_SERVED).iterdir() if path.is_dir()]
                (copy / "configuration.json").write_bytes(b"{}")
            server.start()
            server.wait_for_api()
            assert server.query(NAME).answer == []
            assert standing(server)["state"] == "degraded"
            assert server.stop() == 0
        (copy,) = [path for path in (server.state_dir / LAST_SERVED).iterdir() if path.is_dir()]
        (text,) = [path for path in (copy / "files" / ".beside").rglob("*.txt")]
        assert text.read_text() == "127.0.0.0/8 # here\n"
        listed.write_text("192.0.2.0/24\n")
        server.start()
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]


def test_a_store_that_cannot_be_opened_is_survived(server: StoreServer) -> None:
    kept = {path: path.read_bytes() for path in server.state_dir.glob(f"{STORE_FILE}*")}
    for path in kept:
        path.write_bytes(b"no database at all" * 1000)
    token = httpx.Client(base_url=server.api, headers={"Authorization": "Bearer whoever"})
    server.start()
    server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    told = row(server, "management")
    assert told["text"] == "not all of it works"
    assert row(server, "store")["text"] == "cannot be read, nothing can be stored"
    assert "the store is damaged (file is not a database); `lbdns store restore --state " in told["problems"][0]
    with server.local as client, token:
        # What is served is shown, and nothing of it changed.
        assert [zone["name"] for zone in client.get("/client/v4/zones").json()["result"]] == ["example.com"]
        for refused in (
            client.post("/client/v4/zones", json={"name": "example.net"}),
            client.post("/lbdns/v1/apply", json={"configuration": {"pools": {}}}),
            client.post("/lbdns/v1/tokens", json={"name": "t", "scope": "read"}),
            token.get("/client/v4/zones"),
        ):
            assert refused.status_code == 503, refused.text
            assert "the store is damaged" in refused.json()["errors"][0]["message"]
    assert "Traceback" not in server.log
    assert server.log.count("changes are refused: ") == 1
    for path, data in kept.items():
        path.write_bytes(data)
    eventually(lambda: standing(server)["state"] == "good", 15)
    with server.local as client:
        client.post("/client/v4/zones", json={"name": "example.net"}).raise_for_status()
    assert server.query("example.net", "SOA").rcode() == 0
    assert "the store can be read again" in server.log


@pytest.mark.parametrize("lost", ["revisions", "objects"])
def test_a_store_without_its_revisions_or_objects_is_told_once_and_taken_as_it_is(
    server: StoreServer, lost: str
) -> None:
    with contextlib.closing(sqlite3.connect(server.state_dir / STORE_FILE)) as connection, connection:
        connection.execute(f"DELETE FROM {lost}")
    server.start()
    server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert row(server, "store")["text"] == "cannot be read, nothing can be stored"
    assert server.log.count("the store is damaged (it has " if lost == "revisions" else "objects are missing") == 1
    state = ["--state", str(server.state_dir)]
    checked = lbdns("store", "check", *state)
    assert checked.returncode == 1 and "the store is damaged (" in checked.stderr
    whence = ["--from", str(server.state_dir / STORE_FILE)] if lost == "revisions" else []
    done = lbdns("store", "restore", *whence, *state)
    assert done.returncode == 0, done.stderr
    eventually(lambda: standing(server)["state"] == "good", 15)
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert lbdns("store", "check", *state).returncode == 0


def test_what_a_token_made_reaches_no_loopback_in_what_was_served_last(server: StoreServer) -> None:
    server.start()
    server.wait_for_api()
    headers = {"Authorization": f"Bearer {server.token()}"}
    with httpx.Client(base_url=server.api, headers=headers, timeout=30) as client:
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        load_balancers = f"/client/v4/accounts/{account}/load_balancers"
        monitor = client.post(f"{load_balancers}/monitors", json={"type": "tcp", "port": 9}).json()["result"]["id"]
        origins = [{"name": "e", "address": "127.0.0.1"}]
        pool = {"name": "theirs", "monitor": monitor, "origins": origins}
        client.post(f"{load_balancers}/pools", json=pool).raise_for_status()
    refused = "Monitor config error"
    eventually(lambda: refused in str(server.ask("health")), 15)
    assert server.stop() == 0
    (server.state_dir / STORE_FILE).write_bytes(b"no database at all" * 1000)
    for spoiled in (["snapshot"], ["snapshot"], ["snapshot", "origin.json"]):  # of what the start before kept, too
        (copy,) = [path for path in (server.state_dir / LAST_SERVED).iterdir() if path.is_dir()]
        texts = {path.name: path.read_bytes() for path in (copy / "files").iterdir()}
        assert {"example.com.zone", "pools.yaml"} <= texts.keys()
        for name in spoiled:
            (copy / name).write_bytes(b"of another release")  # its texts are read
        server.start()
        server.wait_for_api()
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        eventually(lambda: refused in str(server.ask("health")), 15)
        assert server.stop() == 0


def test_a_store_that_vanished_is_not_begun_anew(server: StoreServer) -> None:
    kept = {path: path.read_bytes() for path in server.state_dir.glob(f"{STORE_FILE}*")}
    for path in kept:
        path.unlink()
    for _ in range(2):
        server.start()
        server.wait_for_api()
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        assert "the store is gone, and there was one" in row(server, "management")["problems"][0]
        assert server.stop() == 0
    done = lbdns("zone", "create", "example.net", "--state", str(server.state_dir))
    assert done.returncode == 1 and "the store is gone" in done.stderr
    assert not (server.state_dir / STORE_FILE).exists()


@pytest.mark.parametrize("is_running", [True, False])
def test_a_store_is_made_anew_of_what_was_served_last(server: StoreServer, is_running: bool) -> None:
    server.start()
    server.wait_for_api()
    token = server.token()
    with server.local as client:
        (account,) = client.get("/client/v4/accounts").json()["result"]
        pools = f"/client/v4/accounts/{account['id']}/load_balancers/pools"
        (before,) = client.get(pools).json()["result"]
    assert server.stop() == 0
    store = server.state_dir / STORE_FILE
    if is_running:
        with store.open("r+b") as file:  # the header alone: its tokens are lost with it
            file.write(b"no header at all")
    else:
        with contextlib.closing(sqlite3.connect(store)) as connection:
            connection.execute("PRAGMA user_version = 99")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = store.read_bytes()
    if is_running:
        server.start()
        server.wait_for_api()
    done = lbdns("store", "restore", "--state", str(server.state_dir))
    assert done.returncode == 0, done.stderr
    assert f"{store}: made of what was served last, as of " in done.stdout
    (kept,) = [path for path in server.state_dir.glob(f"{STORE_FILE}.before-*") if path.name.endswith("Z")]
    assert str(kept) in done.stdout and kept.read_bytes() == damaged
    if is_running:
        eventually(lambda: standing(server)["state"] == "good", 15)
    else:
        server.start()
        server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    with server.local as client:
        (after,) = client.get(pools).json()["result"]
        assert (after["id"], after["origins"]) == (before["id"], before["origins"])
        client.post("/client/v4/zones", json={"name": "example.net"}).raise_for_status()
        refused = client.post("/lbdns/v1/store/restore", json={})
        assert refused.status_code == 400 and "nothing is to be restored" in refused.text
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.api}/client/v4/zones", headers=headers).status_code == (403 if is_running else 200)


def test_a_copy_is_put_in_the_place_of_a_store(server: StoreServer, tmp_path: Path) -> None:
    store, state = server.state_dir / STORE_FILE, ["--state", str(server.state_dir)]
    copy = tmp_path / "copy"
    with contextlib.closing(sqlite3.connect(store)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    before = lbdns("zone", "list", *state).stdout
    store.write_bytes(b"no database at all" * 1000)
    assert "the store is damaged" in lbdns("zone", "list", *state).stderr
    (tmp_path / "other").write_bytes(b"no copy")
    wrong = lbdns("store", "restore", "--from", str(tmp_path / "other"), *state)
    assert wrong.returncode == 1 and "not a database" in wrong.stderr and "Traceback" not in wrong.stderr
    done = lbdns("store", "restore", "--from", str(copy), *state)
    assert done.returncode == 0 and f"made of {copy}; what was there is kept as " in done.stdout, done.stderr
    assert lbdns("zone", "list", *state).stdout == before
    assert lbdns("store", "check", *state).returncode == 0
    assert not [path for path in server.state_dir.iterdir() if path.name.startswith(".")]


def test_a_store_of_a_later_release_is_left_alone_and_what_was_served_is_served(server: StoreServer) -> None:
    with contextlib.closing(sqlite3.connect(server.state_dir / STORE_FILE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    server.start()
    server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    (told, *_) = row(server, "management")["problems"]
    assert "version 99, made by a later release of lbdns" in told and "run that release" in told


@pytest.mark.parametrize("spoil", ["read-only", "full"])
def test_on_a_disk_that_takes_nothing_the_store_is_served_and_changes_are_refused(
    server: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str
) -> None:
    state = server.state_dir
    if spoil == "full":
        before = state.rename(tmp_path / "before")
        with_mounts(monkeypatch, tmp_path, small_disk(state, "2m", before), filled(state))
    else:
        with_mounts(monkeypatch, tmp_path, read_only(state))
    monkeypatch.setattr(StoreServer, "state_seen", property(lambda self: seen_from_outside(self.pid, state)))
    control = property(lambda self: self.state_seen / "control.sock")
    monkeypatch.setattr(StoreServer, "control", control, raising=False)
    server.start()
    server.wait_for_api()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    zone = {"name": "example.net"}
    with server.local as client:
        refused = client.post("/client/v4/zones", json=zone)
        assert refused.status_code == 500 and refused.json()["errors"][0]["code"] == 1000
        assert "the change is not stored: " in refused.json()["errors"][0]["message"]
        assert [one["name"] for one in client.get("/client/v4/zones").json()["result"]] == ["example.com"]
        assert row(server, "management")["text"] == "not all of it works"
        if spoil == "full":
            (server.state_seen / "filling").unlink()
            client.post("/client/v4/zones", json=zone).raise_for_status()
            eventually(lambda: row(server, "management")["text"] == "changes are made in the store", 15)
            eventually(lambda: standing(server)["state"] == "good", 15)
    assert "Traceback" not in server.log
