"""What the API says of a running server: health by probes, previews, explanations, forced states in the answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.manage.api.v4 import preview
from lbdns.model.monitors import Monitor
from lbdns.model.pool import Pool
from lbdns.model.settings import Settings
from tests.store.served import StoreServer, free_port, wait_until
from tests.streams import serving_streams

pytestmark = pytest.mark.slow

ZONE = "@ 60 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53"


class Endpoint:
    """An HTTP endpoint on loopback: `reply` is what it answers, and `hits` counts who asked."""

    def __init__(self) -> None:
        self.reply = b"200 OK"
        self.hits = 0
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        async def serve() -> None:
            self._stop = asyncio.Event()
            async with serving_streams(self._answer) as server:
                self.port = server.sockets[0].getsockname()[1]
                self._ready.set()
                await self._stop.wait()

        with contextlib.closing(self._loop):
            self._loop.run_until_complete(serve())

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.hits += 1
        writer.write(b"HTTP/1.1 " + self.reply + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    def close(self) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


class Shop:
    """A server with a zone, a monitored pool of which one endpoint is up, a pool nobody monitors, and an LB."""

    def __init__(self, server: StoreServer, client: httpx.Client, endpoint: Endpoint) -> None:
        self.server = server
        self.client = client
        self.endpoint = endpoint
        self.account = f"/client/v4/accounts/{self.get('/client/v4/accounts')[0]['id']}/load_balancers"
        self.post("/lbdns/v1/apply", {"configuration": {"zones": {"example.com": ZONE}}})
        monitor = {"name": "web", "port": endpoint.port, "interval": 5, "timeout": 1, "retries": 0}
        self.monitor: str = self.post(f"{self.account}/monitors", monitor)["id"]
        origins = [{"name": "a1", "address": "127.0.0.1"}, {"name": "a2", "address": "127.0.0.2"}]
        self.pool: str = self.post(f"{self.account}/pools", self.pool_body("a", origins, monitor=self.monitor))["id"]
        bare = self.pool_body("b", [{"name": "b1", "address": "192.0.2.1"}])
        self.bare: str = self.post(f"{self.account}/pools", bare)["id"]
        balancer = {"name": "www.example.com", "default_pools": [self.pool], "fallback_pool": self.bare}
        self.post(self.account, balancer)

    @staticmethod
    def pool_body(name: str, origins: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        return {"name": name, "origins": origins, **fields}

    def get(self, path: str, **params: Any) -> Any:
        response = self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def post(self, path: str, body: Any) -> Any:
        response = self.client.post(path, json=body)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def until(self, condition: Callable[[], Any]) -> float:
        return wait_until(condition, lambda: self.server.log)


@pytest.fixture(scope="module")
def shop(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    work: Path = tmp_path_factory.mktemp("shop")
    server, endpoint = StoreServer(work, "pop: {code: AMS}"), Endpoint()
    try:
        server.start()
        server.wait_for_api()
        with server.local as client:
            yield Shop(server, client, endpoint)
    finally:
        server.close()
        endpoint.close()


def test_a_pools_health_is_what_probes_found(shop: Shop) -> None:
    path = f"{shop.account}/pools/{shop.pool}/health"

    def probed() -> bool:
        health = shop.get(path)["pop_health"].get("AMS")
        found = [value for one in health["origins"] for value in one.values()] if health else []
        return bool(found) and all(value["failure_reason"] != "No result yet" for value in found)

    shop.until(probed)
    health = shop.get(path)
    assert health["pool_id"] == shop.pool
    up, down = health["pop_health"]["AMS"]["origins"]
    assert health["pop_health"]["AMS"]["healthy"] is True
    assert up["127.0.0.1"]["healthy"] is True and up["127.0.0.1"]["response_code"] == 200
    assert up["127.0.0.1"]["failure_reason"] == "No failures" and float(up["127.0.0.1"]["rtt"].removesuffix("ms")) > 0
    assert (down["127.0.0.2"]["healthy"], down["127.0.0.2"]["failure_reason"]) == (False, "TCP connection failed")
    assert shop.get(f"{shop.account}/pools/{shop.bare}/health") == {"pool_id": shop.bare, "pop_health": {}}
    missing = shop.client.get(f"{shop.account}/pools/{'0' * 32}/health")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, 1001)

    def latest() -> list[tuple[str, bool]]:
        events = shop.get("/client/v4/user/load_balancing_analytics/events", pool_id=shop.pool)
        return [(one["name"], one["healthy"]) for one in events[0]["origins"]] if events else []

    shop.until(lambda: latest() == [("a1", True), ("a2", False)])


def test_previews_probe_now_and_store_nothing(shop: Shop) -> None:
    before = shop.endpoint.hits
    monitor = {"type": "http", "port": shop.endpoint.port, "path": "/deep", "timeout": 1, "retries": 0}
    started = shop.post(f"{shop.account}/pools/{shop.pool}/preview", monitor)
    assert started["pools"] == {shop.pool: "a"}
    found = shop.get(f"{shop.account}/preview/{started['preview_id']}")[shop.pool]
    assert [next(iter(one.items()))[0] for one in found["origins"]] == ["127.0.0.1", "127.0.0.2"]
    assert found["healthy"] is True and found["origins"][0]["127.0.0.1"]["healthy"] is True
    assert shop.endpoint.hits > before
    # All pools that use the monitor, with another expectation than the stored one.
    started = shop.post(f"{shop.account}/monitors/{shop.monitor}/preview", {**monitor, "expected_codes": "404"})
    found = shop.get(f"{shop.account}/preview/{started['preview_id']}")
    assert set(found) == {shop.pool} and found[shop.pool]["healthy"] is False
    told = found[shop.pool]["origins"][0]["127.0.0.1"]
    assert (told["failure_reason"], told["response_code"]) == ("Response code mismatch error", 0)
    assert shop.get(f"{shop.account}/monitors/{shop.monitor}")["expected_codes"] == "200"


def test_a_preview_of_a_wrong_monitor_is_refused_like_one_to_be_stored(shop: Shop) -> None:
    refused = shop.client.post(f"{shop.account}/pools/{shop.pool}/preview", json={"type": "tcp", "timeout": 99})
    errors = refused.json()["errors"]
    assert refused.status_code == 400 and {one["code"] for one in errors} == {1002}
    assert {one["source"]["pointer"] for one in errors} >= {"/timeout"}
    for path in (f"pools/{'0' * 32}/preview", f"monitors/{'0' * 32}/preview"):
        assert shop.client.post(f"{shop.account}/{path}", json={"type": "http"}).status_code == 404
    missing = shop.client.get(f"{shop.account}/preview/{'0' * 32}")
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, 1001)


def test_previews_are_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "PREVIEWS_MAX", 3)
    port = free_port()
    pool = Pool.model_validate({"name": "p", "origins": [{"name": "o", "address": "127.0.0.1", "port": port}]})
    crowd = Pool.model_validate(
        {"name": "c", "origins": [{"name": str(one), "address": f"127.0.0.{one}"} for one in range(1, 101)]}
    )

    async def run() -> None:
        previews, monitor = preview.Previews(), Monitor(type="tcp", port=port, timeout=1, retries=0)
        first, *rest = [previews.start(monitor, {"1" * 32: pool}, Settings()) for _ in range(4)]
        assert await previews.result(first) is None
        results = [await previews.result(id) for id in rest]
        assert all(found and found["1" * 32]["healthy"] is False for found in results)
        with pytest.raises(Exception, match="too many for one preview"):
            previews.start(monitor, {f"{index:032x}": crowd for index in range(21)}, Settings())
        monkeypatch.setattr(preview, "LIFETIME_S", -1.0)
        previews = preview.Previews()
        assert await previews.result(previews.start(monitor, {}, Settings())) is None

    asyncio.run(run())


def test_explain_health_and_status_are_those_of_the_command_line(shop: Shop) -> None:
    explained = shop.get("/lbdns/v1/explain", name="www.example.com", down=["a/*"], draw=0)
    assert explained == shop.server.ask("explain", name="www.example.com", down=["a/*"], draw=0)
    assert explained["answer"] == ["www.example.com. 30 IN A 192.0.2.1"]
    assert {"rcode", "answer", "ttl", "scope", "steps"} <= set(explained)
    up = shop.get("/lbdns/v1/explain", name="www.example.com", down=["a/a1", "a/a2"], up=["a/a2"], pop="JFK")
    assert up["answer"] == ["www.example.com. 30 IN A 127.0.0.2"]
    health = shop.get("/lbdns/v1/health")
    assert set(health) == set(shop.server.ask("health"))
    assert {"since", "streak", "rtt_ms", "reason"} <= set(health["pools"][0]["origins"][0])
    status = shop.get("/lbdns/v1/status")
    assert (status["pid"], status["place"]) == (shop.server.pid, f"the store in {shop.server.state_dir}")
    wrong: list[dict[str, Any]] = [{"name": "www..com"}, {"name": "x", "pop": "ZZZ"}, {"name": "x", "draw": 2}, {}]
    for params in wrong:
        refused = shop.client.get("/lbdns/v1/explain", params=params)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, 1002), params


def test_the_map_says_what_dig_is_answered(shop: Shop) -> None:
    countries = {one["country"]: one for one in shop.get("/lbdns/v1/countries")}
    assert countries["DE"]["name"] == "Germany" and countries["DE"]["region"] == "WEU"
    for code in ("DE", "JP", "US"):
        assert shop.get("/lbdns/v1/locate", ip=countries[code]["ipv4"].split("/")[0])["country"] == code
        assert shop.get("/lbdns/v1/locate", ip=countries[code]["ipv6"].split("/")[0])["country"] == code
    shop.until(lambda: shop.server.addresses("www.example.com") == ["127.0.0.1"])
    for query, pool in (({}, "a"), ({"down": ["a/*"]}, "b")):
        found = shop.get("/lbdns/v1/map", load_balancer="www.example.com", **query)
        assert found["exact"] and found["load_balancer"] == "www.example.com"
        assert {tuple(one["pools"]) for one in found["countries"]} == {(pool,)}
        assert [one["name"] for one in found["pools"]] == ["a", "b"]
    for params in ({"load_balancer": "nobody.example.com"}, {"load_balancer": "www.example.com", "clients": "x"}, {}):
        assert shop.client.get("/lbdns/v1/map", params=params).status_code == 400, params


def test_a_forced_state_is_in_the_answers(shop: Shop) -> None:
    def answers() -> list[str]:
        return shop.server.addresses("www.example.com")

    shop.until(lambda: answers() == ["127.0.0.1"])
    assert shop.post("/lbdns/v1/forced", {"pattern": "a/*", "state": "down", "for_s": 600, "why": "drill"}) == {
        "names": ["a/a1", "a/a2"]
    }
    shop.until(lambda: answers() == ["192.0.2.1"])
    (order,) = shop.get("/lbdns/v1/forced")
    assert (order["pattern"], order["state"], order["why"]) == ("a/*", "down", "drill")
    assert order["until"] > order["set_on"]
    told = shop.get(f"{shop.account}/pools/{shop.pool}/health")["pop_health"]["AMS"]
    assert told["healthy"] is False
    assert told["origins"][0]["127.0.0.1"]["failure_reason"] == "Forced down by an operator; measured healthy"
    assert shop.post("/lbdns/v1/forced", {"pattern": "a/*", "state": "auto"}) == {"names": ["a/a1", "a/a2"]}
    shop.until(lambda: answers() == ["127.0.0.1"])
    assert shop.get("/lbdns/v1/forced") == []


def test_a_forced_state_is_refused_with_a_guard(shop: Shop) -> None:
    order = {"pattern": "a/*", "state": "down"}
    refused = shop.client.post("/lbdns/v1/forced", json=order, headers={"Lbdns-Guard": "100%"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (412, 1012)
    assert "forcing a state moves is not worked out" in refused.json()["errors"][0]["message"]
    assert shop.get("/lbdns/v1/forced") == []


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/pattern", "/state"]),
        ({"pattern": "a", "state": "off"}, ["/state"]),
        ({"pattern": 1, "state": "up", "for_s": 0, "why": 3}, ["/pattern", "/for_s", "/why"]),
        ({"pattern": "a", "state": "up", "for_s": True, "for": 1}, ["/for", "/for_s"]),
    ],
)
def test_every_mistake_of_an_order_is_told(shop: Shop, body: dict[str, Any], pointers: list[str]) -> None:
    refused = shop.client.post("/lbdns/v1/forced", json=body)
    assert refused.status_code == 400
    assert [one["source"]["pointer"] for one in refused.json()["errors"]] == pointers
    unknown = shop.client.post("/lbdns/v1/forced", json={"pattern": "nowhere", "state": "up"})
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (400, 1002)
    assert shop.get("/lbdns/v1/forced") == []


class TwoFaced(BaseHTTPRequestHandler):
    """An endpoint that is well for one of its clients alone."""

    def do_GET(self) -> None:
        self.send_response(200 if self.client_address[0] == "127.0.0.1" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.process
def test_health_has_a_key_for_each_vantage_point_and_lists_say_what_they_agree_on(tmp_path: Path) -> None:
    points = (
        "[{name: near, source: 127.0.0.1, region: WEU}, {name: far, source: 127.0.0.2, region: ENAM},"
        " {name: third, source: 127.0.0.1, region: ME}]"
    )
    server = StoreServer(tmp_path, f"vantage_points: {points}")
    with contextlib.ExitStack() as cleanup:
        endpoint = cleanup.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), TwoFaced))
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        cleanup.callback(thread.join)
        cleanup.callback(endpoint.shutdown)
        cleanup.callback(server.close)
        server.start()
        server.wait_for_api()
        client = cleanup.enter_context(server.local)

        def sent(path: str, body: Any) -> Any:
            response = client.post(path, json=body)
            assert response.status_code == 200, response.text
            return response.json()["result"]

        account = client.get("/client/v4/accounts").json()["result"][0]["id"]
        at = f"/client/v4/accounts/{account}/load_balancers"
        monitor = sent(f"{at}/monitors", {"port": endpoint.server_address[1], "interval": 5, "retries": 0})["id"]
        origins = [{"name": "a", "address": "127.0.0.1"}, {"name": "off", "address": "127.0.0.9", "enabled": False}]
        body = {"name": "p", "monitor": monitor, "origins": origins}
        watched = sent(f"{at}/pools", body)["id"]
        west = sent(f"{at}/pools", {**body, "name": "west", "check_regions": ["ENAM"]})["id"]
        bare = sent(f"{at}/pools", {"name": "bare", "origins": [{"name": "b", "address": "192.0.2.1"}]})["id"]

        def health(id: str) -> dict[str, Any]:
            found: dict[str, Any] = client.get(f"{at}/pools/{id}/health").json()["result"]["pop_health"]
            return found

        def told(id: str) -> dict[str, tuple[bool, bool, str, int]]:
            seen = {place: (found["healthy"], found["origins"][0]["127.0.0.1"]) for place, found in health(id).items()}
            return {
                place: (pool, one["healthy"], one["failure_reason"], one["response_code"])
                for place, (pool, one) in seen.items()
            }

        good, bad = (True, True, "No failures", 200), (False, False, "Response code mismatch error", 503)
        wait_until(lambda: told(watched) == {"near": good, "far": bad, "third": good}, lambda: str(told(watched)))
        wait_until(lambda: told(west) == {"far": bad}, lambda: str(told(west)))
        assert float(health(watched)["near"]["origins"][0]["127.0.0.1"]["rtt"].removesuffix("ms")) > 0
        assert health(watched)["near"]["origins"][1]["127.0.0.9"]["failure_reason"] == "Disabled"

        matrix = {one["name"]: one for one in client.get("/lbdns/v1/health/places").json()["result"]}
        assert {name: one["id"] for name, one in matrix.items()} == {"p": watched, "west": west, "bare": bare}
        seen = {place: (one["healthy"], one["up"], one["origins"]) for place, one in matrix["p"]["places"].items()}
        assert seen == {"near": (True, 1, 2), "far": (False, 0, 2), "third": (True, 1, 2)}
        assert matrix["p"]["places"]["near"]["rtt_ms"] > 0 and matrix["p"]["places"]["far"]["rtt_ms"] is None
        assert matrix["west"]["places"]["far"]["reasons"] == {"Response code mismatch error": 1, "Disabled": 1}
        assert matrix["bare"]["places"] == {}
        page = client.get("/lbdns/v1/health/places", params={"page": 2, "per_page": 2}).json()
        assert [one["name"] for one in page["result"]] == ["bare"] and page["result_info"]["total_count"] == 3
        named = client.get("/lbdns/v1/health/places", params={"pool": ["west", "nobody"]}).json()["result"]
        assert [one["name"] for one in named] == ["west"]

        listed = {one["id"]: one for one in client.get(f"{at}/pools").json()["result"]}
        assert [listed[id]["healthy"] for id in (watched, west, bare)] == [True, False, None]
        assert [one["healthy"] for one in listed[watched]["origins"]] == [True, None]
        assert listed[watched] == client.get(f"{at}/pools/{watched}").json()["result"]
        assert "disabled_at" in listed[watched]["origins"][1] and "disabled_at" not in listed[watched]

        sent("/client/v4/zones", {"name": "example.com"})
        sent(at, {"name": "www.example.com", "default_pools": [west], "fallback_pool": watched})
        report = client.get("/lbdns/v1/health").json()["result"]
        states = {pool["name"]: (pool["state"], pool["measured"]) for pool in report["pools"]}
        assert states == {
            "p": ("no health", "healthy"),
            "west": ("critical", "critical"),
            "bare": ("no monitor", "healthy"),
        }


def test_a_preview_by_a_token_reaches_no_loopback(shop: Shop) -> None:
    monitor = {"type": "http", "port": shop.endpoint.port, "timeout": 1, "retries": 0}
    token = shop.server.token()
    with httpx.Client(base_url=shop.server.api, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        before = shop.endpoint.hits
        path = f"{shop.account}/pools/{shop.pool}/preview"
        started = client.post(path, json={**monitor, "expected_codes": "404"}).json()["result"]
        found = client.get(f"{shop.account}/preview/{started['preview_id']}").json()["result"][shop.pool]
    told = found["origins"][0]["127.0.0.1"]
    assert (told["healthy"], told["failure_reason"]) == (False, "Monitor config error")
    assert shop.endpoint.hits - before <= 1  # that of the pool's own monitor


def test_what_a_token_stores_probes_no_loopback(shop: Shop) -> None:
    addresses = ["127.0.0.1", "::1", "localhost"]
    origins = [{"name": f"o{number}", "address": one} for number, one in enumerate(addresses)]
    token = shop.server.token(name="storing")
    with httpx.Client(base_url=shop.server.api, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
        made = client.post(f"{shop.account}/pools", json=shop.pool_body("theirs", origins, monitor=shop.monitor)).json()
    assert [one["source"]["pointer"] for one in made["messages"] if "loopback" in one["message"]] == [
        "/origins/0/address",
        "/origins/1/address",
    ]
    pool = made["result"]["id"]

    def reasons() -> list[str]:
        (place,) = shop.get(f"{shop.account}/pools/{pool}/health")["pop_health"].values()
        return [found["failure_reason"] for one in place["origins"] for found in one.values()]

    shop.until(lambda: reasons() == ["Monitor config error"] * 3)
    own = shop.get(f"{shop.account}/pools/{shop.pool}/health")["pop_health"]
    assert [place["origins"][0]["127.0.0.1"]["healthy"] for place in own.values()] == [True]
    response = shop.client.patch(f"{shop.account}/pools/{pool}", json={"origins": origins})
    assert response.status_code == 200 and not response.json()["messages"]
    shop.until(lambda: reasons()[0] == "No failures")
    deleted = shop.client.delete(f"{shop.account}/pools/{pool}")
    assert deleted.status_code == 200
