"""Answers that do not fit into a datagram are told by the change that makes them so."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.conftest import Api

pytestmark = pytest.mark.slow

TOLD = (
    'load_balancers[www.example.com].default_pools: pool "many" answers 75 A records in 1,259 bytes with a client '
    "subnet; an answer over UDP has at most 1232 bytes, so it is truncated and asked for again over TCP; max_answers: "
    "73 fits"
)


def messages(reply: httpx.Response) -> list[str]:
    body = reply.json()
    assert body["success"], body
    return [one["message"] for one in body["messages"]]


def origins(count: int) -> list[dict[str, Any]]:
    return [{"name": f"o{number}", "address": f"192.0.2.{number + 1}"} for number in range(count)]


@pytest.fixture
def pool(api: Api, client: httpx.Client) -> str:
    made = client.post(f"{api.account}/pools", json={"name": "many", "origins": origins(75)})
    return f"{api.account}/pools/{made.json()['result']['id']}"


def test_of_a_pool_by_its_load_balancer_and_by_itself(api: Api, client: httpx.Client, pool: str) -> None:
    id = pool.rpartition("/")[2]
    body = {"name": "www.example.com", "default_pools": [id], "fallback_pool": id}
    assert messages(client.post(f"/zones/{api.zone().id}/load_balancers", json=body)) == [TOLD]
    assert messages(client.patch(pool, json={"description": "the same"})) == [TOLD]
    assert messages(client.patch(pool, json={"max_answers": 73})) == []
    assert messages(client.patch(pool, json={"max_answers": 0})) == [TOLD]
    assert TOLD not in messages(client.patch(pool, json={"origins": origins(70)}))


def test_of_records(api: Api, client: httpx.Client) -> None:
    zone = api.zone()
    posts = [{"name": "many", "type": "A", "content": f"192.0.2.{number + 1}"} for number in range(75)]
    (message,) = messages(client.post(f"/zones/{zone.id}/dns_records/batch", json={"posts": posts}))
    assert message.startswith("many.example.com A: 75 A records in 1,260 bytes")
