"""The API of a server that serves files: it shows what they say, and changes nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from lbdns.config.loading import load, parse
from lbdns.manage.api.app import local_app
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.manager import FilesManager, Running

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
