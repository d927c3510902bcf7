"""Each refusal as the official client's own exception, with code, message and pointer; and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cloudflare import (
    APIStatusError,
    BadRequestError,
    Cloudflare,
    DefaultHttpxClient,
    NotFoundError,
    Omit,
    PermissionDeniedError,
    RateLimitError,
)

from tests.api.sdk import Sdk, codes, plain, sole, some, told

pytestmark = pytest.mark.process

NOBODY = "0123456789abcdef" * 2
WRONG_TOKEN = "x" * 43
WRONG_BURST = 100


def test_every_invalid_value_is_told_with_its_place(sdk: Sdk) -> None:
    before = sdk.revision()
    origins: Any = [
        {"name": "fine", "address": "192.0.2.1", "weight": 1.5},
        {"name": "other", "address": "192.0.2.300", "port": 70000},
        {"name": "odd", "address": "192.0.2.2", "heather": {}},
    ]
    with pytest.raises(BadRequestError) as refused:
        sdk.client.load_balancers.pools.create(
            account_id=sdk.account, name="no spaces", origins=origins, minimum_origins=0, latitude=91
        )
    found = told(refused.value)
    assert {code for code, _, _ in found} == {1002}
    assert {at for _, _, at in found} == {
        "/name",
        "/origins/0/weight",
        "/origins/1/address",
        "/origins/1/port",
        "/origins/2/heather",
        "/minimum_origins",
        "/latitude",
    }
    assert all(str(message).endswith(": validation failed") for _, message, _ in found)
    assert 'did you mean "header"' in "".join(str(message) for _, message, at in found if at == "/origins/2/heather")
    assert refused.value.body == {
        "result": None,
        "success": False,
        "errors": plain_errors(refused.value),
        "messages": [],
    }
    assert sdk.revision() == before


def plain_errors(error: APIStatusError) -> list[dict[str, Any]]:
    return [plain(one) for one in error.errors]


def test_what_is_missing_is_told(sdk: Sdk) -> None:
    balancers: Any = sdk.client.load_balancers
    sdk.zone("lacking.example")
    with pytest.raises(BadRequestError) as refused:
        balancers.create(
            account_id=sdk.account, name="www.lacking.example", default_pools=Omit(), fallback_pool=Omit(), ttl="soon"
        )
    assert sorted(str(at) for _, _, at in told(refused.value)) == ["/default_pools", "/fallback_pool", "/ttl"]


def test_reference_to_nothing_is_pointed_to(sdk: Sdk) -> None:
    pool, zone = sdk.pool("pointing", "192.0.2.1"), sdk.zone("pointing.example")
    places: list[tuple[str, dict[str, Any]]] = [
        ("www.pointing.example", {"zone_id": zone}),
        ("www.pointing.example", {"account_id": sdk.account}),
        ("www.no-zone.example", {"account_id": sdk.account}),  # nobody's without a private view, and no less checked
    ]
    for name, place in places:
        with pytest.raises(BadRequestError) as refused:
            sdk.client.load_balancers.create(
                name=name, default_pools=[pool, NOBODY], fallback_pool=pool, region_pools={"WEU": [NOBODY]}, **place
            )
        assert {(code, at) for code, _, at in told(refused.value)} == {
            (1002, "/default_pools/1"),
            (1002, "/region_pools/WEU/0"),
            *([(1002, "/on_ramps")] if "no-zone" in name else []),
        }
    with pytest.raises(BadRequestError) as refused:
        sdk.client.load_balancers.pools.edit(pool, account_id=sdk.account, monitor=NOBODY)
    assert sole(refused.value)[::2] == (1002, "/monitor")


def test_name_that_is_taken(sdk: Sdk) -> None:
    sdk.pool("taken", "192.0.2.1")
    free = sdk.pool("free", "192.0.2.2")
    for attempt in (
        lambda: sdk.pool("taken", "192.0.2.3"),
        lambda: sdk.client.load_balancers.pools.edit(free, account_id=sdk.account, name="taken"),
    ):
        with pytest.raises(BadRequestError) as refused:
            attempt()
        code, message, at = sole(refused.value)
        assert (code, at) == (1003, "/name")
        assert '"taken"' in str(message) and "value not unique" in str(message)


def test_what_others_use_cannot_be_deleted(sdk: Sdk) -> None:
    balancing = sdk.client.load_balancers
    monitor = some(balancing.monitors.create(account_id=sdk.account, path="/used").id)
    pool = sdk.pool("used", "127.0.0.1", monitor=monitor)
    name = "www.uses.example"
    sdk.zone("uses.example")
    balancer = some(balancing.create(account_id=sdk.account, name=name, default_pools=[pool], fallback_pool=pool).id)
    attempts: list[tuple[Callable[[], object], str]] = [
        (lambda: balancing.monitors.delete(monitor, account_id=sdk.account), 'pool "used"'),
        (lambda: balancing.pools.delete(pool, account_id=sdk.account), f'load balancer "{name}"'),
    ]
    for attempt, user in attempts:
        with pytest.raises(APIStatusError) as refused:
            attempt()
        assert refused.value.status_code == 412
        code, message, _ = sole(refused.value)
        assert code == 1005
        assert str(message).startswith("This object is referenced by other objects, delete them first.")
        assert user in str(message)
    balancing.delete(balancer, account_id=sdk.account)
    balancing.pools.delete(pool, account_id=sdk.account)
    balancing.monitors.delete(monitor, account_id=sdk.account)


def test_object_that_there_is_not(sdk: Sdk) -> None:
    zone = sdk.zone("nothing.example")
    client, balancing, account = sdk.client, sdk.client.load_balancers, sdk.account
    nowhere: Any = "NOWHERE"
    origin: Any = {"name": "a", "address": "192.0.2.1"}
    attempts: list[Callable[[], object]] = [
        lambda: balancing.get(NOBODY, zone_id=zone),
        lambda: balancing.get(NOBODY, account_id=account),
        lambda: balancing.edit(NOBODY, zone_id=zone, ttl=5),
        lambda: balancing.delete(NOBODY, zone_id=zone),
        lambda: balancing.list(zone_id=NOBODY),
        lambda: balancing.pools.get(NOBODY, account_id=account),
        lambda: balancing.pools.update(NOBODY, account_id=account, name="gone", origins=[origin]),
        lambda: balancing.pools.delete(NOBODY, account_id=account),
        lambda: balancing.pools.health.get(NOBODY, account_id=account),
        lambda: balancing.pools.health.create(NOBODY, account_id=account),
        lambda: balancing.pools.references.get(NOBODY, account_id=account),
        lambda: balancing.monitors.get(NOBODY, account_id=account),
        lambda: balancing.monitors.edit(NOBODY, account_id=account, port=80),
        lambda: balancing.monitors.previews.create(NOBODY, account_id=account),
        lambda: balancing.monitor_groups.get(NOBODY, account_id=account),
        lambda: balancing.monitor_groups.delete(NOBODY, account_id=account),
        lambda: balancing.previews.get(NOBODY, account_id=account),
        lambda: balancing.regions.get(nowhere, account_id=account),
        lambda: client.zones.get(zone_id=NOBODY),
        lambda: client.zones.delete(zone_id=NOBODY),
        lambda: client.dns.records.list(zone_id=NOBODY),
        lambda: client.dns.records.get(NOBODY, zone_id=zone),
        lambda: client.dns.records.delete(NOBODY, zone_id=zone),
        lambda: client.dns.records.export(zone_id=NOBODY),
        lambda: client.dns.records.batch(zone_id=zone, deletes=[{"id": NOBODY}]),
    ]
    before = sdk.revision()
    for attempt in attempts:
        with pytest.raises(NotFoundError) as refused:
            attempt()
        code, message, _ = sole(refused.value)
        assert code in (1001, 81044) and "object not found" in str(message), message
    assert sdk.revision() == before


def test_path_that_leads_nowhere(sdk: Sdk) -> None:
    balancing = sdk.client.load_balancers
    wrong_id: list[Callable[[], object]] = [
        lambda: balancing.pools.get("nonsense", account_id=sdk.account),
        lambda: balancing.get(NOBODY[:-1], zone_id=sdk.zone("nowhere.example")),
        lambda: sdk.client.zones.get(zone_id=NOBODY.upper()),
        lambda: sdk.client.dns.records.list(zone_id="example.com"),
    ]
    for attempt in wrong_id:
        with pytest.raises(BadRequestError) as malformed:
            attempt()
        code, message, _ = sole(malformed.value)
        assert code == 7003
        assert str(message).startswith("Could not route to /")
        assert str(message).endswith(", perhaps your object identifier is invalid?")
    no_route: list[Callable[[], object]] = [
        lambda: sdk.client.get("/radar/http", cast_to=object),
        lambda: balancing.pools.list(account_id=NOBODY),
        lambda: sdk.client.get("/user/billing/profile", cast_to=object),
    ]
    for attempt in no_route:
        with pytest.raises(NotFoundError) as nowhere:
            attempt()
        assert codes(nowhere.value) == [7003]


def test_token_missing_malformed_and_wrong(sdk: Sdk) -> None:
    with pytest.raises(BadRequestError) as missing:
        sdk.client.accounts.list(extra_headers={"Authorization": Omit()})
    assert sole(missing.value)[0] == 9106
    for nonsense in ("two words", "{{token}}"):
        with pytest.raises(BadRequestError) as malformed:
            sdk.client.accounts.list(extra_headers={"Authorization": f"Bearer {nonsense}"})
        assert sole(malformed.value)[0] == 6003
    with sdk.open(WRONG_TOKEN) as client, pytest.raises(PermissionDeniedError) as wrong:
        client.accounts.list()
    assert sole(wrong.value)[:2] == (10000, "Authentication error")


def test_token_is_verified(sdk: Sdk) -> None:
    verified = some(sdk.client.user.tokens.verify())
    assert verified.status == "active" and len(verified.id) == 32
    with sdk.open(WRONG_TOKEN) as client, pytest.raises(PermissionDeniedError):
        client.user.tokens.verify()


def test_token_as_key_and_by_environment(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cloudflare(base_url=sdk.base_url, api_email="me@example.com", api_key=sdk.token) as client:
        assert client.accounts.list().result[0].id == sdk.account
    with Cloudflare(base_url=sdk.base_url, api_email="me@example.com", api_key=WRONG_TOKEN) as client:
        with pytest.raises(PermissionDeniedError) as wrong:
            client.accounts.list()
        assert codes(wrong.value) == [10000]
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", sdk.base_url)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", sdk.token)
    with Cloudflare() as client:
        assert client.accounts.get(account_id=sdk.account) is not None


def test_token_that_may_read_changes_nothing(sdk: Sdk) -> None:
    pool, zone = sdk.pool("read", "192.0.2.1"), sdk.zone("read.example")
    before = sdk.revision()
    with sdk.open(sdk.server.token("read", "reader")) as reader:
        assert reader.load_balancers.pools.get(pool, account_id=sdk.account).name == "read"
        assert some(reader.user.tokens.verify()).status == "active"
        assert "NS" in reader.dns.records.export(zone_id=zone)
        origin: Any = {"name": "a", "address": "192.0.2.1"}
        attempts: list[Callable[[], object]] = [
            lambda: reader.load_balancers.pools.create(account_id=sdk.account, name="new", origins=[origin]),
            lambda: reader.load_balancers.pools.edit(pool, account_id=sdk.account, enabled=False),
            lambda: reader.load_balancers.pools.delete(pool, account_id=sdk.account),
            lambda: reader.zones.create(account={"id": sdk.account}, name="new.example"),
            lambda: reader.zones.delete(zone_id=zone),
            lambda: reader.dns.records.import_(zone_id=zone, file="a IN A 192.0.2.1\n"),
        ]
        for attempt in attempts:
            with pytest.raises(PermissionDeniedError) as refused:
                attempt()
            code, message, _ = sole(refused.value)
            assert code == 10000 and "may only read" in str(message)
    assert sdk.revision() == before


def test_too_many_guesses_of_a_token(sdk: Sdk) -> None:
    elsewhere = DefaultHttpxClient(transport=httpx.HTTPTransport(local_address="127.0.0.9"))
    with Cloudflare(base_url=sdk.base_url, api_token=WRONG_TOKEN, http_client=elsewhere, max_retries=0) as client:
        refused: list[type[APIStatusError]] = []
        for _ in range(WRONG_BURST + 20):
            with pytest.raises(APIStatusError) as error:
                client.accounts.list()
            refused.append(type(error.value))
            if isinstance(error.value, RateLimitError):
                break
    assert refused[:WRONG_BURST] == [PermissionDeniedError] * WRONG_BURST
    assert isinstance(error.value, RateLimitError)
    assert codes(error.value) == [10013]
    assert error.value.response.headers["Retry-After"] == "1"
    assert some(sdk.client.user.tokens.verify()).status == "active"  # others are not shut out


def test_change_of_what_has_changed_since(sdk: Sdk) -> None:
    pool = sdk.pool("raced", "192.0.2.1")
    pools = sdk.client.load_balancers.pools
    tag = pools.with_raw_response.get(pool, account_id=sdk.account).headers["ETag"]
    pools.edit(pool, account_id=sdk.account, description="first", extra_headers={"If-Match": tag})
    with pytest.raises(APIStatusError) as refused:
        pools.edit(pool, account_id=sdk.account, description="second", extra_headers={"If-Match": tag})
    assert (refused.value.status_code, sole(refused.value)[0]) == (412, 1006)
    assert pools.get(pool, account_id=sdk.account).description == "first"


def test_body_that_is_too_large(sdk: Sdk) -> None:
    before = sdk.revision()
    with pytest.raises(APIStatusError) as refused:
        sdk.client.load_balancers.monitors.create(account_id=sdk.account, description="x" * (1 << 20))
    assert (refused.value.status_code, sole(refused.value)[0]) == (413, 1009)
    assert sdk.revision() == before
