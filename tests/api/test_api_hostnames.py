"""What the API says of hostnames that lead nowhere: messages when they are written, and then their health."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.store.served import StoreServer, wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]

V4 = "/client/v4"
LOST = "lost.example.com does not resolve (the zones served here have no name lost.example.com); answers leave it out"
NONE = "no origin resolves, so the pool is passed over until one does"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StoreServer]:
    """A server over an empty store, whose DNS refuses."""
    with contextlib.closing(StoreServer(tmp_path, 'resolvers: ["127.0.0.1:9"]\nworkers: 1')) as made:
        made.start()
        made.wait_for_api()
        yield made


class Client:
    """The API by the UNIX socket, with a zone."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self.account = http.get(f"{V4}/accounts").json()["result"][0]["id"]
        self.balancing = f"{V4}/accounts/{self.account}/load_balancers"
        zone = self.post(f"{V4}/zones", {"name": "example.com", "account": {"id": self.account}})
        self.zone = f"{V4}/zones/{zone['result']['id']}"

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def get(self, path: str) -> Any:
        return self._http.get(path).json()["result"]

    def pool(self, name: str, *addresses: str, **more: Any) -> dict[str, Any]:
        origins = [{"name": f"e{index}", "address": one} for index, one in enumerate(addresses)]
        return self.post(f"{self.balancing}/pools", {"name": name, "origins": origins, **more})


@pytest.fixture
def client(server: StoreServer) -> Iterator[Client]:
    with server.local as http:
        yield Client(http)


def texts(answer: dict[str, Any]) -> list[str]:
    return [one["message"] for one in answer["messages"]]


def test_what_leads_nowhere_is_told_when_it_is_written_and_shown_unhealthy(server: StoreServer, client: Client) -> None:
    lost = client.pool("lost", "lost.example.com", "192.0.2.1")
    assert texts(lost) == [LOST] and lost["messages"][0]["source"] == {"pointer": "/origins/0/address"}
    none = client.pool("none", "lost.example.com")
    assert texts(none) == [LOST, NONE]
    good = client.pool("good", "192.0.2.9")
    assert texts(good) == []
    pools = [none["result"]["id"], good["result"]["id"]]
    balancer = {"name": "www.example.com", "default_pools": pools[:1], "fallback_pool": pools[1]}
    made = client.post(f"{client.zone}/load_balancers", balancer)
    assert texts(made) == [f'pool "none": {NONE}']
    mixed = {"name": "mixed.example.com", "default_pools": [lost["result"]["id"]], "fallback_pool": pools[1]}
    assert texts(client.post(f"{client.zone}/load_balancers", mixed)) == []
    assert server.addresses("www.example.com") == ["192.0.2.9"]
    shown = f"{client.balancing}/pools/{pools[0]}"
    wait_until(lambda: client.get(shown)["healthy"] is False, lambda: "it is never unhealthy")
    assert client.get(shown)["origins"][0]["healthy"] is False
    (place,) = client.get(f"{shown}/health")["pop_health"].values()
    assert place == {
        "healthy": False,
        "origins": [
            {
                "lost.example.com": {
                    "healthy": False,
                    "rtt": "0.0ms",
                    "failure_reason": "DNS unknown host",
                    "response_code": 0,
                }
            }
        ],
    }
    (event, *_) = client.get(f"{V4}/user/load_balancing_analytics/events?pool_name=none&pool_healthy=false")
    assert (event["pool"]["healthy"], event["origins"][0]["failure_reason"]) == (False, "DNS unknown host")


def test_a_record_that_comes_makes_it_resolve(server: StoreServer, client: Client) -> None:
    none = client.pool("none", "late.example.com")
    pool = none["result"]["id"]
    client.post(
        f"{client.zone}/load_balancers",
        {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool, "ttl": 30},
    )
    assert server.addresses("www.example.com") == []
    client.post(f"{client.zone}/dns_records", {"type": "A", "name": "late", "content": "192.0.2.5", "ttl": 60})
    wait_until(lambda: server.addresses("www.example.com") == ["192.0.2.5"], lambda: "it never resolves")
    wait_until(lambda: client.get(f"{client.balancing}/pools/{pool}")["healthy"] is None, lambda: "it stays unhealthy")
    assert texts(client.pool("again", "late.example.com")) == []


def test_hosts_of_mx_and_endpoints_answered_as_a_cname_need_no_address(client: Client) -> None:
    origins = [{"name": "cdn", "address": "lost.example.com", "flatten_cname": False}]
    assert texts(client.post(f"{client.balancing}/pools", {"name": "alias", "origins": origins})) == []
    mail = client.pool("mail", "lost.example.com")["result"]["id"]
    balancer = {"name": "mx.example.com", "type": "MX", "default_pools": [mail], "fallback_pool": mail}
    assert texts(client.post(f"{client.zone}/load_balancers", balancer)) == []


def test_a_preview_asks_the_zones_here_too(server: StoreServer, client: Client) -> None:
    pool = client.pool("home", "home.example.com")["result"]["id"]
    client.post(f"{client.zone}/dns_records", {"type": "A", "name": "home", "content": "127.0.0.1", "ttl": 60})
    monitor = {"type": "tcp", "port": int(server.api.rpartition(":")[2]), "timeout": 2}
    preview = client.post(f"{client.balancing}/pools/{pool}/preview", monitor)["result"]["preview_id"]
    found = client.get(f"{V4}/accounts/{client.account}/load_balancers/preview/{preview}")
    assert found[pool]["origins"][0]["home.example.com"]["healthy"] is True
