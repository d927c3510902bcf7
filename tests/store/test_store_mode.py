"""`lbdns serve` without a directory, end to end: a store that is changed while it is served; and files that are not."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.processes.supervisor.child_process import package_environment
from lbdns.testing import LbdnsServer, ServerError
from tests.processes.load import NAME, ZONE, configuration
from tests.processes.load import load_on as load_on_server
from tests.store.served import StoreServer, wait_until

pytestmark = pytest.mark.process

ROUNDS = 7
PLACES = {
    "zones": {"example.com": ZONE},
    "pools": {
        name: {"origins": [{"name": "e", "address": address}]}
        for name, address in (("main", "192.0.2.1"), ("ams", "192.0.2.2"), ("fra", "192.0.2.3"))
    },
    "load_balancers": [
        {
            "name": NAME,
            "default_pools": ["main"],
            "fallback_pool": "main",
            "steering_policy": "geo",
            "pop_pools": {"AMS": ["ams"], "FRA": ["fra"]},
        }
    ],
}


@pytest.fixture(scope="module")
def shared(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """A server over a store, for tests that leave it as they find it: alive, with the objects that they add."""
    server = StoreServer(tmp_path_factory.mktemp("store"))
    with contextlib.closing(server):
        server.start()
        server.wait_for_api()
        yield server


@pytest.fixture
def store_server(starts_processes: None, tmp_path: Path) -> Iterator[StoreServer]:
    """A server over an empty store, not started."""
    with contextlib.closing(StoreServer(tmp_path)) as server:
        yield server


def started(server: StoreServer) -> StoreServer:
    server.start()
    server.wait_for_api()
    return server


def apply(server: LbdnsServer, tree: dict[str, Any]) -> httpx.Response:
    """Put objects into the store, in the shape of the files; what is not named stays."""
    tree = {section: objects for section, objects in tree.items() if section != "settings"}
    with local(server) as client:
        return client.post("/lbdns/v1/apply", json={"configuration": tree})


def local(server: LbdnsServer) -> httpx.Client:
    transport = httpx.HTTPTransport(uds=str(server.state_dir / "api.sock"))
    return httpx.Client(transport=transport, base_url="http://lbdns", timeout=20)


def pool_path(client: httpx.Client, name: str) -> str:
    (account,) = client.get("/client/v4/accounts").json()["result"]
    pools = f"/client/v4/accounts/{account['id']}/load_balancers/pools"
    ids = {pool["name"]: pool["id"] for pool in client.get(pools).json()["result"]}
    return f"{pools}/{ids[name]}" if name else pools


def point_at(client: httpx.Client, path: str, address: str) -> httpx.Response:
    return client.patch(path, json={"origins": [{"name": "e", "address": address}]})


def serve(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `lbdns serve` to its end, which is meant to come soon."""
    command = [sys.executable, "-P", "-m", "lbdns", "serve", "--listen", "127.0.0.1:0", *arguments]
    environment = package_environment()
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, cwd=cwd, check=False)


def test_an_empty_store_is_served_and_what_it_is_given_lasts(store_server: StoreServer) -> None:
    server = started(store_server)
    assert server.query("example.com", "SOA").rcode() == 5  # REFUSED: no zone yet
    assert apply(server, configuration()).is_success
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    with local(server) as client:
        before = client.get("/lbdns/v1/configuration").json()["result"]
        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        pools = client.get(pool_path(client, "")).json()["result"]
    assert server.stop() == 0 and not (server.state_dir / "api.sock").exists()
    started(server)
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    with local(server) as client:
        assert client.get("/lbdns/v1/configuration").json()["result"] == before
        assert client.get("/client/v4/accounts").json()["result"][0]["id"] == account
        assert client.get(pool_path(client, "")).json()["result"] == pools


def test_what_is_private_is_the_owners_alone(shared: StoreServer) -> None:
    for path, mode in (
        (shared.state_dir, 0o700),
        (shared.state_dir / "api.sock", 0o600),
        (shared.state_dir / "store.sqlite", 0o600),
        (shared.state_dir / "store.sqlite-wal", 0o600),
    ):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == mode and found.st_uid == os.geteuid(), path
    with httpx.Client(base_url=shared.api) as stranger:
        assert stranger.get("/client/v4/accounts").status_code == 400  # no token


def test_the_settings_are_those_of_the_working_directory(
    tmp_path: Path, store_server: StoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store_server, "source", lambda: [])
    store_server.settings_file.write_text(store_server.settings_file.read_text() + "workers: 2\n")
    server = started(store_server)
    assert len(server.status()["responders"]) == 2
    assert httpx.get(f"{server.api}/client/v4/accounts").status_code == 400


def test_settings_are_read_again_when_they_change_and_objects_stay(store_server: StoreServer) -> None:
    server = started(store_server)
    first = server.settings_file.read_text()
    assert apply(server, PLACES).is_success
    assert server.addresses(NAME) == ["192.0.2.1"]
    server.settings_file.write_text(f"{first}pop: {{code: AMS}}\n")
    wait_until(lambda: server.addresses(NAME) == ["192.0.2.2"], lambda: server.log)
    server.settings_file.write_text(f"{first}pop: {{code: nowhere}}\n")
    wait_until(lambda: "what was served before is served on" in server.log, lambda: server.log)
    assert apply(server, {"pools": {"ams": {"origins": [{"name": "e", "address": "192.0.2.22"}]}}}).is_success
    assert server.addresses(NAME) == ["192.0.2.22"]
    server.settings_file.write_text(f"{first}pop: {{code: FRA}}\n")
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: server.addresses(NAME) == ["192.0.2.3"], lambda: server.log)
    wait_until(lambda: "SIGHUP: serving 1 zone" in server.log, lambda: server.log)


def test_a_second_server_on_the_same_state_is_refused(shared: StoreServer, tmp_path: Path) -> None:
    (tmp_path / "lbdns.yaml").write_text("{}\n")
    second = serve("--state", str(shared.state_dir), cwd=tmp_path)
    assert second.returncode == 1 and "Traceback" not in second.stderr
    assert f"another lbdns server (pid {shared.pid}) already uses the state directory" in second.stderr
    with local(shared) as client:
        assert client.get("/client/v4/accounts").is_success


def test_files_are_read_by_the_api_and_refused_to_it(tmp_path: Path, lbdns_server: Any) -> None:
    server = lbdns_server(configuration())
    wait_until(lambda: (server.state_dir / "api.sock").exists(), lambda: server.log)
    with local(server) as client:
        pools = client.get(pool_path(client, "")).json()["result"]
        assert [pool["name"] for pool in pools] == ["main"]
        (zone,) = client.get("/client/v4/zones").json()["result"]
        assert zone["name"] == "example.com"
        path = pool_path(client, "main")
        refusals = [
            point_at(client, path, "192.0.2.9"),
            client.delete(path),
            client.post(pool_path(client, ""), json={"name": "new", "origins": pools[0]["origins"]}),
            client.delete(f"/client/v4/zones/{zone['id']}"),
            apply(server, PLACES),
        ]
        for refusal in refusals:
            assert refusal.status_code == 403
            (error,) = refusal.json()["errors"]
            assert f"the files in {server.directory}" in error["message"] and refusal.json()["result"] is None
        (server.directory / "objects.yaml").write_text(
            (server.directory / "objects.yaml").read_text().replace("192.0.2.2", "192.0.2.7")
        )
        server.ask("reload")
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.7"]
        (after,) = client.get(pool_path(client, "")).json()["result"]
        assert after["id"] == pools[0]["id"] and after["origins"][1]["address"] == "192.0.2.7"


def test_a_change_is_in_the_answers_when_it_is_acknowledged(shared: StoreServer) -> None:
    assert apply(shared, configuration()).is_success
    with local(shared) as client:
        path = pool_path(client, "main")
        for number in range(ROUNDS):
            assert point_at(client, path, f"192.0.2.{100 + number}").is_success
            assert shared.addresses(NAME) == [f"192.0.2.{100 + number}"]


def test_a_forced_state_is_in_the_answers_of_a_pool_that_nobody_probes(shared: StoreServer) -> None:
    tree = configuration()
    tree["pools"]["spare"] = {"origins": [{"name": "e", "address": "192.0.2.77"}]}
    tree["pools"]["main"] = {"origins": [{"name": "e", "address": "192.0.2.1"}]}
    tree["load_balancers"][0]["default_pools"] = ["main", "spare"]
    assert apply(shared, tree).is_success
    with local(shared) as client:
        for number in range(ROUNDS):
            state, wanted = ("auto", "192.0.2.1") if number % 2 else ("down", "192.0.2.77")
            assert client.post("/lbdns/v1/forced", json={"pattern": "main", "state": state}).is_success
            wait_until(lambda wanted=wanted: shared.addresses(NAME) == [wanted], lambda: shared.log)  # type: ignore[misc]
        client.post("/lbdns/v1/forced", json={"pattern": "main", "state": "auto"})


def test_what_cannot_be_written_is_neither_stored_nor_served(store_server: StoreServer) -> None:
    """The disk is full, as a limit on the size of files has it: first for the snapshot, then for the store alone."""
    server = started(store_server)
    assert apply(server, configuration()).is_success
    spare = {"origins": [{"name": "e", "address": "192.0.2.2"}]}
    pid, unlimited = server.pid, resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    snapshot_bytes = max(path.stat().st_size for path in server.run_directory.glob("snapshot-*"))
    long = {f"p{number}": {**spare, "description": "x" * 1000} for number in range(800)}
    with local(server) as client, load_on_server(server.host, server.port) as load:
        before = client.get("/lbdns/v1/configuration").json()["result"]
        path = pool_path(client, "main")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (snapshot_bytes // 2, unlimited[1]))
        refused = point_at(client, path, "192.0.2.9")
        assert refused.status_code == 500
        assert "cannot write there: File too large" in refused.json()["errors"][0]["message"]
        assert not list(server.run_directory.glob("*.partial"))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (snapshot_bytes + (1 << 20), unlimited[1]))
        tree = {"pools": {**long, "main": {"origins": [{"name": "e", "address": "192.0.2.9"}]}}}
        failed = apply(server, tree)
        assert failed.status_code == 500 and "the change is not stored" in failed.json()["errors"][0]["message"]
        assert client.get("/lbdns/v1/configuration").json()["result"] == before
        load.wait_for(50)
        assert {addresses for _, addresses in load.answers} == {frozenset({"192.0.2.1", "192.0.2.2"})}
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        assert apply(server, tree).is_success
        assert server.addresses(NAME) == ["192.0.2.9"]
        assert client.get("/lbdns/v1/configuration").json()["result"]["revision"] == before["revision"] + 1
    assert load.lost == 0 and "Traceback" not in server.log


def test_an_api_address_in_use_or_a_bad_certificate_is_said_and_nothing_stays(
    shared: StoreServer, tmp_path: Path
) -> None:
    taken = shared.api.removeprefix("http://")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for settings, said in (
        (f'api: {{listen: "{taken}"}}\n', f"api: cannot listen on {taken} (TCP): Address already in use"),
        (
            f'api: {{listen: "127.0.0.1:0", certificate: "{empty}", key: "{empty}"}}\n',
            f"{empty}: holds no PEM block CERTIFICATE",
        ),
        (
            f'api: {{listen: "127.0.0.1:0", certificate: "{tmp_path}/none.pem", key: "{empty}"}}\n',
            "none.pem",
        ),
    ):
        (tmp_path / "lbdns.yaml").write_text(settings)
        refused = serve("--state", str(tmp_path / "state"), cwd=tmp_path)
        assert refused.returncode == 1, refused.stderr
        assert said in refused.stderr and "Traceback" not in refused.stderr
        assert not (tmp_path / "state" / "api.sock").exists() and not (tmp_path / "state" / "lock").exists()


def test_who_cannot_have_the_api_leaves_the_others_serving(store_server: StoreServer) -> None:
    server = started(store_server)
    assert apply(server, configuration()).is_success
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    host, _, port = server.api.removeprefix("http://").rpartition(":")
    with socket.create_server((host, int(port))), pytest.raises(ServerError, match="Address already in use"):
        server.start()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    started(server)
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert "took over from 1 responder that" in server.log
