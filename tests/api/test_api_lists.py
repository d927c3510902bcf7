"""What is ours in lists: looking for a part of a text, states beside load balancers, and the views."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.model.settings import Settings
from tests.api.conftest import Api


def made(client: httpx.Client, path: str, body: dict[str, Any]) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"]["id"])


def names(client: httpx.Client, path: str, **query: str) -> list[str]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["result"]]


def test_lists_are_searched(api: Api, client: httpx.Client) -> None:
    zone = api.zone()
    monitor = made(client, f"{api.account}/monitors", {"description": "Front door", "type": "icmp_ping"})
    pools = [
        made(
            client,
            f"{api.account}/pools",
            {"name": name, "monitor": monitor, "origins": [{"name": f"{name}-1", "address": address}]},
        )
        for name, address in (("west", "192.0.2.1"), ("east", "198.51.100.7"))
    ]
    for name, description in (("www.example.com", "the Shop"), ("api.example.com", "")):
        body = {"name": name, "description": description, "default_pools": pools, "fallback_pool": pools[0]}
        made(client, f"/zones/{zone.id}/load_balancers", body)
    assert names(client, f"{api.account}/pools", search="EAST") == ["east"]
    assert names(client, f"{api.account}/pools", search="192.0.2.") == ["west"]
    assert names(client, f"{api.account}/pools", search=" ") == ["west", "east"]
    assert len(names(client, f"{api.account}/monitors", search="front")) == 1
    assert names(client, f"{api.account}/monitors", search="back") == []
    assert names(client, f"/zones/{zone.id}/load_balancers", search="shop") == ["www.example.com"]
    own = f"{api.server.address}/lbdns/v1/load_balancers"
    assert names(client, own, search="shop") == ["www.example.com"]
    page = client.get(own, params={"search": "example", "page": 2, "per_page": 1}).json()
    assert [one["name"] for one in page["result"]] == ["api.example.com"]
    assert page["result_info"]["total_count"] == 2


def test_states_stand_beside_load_balancers_where_they_are_asked_for(api: Api, client: httpx.Client) -> None:
    zone = api.zone()
    body = {"name": "west", "origins": [{"name": "west-1", "address": "192.0.2.1"}]}
    pool = made(client, f"{api.account}/pools", body)
    body = {"name": "www.example.com", "default_pools": [pool], "fallback_pool": pool}
    made(client, f"/zones/{zone.id}/load_balancers", body)
    own = f"{api.server.address}/lbdns/v1/load_balancers"
    (plain,) = client.get(own).json()["result"]
    assert "state" not in plain
    (told,) = client.get(own, params={"health": "true"}).json()["result"]
    assert told == {**plain, "state": None}  # no server runs here


class TestViews:
    """Of a server that has some."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        views = {"office": {"networks": ["192.0.2.0/24"], "private": True}, "lab": {}}
        return Settings.model_validate({"state": tmp_path / "state", "api": {"listen": "127.0.0.1:0"}, "views": views})

    def test_views_are_listed_behind_the_public_one(self, api: Api, client: httpx.Client) -> None:
        made(client, "/zones", {"name": "example.com", "view": "office"})
        found = client.get(f"{api.server.address}/lbdns/v1/views").json()["result"]
        assert [(one["name"], one["private"], one["zones"]) for one in found] == [
            ("public", False, 0),
            ("office", True, 1),
            ("lab", False, 0),
        ]
        assert found[1]["networks"] == ["192.0.2.0/24"]


def test_a_server_without_views_lists_none(api: Api, client: httpx.Client) -> None:
    assert client.get(f"{api.server.address}/lbdns/v1/views").json()["result"] == []
