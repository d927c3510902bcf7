"""The API of a server that serves files: it shows what they say, and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.config.loading import load, parse
from lbdns.manage.api.app import local_app
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.files_manager import FilesManager
from lbdns.manage.store.managing import Running

pytestmark = pytest.mark.slow

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
TREE = {
    "zones": {"example.com": ZONE},
    "pools": {"eu": {"origins": [{"name": "e1", "address": "192.0.2.1"}]}},
    "load_balancers": [{"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}],
}


class Server:
    """Stands for the running server: all that it is asked is what it serves."""

    def __init__(self) -> None:
        self.published = SimpleNamespace(generation=7, configuration=parse(TREE, Path()).configuration)

    def in_force(self) -> Any:
        return self.published


@pytest.fixture
def site() -> ApiSite:
    manager = FilesManager(None, Path("/etc/lbdns"), cast(Running, Server()))
    return ApiSite(manager, None, manager.settings)


def ask(site: ApiSite, method: str, path: str, body: Any = None) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(local_app(site, "ann"))
        async with httpx.AsyncClient(transport=transport, base_url="http://lbdns/lbdns/v1") as client:
            return await client.request(method, path, json=body)

    return asyncio.run(asked())


def test_what_is_served_is_had_as_files(site: ApiSite, tmp_path: Path) -> None:
    found = ask(site, "GET", "/configuration").json()["result"]
    assert found["revision"] == 7
    for name, text in found["files"].items():
        (tmp_path / name).write_text(text)
    running = site.manager.running
    assert running is not None
    assert load(tmp_path).configuration.load_balancers == running.in_force().configuration.load_balancers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/plan"),
        ("POST", "/apply"),
        ("GET", "/revisions"),
        ("GET", "/revisions/1"),
        ("GET", "/revisions/1/compare/2"),
        ("GET", "/revisions/1/configuration"),
        ("GET", "/changes"),
        ("POST", "/revisions/1/restore"),
    ],
)
def test_what_only_a_store_can_do_is_refused(site: ApiSite, method: str, path: str) -> None:
    refused = ask(site, method, path, {"configuration": TREE} if path in ("/plan", "/apply") else {})
    (error,) = refused.json()["errors"]
    assert refused.status_code == 403 and error["code"] == 1007
    assert "this server serves the files in /etc/lbdns" in error["message"]


def test_networks_of_files_are_shown() -> None:
    """With ids that follow from their names, so that origins and routes lead to them; nothing is changed."""
    server = Server()
    networks = {"a": {"via": {"source": "127.0.0.1"}}, "b": {"is_default_network": True}}
    origins = [{"name": "e1", "address": "10.0.0.1", "virtual_network": "a"}]
    routes = [{"network": "10.0.0.0/8", "virtual_network": "a"}, {"network": "10.1.0.0/16"}]
    tree = {**TREE, "pools": {"eu": {"origins": origins}}, "virtual_networks": networks, "routes": routes}
    server.published.configuration = parse(tree, Path()).configuration
    manager = FilesManager(None, Path("/etc/lbdns"), cast(Running, server))
    site = ApiSite(manager, None, manager.settings)
    account = f"http://lbdns/client/v4/accounts/{site.account_id}"

    def shown(path: str) -> Any:
        answer = ask(site, "GET", f"{account}/{path}").json()
        assert answer["success"], answer
        return answer["result"]

    a, b = shown("teamnet/virtual_networks")
    assert (a["name"], a["via"], b["is_default_network"]) == ("a", {"source": "127.0.0.1"}, True)
    assert shown(f"teamnet/virtual_networks/{a['id']}") == a
    found = [
        (one["network"], one["virtual_network_id"], one["virtual_network_name"]) for one in shown("teamnet/routes")
    ]
    assert found == [("10.0.0.0/8", a["id"], "a"), ("10.1.0.0/16", b["id"], "b")]
    assert shown("teamnet/routes/ip/10.1.2.3")["virtual_network_name"] == "b"
    (pool,) = site.state.all(Kind.POOL).values()
    assert pool.body["origins"][0]["virtual_network_id"] == a["id"]
    refused = ask(site, "DELETE", f"{account}/teamnet/virtual_networks/{a['id']}")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 1007)
