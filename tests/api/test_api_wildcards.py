"""What hides a wildcard is told by whatever change brings it about: of records, of zones, of load balancers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lbdns.manage.store.item import Item
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

CHALLENGE = {"name": "_acme-challenge.foo.apps", "type": "TXT", "content": "x"}
TOLD = (
    '_acme-challenge.foo.apps.example.com TXT: makes "foo.apps.example.com" exist, so the load balancer '
    '"*.apps.example.com" does not reach it (RFC 4592), and it has no A or AAAA; give it a load balancer or records of '
    "its own, or do without this one"
)


@pytest.fixture
def zone(api: Api) -> Item:
    return api.zone()


@pytest.fixture
def records(zone: Item) -> str:
    return f"/zones/{zone.id}/dns_records"


@pytest.fixture
def balance(api: Api, client: httpx.Client, zone: Item) -> Any:
    """Return a function that makes a load balancer and returns the whole reply."""
    pool = {"name": "p", "origins": [{"name": "o", "address": "192.0.2.1"}]}
    id = client.post(f"{api.account}/pools", json=pool).json()["result"]["id"]

    def make(name: str, **fields: Any) -> dict[str, Any]:
        body = {"name": f"{name}.example.com", "default_pools": [id], "fallback_pool": id, **fields}
        reply: dict[str, Any] = client.post(f"/zones/{zone.id}/load_balancers", json=body).json()
        assert reply["success"], reply
        return reply

    return make


def told(reply: httpx.Response | dict[str, Any]) -> list[str]:
    body = reply if isinstance(reply, dict) else reply.json()
    assert body["success"], body
    return [one["message"] for one in body["messages"]]


def test_a_record_below_a_wildcard_load_balancer(client: httpx.Client, records: str, balance: Any) -> None:
    assert told(balance("*.apps")) == []
    made = client.post(records, json=CHALLENGE)
    assert told(made) == [TOLD]
    assert told(client.patch(f"{records}/{made.json()['result']['id']}", json={"content": "y"})) == [TOLD]
    assert told(client.post(records, json={**CHALLENGE, "name": "_acme-challenge.apps"})) == []
    assert told(client.post(records, json={"name": "www", "type": "A", "content": "192.0.2.1"})) == []
    (own,) = told(client.post(records, json={"name": "bar.apps", "type": "TXT", "content": "x"}))
    assert own.startswith('bar.apps.example.com TXT: makes "bar.apps.example.com" exist')
    assert told(client.delete(f"{records}/{made.json()['result']['id']}")) == []


def test_addresses_of_its_own_are_meant_until_they_go(client: httpx.Client, records: str, balance: Any) -> None:
    balance("*.apps")
    own = client.post(records, json={"name": "foo.apps", "type": "A", "content": "192.0.2.9"}).json()["result"]
    assert told(client.post(records, json=CHALLENGE)) == []
    assert told(client.patch(f"{records}/{own['id']}", json={"name": "elsewhere"})) == [TOLD]
    assert told(client.patch(f"{records}/{own['id']}", json={"name": "foo.apps"})) == []
    assert told(client.delete(f"{records}/{own['id']}")) == [TOLD]


def test_many_records_at_once(client: httpx.Client, records: str, balance: Any) -> None:
    balance("*.apps")
    assert told(client.post(f"{records}/batch", json={"posts": [CHALLENGE]})) == [TOLD]
    text = "other.apps.example.com. 300 IN MX 10 mail.example.net.\n"
    (message,) = told(client.post(f"{records}/import", files={"file": ("zone.txt", text)}))
    assert 'makes "other.apps.example.com" exist' in message


def test_a_load_balancer_above_records(client: httpx.Client, records: str, balance: Any) -> None:
    client.post(records, json=CHALLENGE)
    assert told(balance("*.apps")) == [TOLD]


def test_very_many_names_are_counted(client: httpx.Client, records: str, balance: Any) -> None:
    posts = [{**CHALLENGE, "name": f"_acme-challenge.foo{number}.apps"} for number in range(40)]
    client.post(f"{records}/batch", json={"posts": posts})
    (message,) = told(balance("*.apps"))
    assert message.endswith("(and 39 more like it)")


def test_load_balancers_below(client: httpx.Client, zone: Item, balance: Any) -> None:
    balance("*.apps")
    assert told(balance("foo.apps")) == []
    below = balance("a.b.apps")
    (message,) = told(below)
    assert message.startswith('load_balancers[a.b.apps.example.com].name: makes "b.apps.example.com" exist')
    assert '"*.apps.example.com" does not reach it' in message
    one = f"/zones/{zone.id}/load_balancers/{below['result']['id']}"
    assert told(client.patch(one, json={"enabled": False})) == []


def test_a_load_balancer_that_stood_at_the_name_goes(
    client: httpx.Client, zone: Item, records: str, balance: Any
) -> None:
    balance("*.apps")
    own = balance("foo.apps")["result"]["id"]
    assert told(client.post(records, json=CHALLENGE)) == []
    one = f"/zones/{zone.id}/load_balancers/{own}"
    assert told(client.patch(one, json={"enabled": False})) == [TOLD]
    assert told(client.delete(one)) == [TOLD]


def test_a_zone_that_is_imported(client: httpx.Client) -> None:
    text = """$TTL 300
@ SOA ns1 hostmaster 1 7200 3600 1209600 60
@ NS ns1.example.net.
*.apps A 192.0.2.1
_acme-challenge.foo.apps TXT "x"
"""
    url = str(client.base_url).replace("/client/v4/", "/lbdns/v1")
    reply = client.post(f"{url}/zones/example.org/import", files={"file": ("zone.txt", text)})
    (message,) = told(reply)
    assert 'makes "foo.apps.example.org" exist, so the A records of "*.apps.example.org"' in message
