"""Alerting by the official client: every method of client.alerting, over TCP and over the UNIX socket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cloudflare import APIStatusError, Cloudflare, NotFoundError

from tests.api.hook_server import HookServer, eventually
from tests.api.sdk import SETTINGS as LOOPBACK
from tests.api.sdk import Sdk, plain, sdk_over_store, sole, some, told

pytestmark = pytest.mark.process

ROUTING_KEY = "R0123456789ABCDEF0123456789ABCDE"
HEALTH: Any = "load_balancing_health_alert"
ENABLEMENT: Any = "load_balancing_pool_enablement_alert"


@pytest.fixture(scope="module")
def sdk(starts_processes: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdk]:
    """A server of its own: these tests count what was sent."""
    with sdk_over_store(tmp_path_factory.mktemp("alerting"), LOOPBACK) as made:
        yield made


@pytest.fixture(params=["tcp", "unix"])
def client(request: pytest.FixtureRequest, sdk: Sdk) -> Iterator[Cloudflare]:
    """The client by each of the ways in."""
    if request.param == "tcp":
        yield sdk.client
        return
    transport = httpx.HTTPTransport(uds=str(sdk.server.api_socket))
    with (
        httpx.Client(transport=transport) as way,
        Cloudflare(base_url="http://lbdns/client/v4", api_token="-" * 40, http_client=way) as made,
    ):
        yield made


@pytest.fixture(autouse=True)
def nothing_left(sdk: Sdk) -> Iterator[None]:
    yield
    alerting, account = sdk.client.alerting, sdk.account
    for policy in alerting.policies.list(account_id=account):
        alerting.policies.delete(some(policy.id), account_id=account)
    for webhook in alerting.destinations.webhooks.list(account_id=account):
        alerting.destinations.webhooks.delete(some(webhook.id), account_id=account)
    alerting.destinations.pagerduty.delete(account_id=account)


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with HookServer().running() as made:
        yield made


def adopted(sdk: Sdk) -> None:
    """Wait until the monitor worker works on what was stored last."""
    words = f"generation {sdk.server.status()['generation']}: "
    eventually(lambda: words in sdk.server.log)


def test_webhooks(sdk: Sdk, client: Cloudflare, hook: HookServer) -> None:
    webhooks, account = client.alerting.destinations.webhooks, sdk.account
    made = some(webhooks.create(account_id=account, name="On call (Ops)", url=hook.url, secret="s3cret"))
    id = some(made.id)
    (headers, body), *_ = hook.posted
    assert headers["cf-webhook-auth"] == "s3cret" and "test message" in body["text"]
    found = some(webhooks.get(id, account_id=account))
    assert (found.id, found.name, found.url, found.type) == (id, "On call (Ops)", hook.url, "generic")
    assert isinstance(found.created_at, datetime) and isinstance(found.last_success, datetime)
    assert found.last_failure is None and "s3cret" not in str(plain(found))
    assert [one.id for one in webhooks.list(account_id=account)] == [id]

    hook.code = 500
    changed = some(webhooks.update(id, account_id=account, name="Ops", url=f"{hook.url}/2"))
    assert changed.id == id
    assert hook.posted[-1][0]["cf-webhook-auth"] == "s3cret", "what cannot be read back stays"
    found = some(webhooks.get(id, account_id=account))
    assert (found.name, found.url) == ("Ops", f"{hook.url}/2") and isinstance(found.last_failure, datetime)

    assert webhooks.delete(id, account_id=account).success
    with pytest.raises(NotFoundError):
        webhooks.get(id, account_id=account)


def test_a_webhook_that_does_not_work_is_told_of(sdk: Sdk, hook: HookServer) -> None:
    hook.code = 403
    raw = sdk.client.alerting.destinations.webhooks.with_raw_response.create(
        account_id=sdk.account, name="w", url=hook.url
    )
    (message,) = raw.http_response.json()["messages"]
    assert message["message"] == "the test message did not get through: the receiver answered 403"
    assert message["source"] == {"pointer": "/url"}


@pytest.mark.parametrize(
    ("url", "type"),
    [
        ("https://hooks.slack.com/services/T/B/X", "slack"),
        ("https://discord.com/api/webhooks/1/x", "discord"),
        ("https://chat.googleapis.com/v1/spaces/x", "gchat"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/x", "feishu"),
        ("https://hooks.example.com/slack.com", "generic"),
    ],
)
def test_types_of_webhooks(url: str, type: str) -> None:
    from lbdns.monitor.notify.webhook import webhook_type

    assert webhook_type(url) == type


def test_pagerduty(sdk: Sdk, client: Cloudflare) -> None:
    pagerduty, account = client.alerting.destinations.pagerduty, sdk.account
    with pytest.raises(APIStatusError) as refused:
        pagerduty.create(account_id=account)
    assert {code for code, _, _ in told(refused.value)} == {1002} and "routing_key" in str(refused.value)
    token = some(pagerduty.create(account_id=account, extra_body={"routing_key": ROUTING_KEY, "name": "My Service"}))
    linked = some(pagerduty.link(some(token.id), account_id=account))
    assert linked.id == token.id
    (one,) = pagerduty.get(account_id=account)
    assert plain(one) == {"id": token.id, "name": "My Service"}
    assert pagerduty.delete(account_id=account).success
    assert [*pagerduty.get(account_id=account)] == []
    with pytest.raises(NotFoundError):
        pagerduty.link(some(token.id), account_id=account)


def test_eligible_and_available(sdk: Sdk, client: Cloudflare) -> None:
    eligible = some(client.alerting.destinations.eligible.get(account_id=sdk.account))
    found = {name: plain(one) for name, (one,) in eligible.items()}
    assert found == {
        "Email": {"eligible": True, "ready": False, "type": "email"},
        "PagerDuty": {"eligible": True, "ready": True, "type": "pagerduty"},
        "Webhooks": {"eligible": True, "ready": True, "type": "webhook"},
    }
    available = some(client.alerting.available_alerts.list(account_id=sdk.account))
    filters = {one.type: [option["Key"] for option in one.filter_options or ()] for one in available["Load Balancing"]}  # type: ignore[index]
    assert filters == {ENABLEMENT: ["pool_id", "enabled"], HEALTH: ["pool_id", "new_health", "event_source"]}


def test_policies(sdk: Sdk, client: Cloudflare, hook: HookServer) -> None:
    alerting, account = client.alerting, sdk.account
    pool = sdk.pool(f"policies-{id(client)}", "127.0.0.1")
    webhook = some(alerting.destinations.webhooks.create(account_id=account, name="hook", url=hook.url))
    made = some(
        alerting.policies.create(
            account_id=account,
            name="Pool trouble",
            alert_type=HEALTH,
            enabled=True,
            description="what is down",
            filters={"pool_id": [pool], "new_health": ["Unhealthy"], "event_source": ["pool", "origin"]},
            mechanisms={"webhooks": [{"id": some(webhook.id)}], "email": [{"id": "ops@example.com"}]},
        )
    )
    policy = some(made.id)
    found = some(alerting.policies.get(policy, account_id=account))
    assert {**plain(found), "created": "", "modified": ""} == {
        "id": policy,
        "name": "Pool trouble",
        "alert_type": HEALTH,
        "enabled": True,
        "description": "what is down",
        "filters": {"pool_id": [pool], "new_health": ["Unhealthy"], "event_source": ["pool", "origin"]},
        "mechanisms": {"email": [{"id": "ops@example.com"}], "webhooks": [{"id": webhook.id}]},
        "created": "",
        "modified": "",
    }
    assert isinstance(found.created, datetime) and isinstance(found.modified, datetime)
    assert [one.id for one in alerting.policies.list(account_id=account)] == [policy]
    changed = some(alerting.policies.update(policy, account_id=account, enabled=False))
    assert changed.id == policy
    after = some(alerting.policies.get(policy, account_id=account))
    assert after.enabled is False and after.filters == found.filters, "a PUT changes what it names"

    with pytest.raises(APIStatusError) as refused:
        alerting.destinations.webhooks.delete(some(webhook.id), account_id=account)
    assert refused.value.status_code == 412 and "Pool trouble" in str(refused.value)
    with pytest.raises(APIStatusError) as refused:
        client.load_balancers.pools.delete(pool, account_id=account)
    assert refused.value.status_code == 412
    assert alerting.policies.delete(policy, account_id=account).success
    client.load_balancers.pools.delete(pool, account_id=account)


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"alert_type": "load_balancing_heath_alert"}, "/alert_type", 'did you mean "load_balancing_health_alert"'),
        ({"alert_type": "http_alert_origin_error"}, "/alert_type", "is not known here"),
        ({"filters": {"enabled": ["true"]}}, "/filters/enabled", "has no such filter"),
        ({"alert_type": ENABLEMENT, "filters": {"new_health": ["Healthy"]}}, "/filters/new_health", "no such filter"),
        ({"filters": {"new_helth": ["Healthy"]}}, "/filters/new_helth", 'did you mean "new_health"'),
        ({"filters": {"new_health": ["healthy"]}}, "/filters/new_health/0", '"Healthy"'),
        ({"filters": {"event_source": ["endpoint"]}}, "/filters/event_source/0", "is not known here"),
        ({"filters": {"pool_id": ["0" * 32]}}, "/filters/pool_id/0", "unknown pool"),
        ({"mechanisms": {}}, "/mechanisms", "nobody is told"),
        ({"mechanisms": {"webhooks": [{"id": "1" * 32}]}}, "/mechanisms/webhooks/0/id", "unknown webhook"),
        ({"mechanisms": {"email": [{"id": "ops"}]}}, "/mechanisms/email/0/id", "no mail address"),
        ({"mechanisms": {"sms": [{"id": "1"}]}}, "/mechanisms/sms", "unknown key"),
        ({"name": ""}, "/name", "the text is empty"),
        ({"enabled": "yes"}, "/enabled", "true or false"),
    ],
)
def test_what_a_policy_is_refused_for(sdk: Sdk, fields: dict[str, Any], pointer: str, words: str) -> None:
    body: dict[str, Any] = {
        "name": "p",
        "alert_type": HEALTH,
        "enabled": True,
        "mechanisms": {"email": [{"id": "ops@example.com"}]},
        **fields,
    }
    with pytest.raises(APIStatusError) as refused:
        sdk.client.alerting.policies.create(account_id=sdk.account, **body)
    assert refused.value.status_code == 400
    code, message, at = sole(refused.value)
    assert (code, at) == (1002, pointer) and words in some(message) and some(message).endswith(": validation failed")


def test_a_name_is_taken_once(sdk: Sdk) -> None:
    policies = sdk.client.alerting.policies
    body: dict[str, Any] = {"name": "p", "alert_type": HEALTH, "enabled": True}
    body["mechanisms"] = {"email": [{"id": "ops@example.com"}]}
    policies.create(account_id=sdk.account, **body)
    with pytest.raises(APIStatusError) as refused:
        policies.create(account_id=sdk.account, **body)
    assert sole(refused.value)[::2] == (1003, "/name")


def test_silences(sdk: Sdk, client: Cloudflare) -> None:
    alerting, account = client.alerting, sdk.account
    policy = some(
        alerting.policies.create(
            account_id=account,
            name="p",
            alert_type=HEALTH,
            enabled=True,
            mechanisms={"email": [{"id": "ops@example.com"}]},
        )
    ).id
    start, end = "2026-01-01T00:00:00Z", "2026-01-01T06:00:00+02:00"
    made = alerting.silences.create(
        account_id=account,
        body=[
            {"policy_id": some(policy), "start_time": start, "end_time": end},
            {"policy_id": some(policy), "end_time": "2099-01-01T00:00:00Z"},
        ],
    )
    assert made.success
    first, second = alerting.silences.list(account_id=account)
    assert (first.policy_id, first.start_time, first.end_time) == (policy, start, end)
    assert datetime.fromisoformat(some(second.start_time)) > datetime.now(UTC) - timedelta(minutes=1)
    got = some(alerting.silences.get(some(first.id), account_id=account))
    assert plain(got) == plain(first) and got.created_at and got.updated_at
    (changed,) = alerting.silences.update(
        account_id=account, body=[{"id": some(first.id), "end_time": "2026-01-02T00:00:00Z"}]
    )
    assert (changed.id, changed.start_time, changed.end_time) == (first.id, start, "2026-01-02T00:00:00Z")
    with pytest.raises(APIStatusError) as refused:
        alerting.silences.create(
            account_id=account,
            body=[
                {"policy_id": some(policy), "start_time": start, "end_time": end},
                {"policy_id": some(policy), "start_time": end, "end_time": start},
                {"policy_id": "0" * 32, "start_time": "soon", "end_time": end},
            ],
        )
    assert {at for _, _, at in told(refused.value)} == {"/1/end_time", "/2/start_time", "/2/policy_id"}
    assert len([*alerting.silences.list(account_id=account)]) == 2, "all or nothing"
    assert alerting.silences.delete(some(second.id), account_id=account).success
    with pytest.raises(NotFoundError):
        alerting.silences.get(some(second.id), account_id=account)
    alerting.policies.delete(some(policy), account_id=account)
    assert [*alerting.silences.list(account_id=account)] == [], "they go with their policy"


def test_what_is_sent_stands_in_the_history(sdk: Sdk, client: Cloudflare, hook: HookServer) -> None:
    alerting, account = client.alerting, sdk.account
    pool = sdk.pool(f"history-{id(client)}", "127.0.0.1")
    webhook = some(some(alerting.destinations.webhooks.create(account_id=account, name="h", url=hook.url)).id)
    pagerduty = some(
        alerting.destinations.pagerduty.create(
            account_id=account, extra_body={"routing_key": ROUTING_KEY, "name": "pd", "events_url": hook.url}
        )
    )
    policy = some(
        alerting.policies.create(
            account_id=account,
            name="toggles",
            description="who did that?",
            alert_type=ENABLEMENT,
            enabled=True,
            filters={"pool_id": [pool]},
            mechanisms={"webhooks": [{"id": webhook}], "pagerduty": [{"id": some(pagerduty.id)}]},
        )
    ).id
    adopted(sdk)
    before = datetime.now(UTC)
    client.load_balancers.pools.edit(pool, account_id=account, enabled=False)

    def mine() -> list[Any]:
        return [one for one in alerting.history.list(account_id=account) if one.policy_id == policy]

    eventually(lambda: len(mine()) == 2)
    assert sorted((one.mechanism_type, one.mechanism) for one in mine()) == [
        ("pagerduty", pagerduty.id),
        ("webhook", webhook),
    ]
    posted = [body for body in hook.bodies if "test message" not in body.get("text", "")]
    (by_hook,), (event,) = ([one for one in posted if (key in one)] for key in ("policy_id", "routing_key"))
    assert (by_hook["policy_id"], by_hook["policy_name"], by_hook["name"]) == (policy, "toggles", "h")
    assert by_hook["data"]["pool_id"] == pool and by_hook["data"]["new_health"] == "disabled"
    assert event["routing_key"] == ROUTING_KEY and event["event_action"] == "trigger"
    assert event["dedup_key"] == by_hook["alert_correlation_id"]
    assert event["payload"]["severity"] == "warning" and event["payload"]["custom_details"]["pool_id"] == pool
    one = next(one for one in mine() if one.mechanism_type == "webhook")
    assert (one.name, one.description, one.alert_type) == ("toggles", "who did that?", ENABLEMENT)
    assert '"policy_name": "toggles"' in one.alert_body and isinstance(one.sent, datetime)
    assert ROUTING_KEY not in str([row.alert_body for row in mine()])
    assert [*alerting.history.list(account_id=account, before=before)] == [] or all(
        row.policy_id != policy for row in alerting.history.list(account_id=account, before=before)
    )
    assert {row.policy_id for row in alerting.history.list(account_id=account, since=before)} == {policy}
    page = alerting.history.list(account_id=account, per_page=1, page=1)
    assert len(page.result) == 1 and some(page.result_info).per_page == 1
    assert len([*alerting.history.list(account_id=account, per_page=1)]) >= 2, "pages follow until the end"

    adopted(sdk)
    client.load_balancers.pools.edit(pool, account_id=account, enabled=True)
    eventually(lambda: len(mine()) == 4)
    assert next(one for one in reversed(hook.bodies) if "routing_key" in one) == {
        "routing_key": ROUTING_KEY,
        "event_action": "resolve",
        "dedup_key": event["dedup_key"],
    }
    found = some(alerting.destinations.webhooks.get(webhook, account_id=account))
    assert some(found.last_success) >= before

    alerting.silences.create(account_id=account, body=[{"policy_id": some(policy), "end_time": "2099-01-01T00:00:00Z"}])
    adopted(sdk)
    client.load_balancers.pools.edit(pool, account_id=account, enabled=False)
    adopted(sdk)
    for silence in alerting.silences.list(account_id=account):
        alerting.silences.delete(some(silence.id), account_id=account)
    adopted(sdk)
    client.load_balancers.pools.edit(pool, account_id=account, enabled=True)
    eventually(lambda: len(mine()) >= 6)
    told_now = [one["alert_event"] for one in hook.bodies if one.get("policy_id") == policy]
    assert told_now[-1] == "ALERT_STATE_EVENT_END" and len(told_now) == 3, "nobody was told in the silence"
    alerting.policies.delete(some(policy), account_id=account)
    client.load_balancers.pools.delete(pool, account_id=account)
