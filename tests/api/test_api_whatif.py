"""What-if by the API, and the guard that a write may be held to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.mapped.run_directory import RunDirectory
from tests.api.conftest import Api
from tests.whatif.recorded import serve

pytestmark = [pytest.mark.slow, pytest.mark.process]

GUARDED = 1012
HEADER = "Lbdns-Guard"


@pytest.fixture
def pools(api: Api) -> Iterator[dict[str, str]]:
    """A zone, two pools and a load balancer, served from the state directory by files alone; ids by name."""
    zone = api.zone()
    made = {"zone": zone.id}

    def create(kind: Kind, body: dict[str, Any], zone_id: str = "") -> None:
        made[body["name"].partition(".")[0]] = api.change(lambda edit: edit.create(kind, body, zone_id)).id

    for number, name in enumerate(("eu", "us"), 1):
        create(Kind.POOL, {"name": name, "origins": [{"name": "one", "address": f"192.0.2.{number}"}]})
    body = {"name": "www.example.com", "default_pools": [made["eu"]], "fallback_pool": made["us"]}
    create(Kind.LOAD_BALANCER, body, zone.id)
    state_dir = api.manager.settings.state_dir()
    serve(state_dir, api.loop.run(api.manager.propose(lambda edit: None)))
    yield made
    RunDirectory(state_dir).remove()


def whatif(client: httpx.Client, body: Any = None, **params: Any) -> httpx.Response:
    url = str(client.base_url.copy_with(path="/lbdns/v1/whatif"))
    return client.post(url, json=body, params=params)


def test_what_a_configuration_would_move_is_told_and_nothing_is_changed(
    api: Api, client: httpx.Client, pools: dict[str, str]
) -> None:
    revision = api.manager.state.revision
    body = {"configuration": {"pools": {"eu": {"origins": [{"name": "one", "address": "192.0.2.9"}]}}}}
    told = whatif(client, body).json()["result"]
    assert (told["samples"], told["moved"]["share"], told["pools"]) == (0, None, {"new": [], "gone": []})
    assert told["caveats"][0].startswith("no traffic is recorded since ")
    assert api.manager.state.revision == revision
    earlier = whatif(client, revision=1, since="-15min", all_up="true").json()["result"]
    assert earlier["load_balancers"] == {"new": [], "gone": ["www.example.com A"]}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"since": "yesterday"}, "query parameter since: expected -1h"),
        ({"since": "2026-13-01T00:00:00"}, "query parameter since: expected -1h"),
        ({"until": "nan"}, "query parameter until: expected -1h"),
        ({"since": "-1h", "until": "-2h"}, "expected a time before until"),
    ],
)
def test_times_that_are_none_are_refused(
    client: httpx.Client, pools: dict[str, str], params: dict[str, str], said: str
) -> None:
    refused = whatif(client, {"configuration": {}}, **params)
    assert refused.status_code == 400 and said in refused.json()["errors"][0]["message"]


def test_a_revision_that_there_is_not_is_not_found(client: httpx.Client, pools: dict[str, str]) -> None:
    assert whatif(client, revision=999).status_code == 404


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_write_is_held_to_its_guard_and_nothing_is_stored(
    api: Api, client: httpx.Client, pools: dict[str, str], dry_run: bool
) -> None:
    revision = api.manager.state.revision
    path = f"/zones/{pools['zone']}/load_balancers/{pools['www']}"
    params = {"dry_run": "true"} if dry_run else {}
    change = {"default_pools": [pools["us"]]}
    refused = client.patch(path, json=change, params=params, headers={HEADER: "5%"})
    (error,) = refused.json()["errors"]
    assert (refused.status_code, error["code"], api.manager.state.revision) == (412, GUARDED, revision)
    assert error["message"].startswith("how many clients this moves cannot be told: no traffic is recorded since ")
    assert client.patch(path, json=change, params=params).status_code == 200
    nothing = client.patch(path, json={}, headers={HEADER: "5%"})
    assert nothing.status_code == 200, "what changes nothing moves nothing"


def test_a_guard_that_is_none_is_refused(client: httpx.Client, pools: dict[str, str]) -> None:
    refused = client.get("/zones", headers={HEADER: "much"})
    assert refused.status_code == 400
    assert f"header {HEADER}" in refused.json()["errors"][0]["message"]


def test_a_token_that_may_only_read_asks_nothing_of_it(api: Api, pools: dict[str, str]) -> None:
    with api.client(api.read_token) as reader:
        assert whatif(reader, revision=1).status_code == 403
