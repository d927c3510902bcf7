"""A store whose settings have a mistake, or that cannot be opened: what was served last is served, loudly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.words import LAST_SERVED, STORE_FILE
from tests.processes.load import NAME, configuration
from tests.processes.test_reload import eventually
from tests.store.served import StoreServer

pytestmark = pytest.mark.process


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    """Return a server that has served a zone with a pool from its store, and is stopped."""
    server = StoreServer(tmp_path, "pop: {code: AMS}")
    with contextlib.closing(server):
        server.start()
        server.wait_for_api()
        tree = {key: value for key, value in configuration().items() if key != "settings"}
        with server.local as client:
            client.post("/lbdns/v1/apply", json={"configuration": tree}).raise_for_status()
        eventually(lambda: server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"])
        assert server.stop() == 0
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
    assert standing(server)["state"] == "degraded"
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


def test_a_store_that_cannot_be_opened_is_survived(server: StoreServer) -> None:
    for path in server.state_dir.glob(f"{STORE_FILE}*"):
        path.write_bytes(b"no database at all" * 1000)
    server.start()
    assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
    assert standing(server)["state"] == "degraded"
    assert "the management API is not served" in server.log
