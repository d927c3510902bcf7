"""Health checks by the official client, against a running server: they are probed, and show what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloudflare import NotFoundError

from tests.api.sdk import Sdk, some
from tests.api.test_sdk_live import web_server
from tests.store.served import wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with web_server() as port:
        yield port


def test_a_health_check_is_probed_and_shows_what_was_found(sdk: Sdk, port: int) -> None:
    checks = sdk.client.healthchecks
    zone = sdk.zone("healthchecks.example")

    def create(name: str, path: str) -> str:
        config: Any = {"port": port, "expected_codes": ["2xx"], "path": path}
        made = checks.create(
            zone_id=zone,
            name=name,
            address="127.0.0.1",
            interval=5,
            retries=0,
            http_config=config,
        )
        assert made is not None
        return some(made.id)

    def status(id: str) -> tuple[Any, Any]:
        shown = checks.get(id, zone_id=zone)
        assert shown is not None
        return shown.status, shown.failure_reason

    good, bad = create("good", path="/"), create("bad", path="/broken")
    wait_until(lambda: "unknown" not in (status(good)[0], status(bad)[0]), lambda: f"{status(good)}, {status(bad)}")
    assert status(good) == ("healthy", "")
    assert status(bad) == ("unhealthy", "Response code mismatch error")
    assert [check.name for check in checks.list(zone_id=zone)] == ["good", "bad"]
    checks.edit(good, zone_id=zone, name="good", address="127.0.0.1", suspended=True)
    wait_until(lambda: status(good)[0] == "suspended", lambda: str(status(good)))
    assert not [pool for pool in sdk.client.load_balancers.pools.list(account_id=sdk.account) if pool.id in (good, bad)]
    assert some(checks.delete(bad, zone_id=zone)).id == bad
    with pytest.raises(NotFoundError):
        checks.get(bad, zone_id=zone)


def test_a_preview_probes_and_stores_nothing(sdk: Sdk, port: int) -> None:
    zone = sdk.zone("healthchecks-preview.example")
    previews = sdk.client.healthchecks.previews
    revision = sdk.revision()
    for path, expected in (("/", ("healthy", "")), ("/broken", ("unhealthy", "Response code mismatch error"))):
        config: Any = {"port": port, "path": path}
        made = previews.create(zone_id=zone, name="preview", address="127.0.0.1", http_config=config, retries=0)
        id = some(some(made).id)
        shown = some(previews.get(id, zone_id=zone))
        assert (shown.status, shown.failure_reason) == expected
        assert some(previews.delete(id, zone_id=zone)).id == id
        with pytest.raises(NotFoundError):
            previews.get(id, zone_id=zone)
    assert sdk.revision() == revision
