"""Zones' transfers by lbdns's own paths, over a server that is played."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from lbdns.manage.store.managing import Running
from lbdns.transfer.zone_transfer_status import TransferState
from tests.api.conftest import Api
from tests.transfer.played_transfers import BEGAN_S, PlayedTransfers, primary, secondary

pytestmark = pytest.mark.slow


@pytest.fixture
def played(api: Api) -> PlayedTransfers:
    server = PlayedTransfers(secondary(), primary())
    api.manager.running = cast(Running, server)
    return server


def at(api: Api, path: str = "") -> str:
    return f"{api.server.address}/lbdns/v1/transfers{path}"


def result(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def errors(response: httpx.Response, status: int = 400) -> list[str]:
    assert response.status_code == status, response.text
    return [one["message"] for one in response.json()["errors"]]


def test_zones_are_listed_and_shown_by_name(api: Api, client: httpx.Client, played: PlayedTransfers) -> None:
    assert result(client.get(at(api))) == [secondary().as_json(), primary().as_json()]
    assert result(client.get(at(api, "/Example.COM."))) == secondary().as_json()
    assert "is not transferred" in errors(client.get(at(api, "/example.org")), 404)[0]
    assert "no name of a zone" in errors(client.get(at(api, "/a..b")))[0]


def test_a_zone_is_refreshed_and_notified_now(api: Api, client: httpx.Client, played: PlayedTransfers) -> None:
    assert result(client.post(at(api, "/example.com/refresh"), json={}))["last_check_s"] == BEGAN_S + 5
    result(client.post(at(api, "/EXAMPLE.com/refresh"), json={"force": True}))
    result(client.post(at(api, "/example.net/notify")))
    (first, one), (second, two), (third, three) = played.asked
    assert (first, second, third) == ("zone_refresh", "zone_refresh", "zone_notify")
    assert (one["zone"], one["force"], two["zone"], two["force"]) == ("example.com", False, "example.com", True)
    assert three["zone"] == "example.net" and three["by"]
    assert "no secondary zone" in errors(client.post(at(api, "/example.net/refresh"), json={}))[0]
    found = errors(client.post(at(api, "/example.com/refresh"), json={"force": "yes", "forse": True}))
    assert len(found) == 2 and 'did you mean "force"' in " ".join(found)


def test_without_a_server_the_api_says_so(api: Api, client: httpx.Client) -> None:
    assert "no server runs" in errors(client.get(at(api)))[0]


def test_a_token_of_one_zone_sees_that_alone(api: Api, played: PlayedTransfers) -> None:
    text, _ = api.store.tokens.create("one zone", "zones:write:example.net")
    with api.client(text) as client:
        assert [one["zone"] for one in result(client.get(at(api)))] == ["example.net"]
        assert result(client.get(at(api, "/example.net")))["state"] == TransferState.CURRENT
        assert result(client.post(at(api, "/example.net/notify")))["zone"] == "example.net"
        for refused in (client.get(at(api, "/example.com")), client.post(at(api, "/example.com/refresh"), json={})):
            assert "needs a token of scope" in errors(refused, 403)[0]
