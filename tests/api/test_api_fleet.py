"""The fleet by lbdns's own paths, over a server whose fleet is played."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from lbdns.manage.store.managing import Running
from tests.api.conftest import Api
from tests.fleet.played_fleet import EXPLAINED, PlayedFleet

pytestmark = pytest.mark.slow


@pytest.fixture
def played(api: Api) -> PlayedFleet:
    server = PlayedFleet()
    api.manager.running = cast(Running, server)
    return server


def at(api: Api, path: str) -> str:
    return f"{api.server.address}/lbdns/v1/{path}"


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def test_the_machines_are_shown(api: Api, client: httpx.Client, played: PlayedFleet) -> None:
    shown = result(client.get(at(api, "fleet")))
    assert (shown["machine"], shown["problems"]) == ("AMS-1", [])
    assert [(one["status"]["name"], one["is_heard"]) for one in shown["machines"]] == [
        ("AMS-1", True),
        ("FRA-1", True),
        ("NYC-1", True),
    ]
    played.is_in_fleet = False
    assert result(client.get(at(api, "fleet"))) == {"machine": "", "machines": [], "problems": []}


def test_a_machine_is_asked(api: Api, client: httpx.Client, played: PlayedFleet) -> None:
    assert result(client.get(at(api, "explain"), params={"name": "www.example.com", "at": "FRA-1"})) == EXPLAINED
    assert result(client.get(at(api, "health"), params={"at": "NYC-1", "pool": "eu"})) == {"of": "NYC-1"}
    assert result(client.get(at(api, "status"), params={"at": "FRA-1"})) == {"of": "FRA-1"}
    assert result(client.get(at(api, "status"))) == {"of": "AMS-1"}
    assert [(machine, op) for machine, op, _ in played.asked] == [
        ("FRA-1", "explain"),
        ("NYC-1", "health"),
        ("FRA-1", "status"),
        ("AMS-1", "status"),
    ]
    refused = client.get(at(api, "status"), params={"at": "FRA-9"})
    assert refused.status_code == 400 and 'did you mean "FRA-1"?' in refused.text.replace("\\", "")


def test_without_a_server_the_api_says_so(api: Api, client: httpx.Client) -> None:
    assert "no server runs" in client.get(at(api, "fleet")).text


def test_a_machine_that_is_gone_is_forgotten(api: Api, client: httpx.Client, played: PlayedFleet) -> None:
    heard = client.delete(at(api, "fleet/NYC-1"))
    assert heard.status_code == 400 and "NYC-1 is heard: `lbdns fleet leave` there" in heard.text
    played.lose("NYC-1", 60.0)
    assert result(client.delete(at(api, "fleet/nyc-1"))) == {"machine": "NYC-1"}
    assert [one["status"]["name"] for one in result(client.get(at(api, "fleet")))["machines"]] == ["AMS-1", "FRA-1"]
    again = client.delete(at(api, "fleet/NYC-1"))
    assert again.status_code == 400 and "the fleet has no machine" in again.text
    played.is_in_fleet = False
    assert "in no fleet" in client.delete(at(api, "fleet/FRA-1")).text
