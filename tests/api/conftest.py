"""A management API over a store of its own: served by uvicorn on loopback and on a UNIX socket, without a DNS server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.api.hosting import ApiServer
from lbdns.api.site import Site
from lbdns.model import Settings
from lbdns.store.edit import Edit
from lbdns.store.item import Item, Kind
from lbdns.store.manager import StoreManager
from lbdns.store.sqlite import Store
from lbdns.store.zones import new_zone_records
from tests.loop_thread import LoopThread


@dataclass
class Api:
    """A running API: its store, tokens of either scope, and where it is served."""

    loop: LoopThread
    server: ApiServer
    store: Store
    manager: StoreManager
    write_token: str
    read_token: str

    @property
    def base(self) -> str:
        """The v4 API's base URL."""
        return f"{self.server.address}/client/v4"

    @property
    def account(self) -> str:
        """The path of the account's load-balancing objects."""
        return f"/accounts/{self.store.account_id}/load_balancers"

    def client(self, token: str = "", **headers: str) -> httpx.Client:
        """Return a client over TCP; without a token it shows none."""
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.base, headers={**shown, **headers}, timeout=10, trust_env=False)

    def local(self) -> httpx.Client:
        """Return a client over the UNIX socket."""
        transport = httpx.HTTPTransport(uds=str(self.server.socket_path))
        return httpx.Client(base_url="http://localhost/client/v4", transport=transport, timeout=10)

    def change(self, make: Callable[[Edit], Any]) -> Any:
        """Change the store by its manager, past the API."""
        return self.loop.run(self.manager.change("test", "test", make)).result

    def zone(self, name: str = "example.com") -> Item:
        """Make a zone with one name server."""

        def make(edit: Edit) -> Item:
            soa, records = new_zone_records(name, self.manager.settings)
            zone = edit.create(Kind.ZONE, {"name": name, "soa": soa})
            for record in records:
                edit.create(Kind.RECORD, record, zone.id)
            return zone

        item: Item = self.change(make)
        return item


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate({"state": tmp_path / "state", "api": {"listen": "127.0.0.1:0"}})


@pytest.fixture
def api(loop: LoopThread, settings: Settings) -> Iterator[Api]:
    store = Store(settings.state_dir())
    manager = StoreManager(store, settings)
    server = ApiServer(Site(manager, store, settings))
    loop.run(server.start())
    try:
        write, _ = store.tokens.create("writer", "write")
        read, _ = store.tokens.create("reader", "read")
        yield Api(loop, server, store, manager, write, read)
    finally:
        loop.run(server.close())
        store.close()


@pytest.fixture
def client(api: Api) -> Iterator[httpx.Client]:
    """A client with a write token."""
    with api.client(api.write_token) as made:
        yield made
