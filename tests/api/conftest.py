"""A management API over a store of its own: served by uvicorn on loopback and a UNIX socket, without a DNS server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.api.hosting import ApiServer
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.zones.zone_bodies import new_zone_records
from lbdns.model.settings import Settings
from tests.loop_thread import LoopThread

if TYPE_CHECKING:
    from tests.api.sdk import Sdk


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


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    running = LoopThread()
    yield running
    running.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path)


def _settings(directory: Path) -> Settings:
    return Settings.model_validate({"state": directory / "state", "api": {"listen": "127.0.0.1:0"}})


@contextlib.contextmanager
def _site(settings: Settings) -> Iterator[ApiSite]:
    with contextlib.closing(Store(settings.state_dir())) as store:
        yield ApiSite(StoreManager(store, settings), store, settings)


@contextlib.contextmanager
def _served(loop: LoopThread, site: ApiSite) -> Iterator[ApiServer]:
    server = ApiServer(site)
    loop.run(server.start())
    try:
        yield server
    finally:
        loop.run(server.close())


def _api(loop: LoopThread, server: ApiServer, site: ApiSite) -> Api:
    assert site.store is not None and isinstance(site.manager, StoreManager)
    write, _ = site.store.tokens.create("writer", "write")
    read, _ = site.store.tokens.create("reader", "read")
    return Api(loop, server, site.store, site.manager, write, read)


@pytest.fixture(scope="session")
def hosted(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One server for all tests: to start and stop one takes longer than most of them."""
    with _site(_settings(tmp_path_factory.mktemp("hosted"))) as site, _served(loop, site) as server:
        yield server


@pytest.fixture
def api(loop: LoopThread, hosted: ApiServer, settings: Settings) -> Iterator[Api]:
    """The server over a store that is this test's alone."""
    with _site(settings) as site:
        hosted.show(site)
        yield _api(loop, hosted, site)


@pytest.fixture
def own_api(loop: LoopThread, settings: Settings) -> Iterator[Api]:
    """A server of the test's own, whose counts of requests and connections begin at 0."""
    with _site(settings) as site, _served(loop, site) as server:
        yield _api(loop, server, site)


@pytest.fixture
def client(api: Api) -> Iterator[httpx.Client]:
    """A client with a write token."""
    with api.client(api.write_token) as made:
        yield made


@pytest.fixture(scope="session")
def sdk(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """The official client and a whole server, for all that use it: each gives its objects names of their own."""
    from tests.api.sdk import sdk_over_store  # the client takes a second to load

    with sdk_over_store(tmp_path_factory.mktemp("sdk")) as made:
        yield made
