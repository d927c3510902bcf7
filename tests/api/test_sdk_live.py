"""What the official client reads of a running server: health, previews, events, regions, searches; and by asyncio."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cloudflare import AsyncCloudflare, BadRequestError, NotFoundError

from tests.api.sdk import Sdk, plain, some
from tests.store.served import wait_until

pytestmark = pytest.mark.process

EVENTS = "/user/load_balancing_analytics/events"
NO_FAILURES = "No failures"
REFUSED = "TCP connection failed"


class _Handler(BaseHTTPRequestHandler):
    """An endpoint that is well, except below /broken."""

    def do_GET(self) -> None:
        self.send_response(503 if self.path.startswith("/broken") else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"alive")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def web_server() -> Iterator[int]:
    """Serve HTTP on a free port of loopback for a `with` block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with web_server() as port:
        yield port


@pytest.fixture(scope="module")
def watched(sdk: Sdk, port: int) -> tuple[str, str]:
    """A monitor and a pool of an endpoint that is up and one that refuses; ids."""
    balancing = sdk.client.load_balancers
    monitor = balancing.monitors.create(
        account_id=sdk.account, port=port, interval=5, load_balancer_monitor_timeout=1, retries=0, expected_body="ALIVE"
    )
    return some(monitor.id), sdk.pool("watched-live", "127.0.0.1", "127.0.0.44", monitor=some(monitor.id))


def health(sdk: Sdk, pool: str) -> dict[str, Any]:
    """Return what the pool's health says, by place."""
    shown = plain(sdk.client.load_balancers.pools.health.get(pool, account_id=sdk.account))
    assert shown["pool_id"] == pool
    found: dict[str, Any] = shown["pop_health"]
    return found


def endpoints(place: dict[str, Any]) -> dict[str, Any]:
    """Return the health of a pool's endpoints by address."""
    return {address: found for origin in place["origins"] for address, found in origin.items()}


def test_health_of_a_pool(sdk: Sdk, watched: tuple[str, str]) -> None:
    _, pool = watched

    def is_known() -> bool:
        (place,) = health(sdk, pool).values()
        found = endpoints(place)
        reasons = [found[address]["failure_reason"] for address in ("127.0.0.1", "127.0.0.44")]
        return bool(place["healthy"]) and reasons == [NO_FAILURES, REFUSED]

    wait_until(is_known, lambda: f"the pool's health stays {health(sdk, pool)}")
    (place,) = health(sdk, pool).values()
    found = endpoints(place)
    assert list(found) == ["127.0.0.1", "127.0.0.44"]
    up = found["127.0.0.1"]
    assert (up["healthy"], up["failure_reason"], up["response_code"]) == (True, NO_FAILURES, 200)
    assert up["rtt"].endswith("ms") and float(up["rtt"].removesuffix("ms")) > 0
    down = found["127.0.0.44"]
    assert (down["healthy"], down["failure_reason"], down["response_code"]) == (False, REFUSED, 0)

    sdk.zone("live.example")
    sdk.client.load_balancers.create(
        account_id=sdk.account, name="live.example", default_pools=[pool], fallback_pool=pool
    )
    assert sdk.server.addresses("live.example") == ["127.0.0.1"]


def test_health_of_a_pool_that_nobody_watches(sdk: Sdk) -> None:
    assert health(sdk, sdk.pool("unwatched-live", "192.0.2.1")) == {}


def test_preview_of_a_monitor_probes_its_pools_and_saves_nothing(sdk: Sdk, watched: tuple[str, str], port: int) -> None:
    monitor, pool = watched
    balancing = sdk.client.load_balancers
    before = sdk.revision()
    started = balancing.monitors.previews.create(
        monitor, account_id=sdk.account, port=port, path="/broken", expected_codes="200", retries=0
    )
    assert started.pools == {pool: "watched-live"}
    (result,) = balancing.previews.get(some(started.preview_id), account_id=sdk.account).values()
    assert result.healthy is False
    found = {address: plain(one) for origin in some(result.origins) for address, one in origin.items()}
    assert found["127.0.0.1"]["failure_reason"] == "Response code mismatch error"
    assert (found["127.0.0.1"]["response_code"], found["127.0.0.44"]["failure_reason"]) == (0, REFUSED)
    assert sdk.revision() == before
    assert balancing.monitors.get(monitor, account_id=sdk.account).path == "/"


def test_preview_of_a_pool(sdk: Sdk, port: int) -> None:
    balancing = sdk.client.load_balancers
    pool = sdk.pool("previewed", "127.0.0.1")
    started = balancing.pools.health.create(
        pool, account_id=sdk.account, type="http", port=port, expected_codes="2xx", expected_body="alive"
    )
    assert started.pools == {pool: "previewed"}
    result = balancing.previews.get(some(started.preview_id), account_id=sdk.account)[pool]
    assert result.healthy is True
    (origin,) = some(result.origins)
    assert origin["127.0.0.1"].failure_reason == NO_FAILURES
    assert (origin["127.0.0.1"].healthy, origin["127.0.0.1"].response_code) == (True, 200)
    with pytest.raises(BadRequestError) as refused:
        balancing.pools.health.create(pool, account_id=sdk.account, type="tcp")
    assert some(refused.value.errors[0].source).pointer == "/port"


def test_events_of_health(sdk: Sdk, watched: tuple[str, str], port: int) -> None:
    monitor, pool = watched

    def events(**query: Any) -> list[dict[str, Any]]:
        answer: Any = sdk.client.get(EVENTS, cast_to=object, options={"params": query})
        found: list[dict[str, Any]] = answer["result"]
        return found

    wait_until(lambda: events(pool_id=pool, pool_healthy=True), lambda: f"no event of {events()}")
    event = events(pool_id=pool, pool_healthy=True)[-1]
    assert (event["pool"]["id"], event["pool"]["name"]) == (pool, "watched-live")
    assert (event["pool"]["healthy"], event["pool"]["changed"], event["pool"]["minimum_origins"]) == (True, True, 1)
    assert datetime.fromisoformat(event["timestamp"]) <= datetime.now(UTC)
    (up,) = [one for one in event["origins"] if one["address"] == "127.0.0.1"]
    assert (up["name"], up["healthy"], up["enabled"]) == ("watched-live-0", True, True)
    assert monitor in [one["id"] for one in up["monitors"]]
    assert events(pool_name="watched-live") and not events(pool_name="nobody")
    assert not events(pool_id=pool, until=(datetime.now(UTC) - timedelta(days=1)).isoformat())
    assert not events(pool_id=pool, since=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    assert not events(pool_id=pool, origin_name="nobody")


def test_regions(sdk: Sdk) -> None:
    regions: Any = sdk.client.load_balancers.regions
    listed = regions.list(account_id=sdk.account)
    found = {region["region_code"]: region["countries"] for region in listed["regions"]}
    assert set(found) == {
        *("WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS")
    }
    assert {"country_code_a2": "DE", "country_name": "Germany"} in found["WEU"]
    assert [one["region_code"] for one in regions.list(account_id=sdk.account, country_code_a2="DE")["regions"]] == [
        "WEU"
    ]
    california = regions.list(account_id=sdk.account, subdivision_code="CA", country_code_a2="US")
    assert [one["region_code"] for one in california["regions"]] == ["WNAM"]
    (shown,) = regions.get("WNAM", account_id=sdk.account)["regions"]
    (states,) = [one["country_subdivisions"] for one in shown["countries"] if one["country_code_a2"] == "US"]
    assert "California" in [state["subdivision_name"] for state in states]


def test_searches(sdk: Sdk) -> None:
    balancing = sdk.client.load_balancers
    pool = sdk.pool("haystack-needle", "192.0.2.1")
    sdk.zone("needle.example")  # in which it is everybody's, where no view is private
    balancer = balancing.create(
        account_id=sdk.account, name="needle.example", default_pools=[pool], fallback_pool=pool
    ).id

    def search(**query: Any) -> list[dict[str, Any]]:
        page = balancing.searches.list(account_id=sdk.account, **query)
        found: list[dict[str, Any]] = plain(page.result)["resources"]
        return found

    assert {(one["resource_id"], one["resource_type"]) for one in search(query="needle")} == {
        (pool, "pool"),
        (balancer, "load_balancer"),
    }
    (found,) = search(query="haystack", references="referrer")
    assert [(one["reference_type"], one["resource_id"]) for one in found["references"]] == [("referrer", balancer)]
    assert len(search(query="needle", per_page=1, page=2)) == 1
    assert search(query="nothing of the kind") == []


def test_account(sdk: Sdk) -> None:
    listed = list(sdk.client.accounts.list())
    assert [(one.id, one.name, one.type) for one in listed] == [(sdk.account, "lbdns", "standard")]
    assert some(sdk.client.accounts.get(account_id=sdk.account)).id == sdk.account
    assert len(sdk.account) == 32


def test_by_asyncio_many_at_once(sdk: Sdk) -> None:
    async def use(client: AsyncCloudflare) -> None:
        pools = client.load_balancers.pools
        made = await asyncio.gather(
            *(
                pools.create(
                    account_id=sdk.account,
                    name=f"async-{index}",
                    origins=[{"name": "a", "address": f"192.0.2.{index}"}],
                )
                for index in range(1, 9)
            )
        )
        listed = {one.id async for one in pools.list(account_id=sdk.account)}
        assert {one.id for one in made} <= listed
        zone = some(await client.zones.create(account={"id": sdk.account}, name="async.example"))
        id = some(made[0].id)
        balancer = await client.load_balancers.create(
            zone_id=zone.id, name="www.async.example", default_pools=[id], fallback_pool=id
        )
        assert sdk.server.addresses("www.async.example") == ["192.0.2.1"]
        records = client.dns.records.list(zone_id=zone.id, per_page=1, extra_query={"name_servers": "true"})
        names = [one.name async for one in records]
        assert names == ["async.example", "ns1.async.example"]
        await client.load_balancers.delete(some(balancer.id), zone_id=zone.id)
        await asyncio.gather(*(pools.delete(some(one.id), account_id=sdk.account) for one in made))
        with pytest.raises(NotFoundError):
            await pools.get(id, account_id=sdk.account)

    async def run() -> None:
        async with sdk.open_async() as client:
            await use(client)

    asyncio.run(run())
