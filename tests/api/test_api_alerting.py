"""Alerting's objects are the store's like any others: secrets, exports, revisions, names, scopes, who made them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.manage.store.revisions import diff
from lbdns.manage.store.revisions.to_files import tree_of
from lbdns.model.subscribing import subscriptions_of
from tests.api.conftest import Api
from tests.api.hook_server import HookServer

POLICY: dict[str, Any] = {
    "name": "Trouble",
    "alert_type": "load_balancing_health_alert",
    "enabled": True,
    "mechanisms": {"email": [{"id": "ops@example.com"}]},
}


@pytest.fixture
def path(api: Api) -> str:
    return f"/accounts/{api.store.account_id}/alerting/v3"


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def made(client: httpx.Client, path: str) -> dict[str, str]:
    """Make one object of each kind; returns their ids."""
    hook = {"name": "The hook", "url": "http://127.0.0.1:9/in", "secret": "hidden-1"}
    webhook = result(client.post(f"{path}/destinations/webhooks", json=hook))["id"]
    service = {"name": "On call", "routing_key": "HIDDEN2"}
    pager = result(client.post(f"{path}/destinations/pagerduty/connect", json=service))["id"]
    ways = {"webhooks": [{"id": webhook}], "pagerduty": [{"id": pager}]}
    policy = result(client.post(f"{path}/policies", json={**POLICY, "mechanisms": ways}))["id"]
    silence = {"policy_id": policy, "start_time": "2026-01-01T00:00:00Z", "end_time": "2099-01-01T00:00:00Z"}
    (one,) = result(client.post(f"{path}/silences", json=[silence]))
    return {"webhook": webhook, "pager": pager, "policy": policy, "silence": one["id"]}


def test_secrets_are_in_no_answer_and_no_difference(api: Api, client: httpx.Client, path: str) -> None:
    ids = made(client, path)
    hook = f"{path}/destinations/webhooks/{ids['webhook']}"
    changed = client.patch(hook, json={"secret": "hidden-3"})
    tried = client.put(
        hook, json={"name": "x", "url": "http://127.0.0.1:9/", "secret": "hidden-4"}, params={"dry_run": "true"}
    )
    fields = {one["field"]: one for one in result(tried)["differences"][0]["fields"]}
    assert fields["secret"] == {"field": "secret", "before": diff.SECRET, "after": diff.SECRET}
    own = f"{api.server.address}/lbdns/v1/revisions"
    answers = [changed, tried, client.get(f"{path}/destinations/webhooks"), client.get(hook)]
    answers += [
        client.get(f"{path}/destinations/pagerduty"),
        client.get(own),
        client.get(f"{own}/3"),
        client.get(f"{own}/2"),
    ]
    answers += [client.get("/openapi.json")]
    for answer in answers:
        assert answer.status_code == 200 and "hidden" not in answer.text.lower(), answer.url
    item = api.manager.state.get(Kind.WEBHOOK, ids["webhook"])
    assert item is not None and item.body["secret"] == "hidden-3"
    result(client.patch(hook, json={"secret": ""}))
    item = api.manager.state.get(Kind.WEBHOOK, ids["webhook"])
    assert item is not None and "secret" not in item.body


def test_exports_have_them_by_name_and_are_applied_without_a_difference(
    api: Api, client: httpx.Client, path: str
) -> None:
    made(client, path)
    tree = tree_of(api.manager.state)
    assert tree["policies"] == {
        "Trouble": {
            "alert_type": "load_balancing_health_alert",
            "mechanisms": {"webhooks": [{"name": "The hook"}], "pagerduty": [{"name": "On call"}]},
        }
    }
    assert tree["webhooks"]["The hook"] == {"url": "http://127.0.0.1:9/in", "secret": "hidden-1"}
    (silence,) = tree["silences"].values()
    assert silence["policy"] == "Trouble"
    planned = client.post(f"{api.server.address}/lbdns/v1/plan", json={"configuration": tree, "prune": True})
    assert result(planned)["differences"] == []


def test_who_may_only_read_exports_no_secret(api: Api, client: httpx.Client, path: str) -> None:
    made(client, path)
    whole = result(client.get(f"{api.server.address}/lbdns/v1/configuration"))
    assert "hidden-1" in whole["files"]["alerting.yaml"] and "HIDDEN2" in whole["files"]["alerting.yaml"]
    number = whole["revision"]
    with api.client(api.read_token) as reader:
        for of in ("", f"/revisions/{number}"):
            shown = result(reader.get(f"{api.server.address}/lbdns/v1{of}/configuration"))
            assert "hidden-1" not in str(shown) and "HIDDEN2" not in str(shown)
            assert "The hook" in shown["files"]["alerting.yaml"]
            assert [note for note in shown["notes"] if note.startswith("1 webhook (The hook) without secret")]


def test_names_change_and_ids_stay(api: Api, client: httpx.Client, path: str) -> None:
    ids = made(client, path)
    result(client.put(f"{path}/policies/{ids['policy']}", json={"name": "On fire"}))
    result(client.patch(f"{path}/destinations/webhooks/{ids['webhook']}", json={"name": "Other"}))
    assert result(client.get(f"{path}/silences/{ids['silence']}"))["policy_id"] == ids["policy"]
    served = api.manager.load(api.manager.settings).configuration
    hook, pager = subscriptions_of(served)
    assert (hook.policy_name, hook.policy_id, hook.destination.name) == ("On fire", ids["policy"], "Other")
    assert pager.destination.id == ids["pager"] and hook.silences == pager.silences != ()
    assert not hook.destination.is_local, "a token made it"


def test_an_earlier_revision_has_its_policies(api: Api, client: httpx.Client, path: str) -> None:
    ids = made(client, path)
    before = api.manager.state.revision
    result(client.delete(f"{path}/policies/{ids['policy']}"))
    assert result(client.get(f"{path}/silences")) == []
    result(client.post(f"{api.server.address}/lbdns/v1/revisions/{before}/restore", json={}))
    assert result(client.get(f"{path}/policies/{ids['policy']}"))["name"] == "Trouble"
    assert [one["id"] for one in result(client.get(f"{path}/silences"))] == [ids["silence"]]


@pytest.mark.parametrize(
    ("scope", "reads", "writes"),
    [("notifications:read", 200, 403), ("notifications:write", 200, 200), ("pools:write", 403, 403)],
)
def test_scopes(api: Api, path: str, scope: str, reads: int, writes: int) -> None:
    token, _ = api.store.tokens.create("one", scope)
    with api.client(token) as client:
        for area in ("policies", "silences", "history", "available_alerts", "destinations/webhooks"):
            assert client.get(f"{path}/{area}").status_code == reads
        assert client.post(f"{path}/policies", json=POLICY).status_code == writes


def test_what_a_token_made_reaches_no_loopback_and_an_operators_does(api: Api, client: httpx.Client, path: str) -> None:
    with HookServer().running() as hook:
        one = {"name": "by token", "url": hook.url}
        answer = client.post(f"{path}/destinations/webhooks", json=one)
        (message,) = answer.json()["messages"]
        assert "is the loopback of this machine, told for its operators alone" in message["message"]
        assert result(answer)["last_failure"] and not result(answer)["last_success"] and not hook.posted
        with api.local() as local:
            mine = result(local.post(f"{path}/destinations/webhooks", json={**one, "name": "by operator"}))
            assert mine["last_success"] and len(hook.posted) == 1
            adopted = result(
                local.patch(f"{path}/destinations/webhooks/{result(answer)['id']}", json={"url": hook.url})
            )
            assert adopted["last_success"], "whose URL an operator says is the operator's"


def test_no_test_message_of_what_is_only_tried_or_called_otherwise(client: httpx.Client, api: Api, path: str) -> None:
    with HookServer().running() as hook, api.local() as local:
        one = {"name": "w", "url": hook.url}
        result(local.post(f"{path}/destinations/webhooks", json=one, params={"dry_run": "true"}))
        assert not hook.posted
        id = result(local.post(f"{path}/destinations/webhooks", json=one))["id"]
        result(local.patch(f"{path}/destinations/webhooks/{id}", json={"name": "v"}))
        assert len(hook.posted) == 1
        assert local.post(f"{path}/destinations/webhooks", json={**one, "url": "nowhere"}).status_code == 400
        assert len(hook.posted) == 1


def test_mail_without_a_mail_server_is_told_of(client: httpx.Client, path: str) -> None:
    answer = client.post(f"{path}/policies", json=POLICY)
    assert any("no mail address is told" in one["message"] for one in answer.json()["messages"])


@pytest.mark.parametrize(
    "query", ["since=2026-01-31T12:00:00+02:00", "before=2026-01-31T12:00:00Z&per_page=5&page=2", ""]
)
def test_an_empty_history(client: httpx.Client, path: str, query: str) -> None:
    answer = client.get(f"{path}/history?{query}")
    assert result(answer) == [] and answer.json()["result_info"]["total_count"] == 0
    refused = client.get(f"{path}/history?since=yesterday")
    assert refused.status_code == 400 and "yesterday" in refused.text


@pytest.mark.parametrize("body", [[], {}, [1], [{"id": "0" * 32}], [{"policy_id": None}], "x"])
def test_what_is_no_list_of_silences(client: httpx.Client, path: str, body: Any) -> None:
    assert client.post(f"{path}/silences", json=body).status_code == 400
    assert client.put(f"{path}/silences", json=body).status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"filters": {}},
        {"filters": {"new_health": []}},
        {"filters": {"event_source": ["pool"], "new_health": ["Unhealthy", "Healthy"]}},
        {"mechanisms": {"email": [{"id": "a@example.com"}, {"id": "b@example.com"}], "webhooks": []}},
    ],
)
def test_filters_and_mechanisms_are_shown_as_they_were_sent(
    client: httpx.Client, path: str, sent: dict[str, Any]
) -> None:
    """A client that compares what it wrote with what it reads finds no difference."""
    policy = {**POLICY, **sent}
    shown = result(client.post(f"{path}/policies", json=policy))
    assert {**shown, **policy} == shown and shown["filters"] == sent.get("filters")
    revision = client.get(f"{path}/policies/{shown['id']}").headers["ETag"]
    again = client.put(f"{path}/policies/{shown['id']}", json=shown)
    assert result(again) == shown and again.headers["ETag"] == revision, "what is sent back changes nothing"
