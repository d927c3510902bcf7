"""Private load balancers and overrides by the API: addresses given out, views that are needed, what creation says."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.revisions.to_files import export
from lbdns.model.settings import Settings
from tests.api.conftest import Api
from tests.api.test_api_as_sent import done, refusals

pytestmark = pytest.mark.slow

VIEWS = {"office": {"networks": ["10.1.0.0/16"], "private": True}, "guests": {"networks": ["10.3.0.0/16"]}}


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    views = getattr(request, "param", VIEWS)
    state = {"state": tmp_path / "state", "api": {"listen": "127.0.0.1:0"}}
    return Settings.model_validate({**state, "views": views})


without_views = pytest.mark.parametrize(
    "settings", [{}, {"guests": VIEWS["guests"]}], indirect=True, ids=["", "public"]
)


@pytest.fixture
def pool(api: Api, client: httpx.Client) -> str:
    origins = [{"name": "one", "address": "10.0.0.1"}]
    id: str = done(client.post(f"{api.account}/pools", json={"name": "eu", "origins": origins}))[0]["id"]
    return id


@pytest.fixture
def body(pool: str) -> dict[str, Any]:
    return {"default_pools": [pool], "fallback_pool": pool}


def stored(edit: Edit, body: dict[str, Any], name: str) -> Any:
    return edit.create(Kind.LOAD_BALANCER, body | {"name": name})


def overrides(api: Api) -> str:
    return f"{api.server.address}/lbdns/v1/overrides"


def test_addresses_are_given_out_in_order_and_never_twice(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    made = [done(client.post(api.account, json=body))[0] for _ in range(2)]
    assert [one["name"] for one in made] == ["100.112.0.0", "100.112.0.1"]
    assert [one["on_ramps"] for one in made] == [[], []]
    asked, _ = done(client.post(api.account, json=body | {"name": "100.112.0.3"}))
    client.delete(f"{api.account}/{made[1]['id']}")
    assert client.post(api.account, json=body, params={"dry_run": True}).status_code == 200
    client.post(api.account, json=body | {"ttl": -1})  # refused: nothing is given out
    assert done(client.post(api.account, json=body))[0]["name"] == "100.112.0.2"
    assert done(client.post(api.account, json=body))[0]["name"] == "100.112.0.4"  # one of these was asked for
    client.delete(f"{api.account}/{asked['id']}")
    assert api.store.given_out == 5
    assert done(client.post(api.account, json=body | {"name": None}))[0]["name"] == "100.112.0.5"


def test_creation_says_what_is_answered(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    _, said = done(client.post(api.account, json=body))
    told = (
        "no proxy here carries traffic for 100.112.0.0: in the view office, {} is answered with the address of the "
        "endpoint that is chosen"
    )
    assert said == [told.format("100.112.0.0")]
    _, said = done(client.post(overrides(api), json={"name": "App.Corp.", "load_balancer": "100.112.0.0"}))
    assert said == [told.format("app.corp")]
    named, said = done(client.post(api.account, json=body | {"name": "db.internal", "on_ramps": ["guests", "office"]}))
    assert "in the views guests, office, db.internal is answered" in said[0]
    assert named["on_ramps"] == ["guests", "office"]


@without_views
def test_a_private_load_balancer_needs_a_view(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    api.zone()
    for more in ({}, {"name": "10.0.0.1"}, {"name": "app.internal"}, {"name": "www.example.com", "on_ramps": []}):
        ((pointer, message),) = refusals(client.post(api.account, json=body | more))
        assert pointer == "/on_ramps" and "nobody would be answered: no view is private" in message
    stored = body | {"name": "app.internal", "on_ramps": []}  # while there was a private view
    sound = Settings.model_validate({"views": VIEWS, "state": api.manager.settings.state_dir()})
    settings, api.manager.settings = api.manager.settings, sound
    item = api.change(lambda edit: edit.create(Kind.LOAD_BALANCER, stored))
    with pytest.raises(ConfigError, match=r"load_balancers\[app.internal\].on_ramps: nobody would be answered"):
        api.manager.load(settings)
    api.manager.settings = settings
    assert client.delete(f"{api.account}/{item.id}").status_code == 200
    public, said = done(client.post(api.account, json=body | {"name": "shop.example.com"}))
    assert "on_ramps" not in public and said == []


def test_what_is_the_accounts_is_private_where_it_can_be(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    zone = api.zone()
    made, _ = done(client.post(api.account, json=body | {"name": "www.example.com"}))
    assert made["on_ramps"] == []
    at = f"{api.account}/{made['id']}"
    for changed in (
        client.patch(at, json={"on_ramps": None}),
        client.put(at, json=body | {"name": "www.example.com"}),
        client.patch(at, json={"on_ramps": ["guests"]}),
    ):
        result, _ = done(changed)
        assert result["on_ramps"] == (["guests"] if changed.request.method == "PATCH" and result["on_ramps"] else [])
    ((pointer, message),) = refusals(client.patch(at, json={"on_ramps": ["gests"]}))
    assert (pointer, "did you mean" in message) == ("/on_ramps/0", True)
    of_zone = client.post(f"/zones/{zone.id}/load_balancers", json=body | {"name": "a.example.com", "on_ramps": []})
    assert [one for one, _ in refusals(of_zone)] == ["/on_ramps"]


def test_overrides_live_their_life(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    first, _ = done(client.post(api.account, json=body))
    second, _ = done(client.post(api.account, json=body))
    made, _ = done(client.post(overrides(api), json={"name": "app.corp", "load_balancer": first["id"]}))
    assert (made["name"], made["load_balancer"]) == ("app.corp", first["id"])
    at = f"{overrides(api)}/{made['id']}"
    assert done(client.get(overrides(api)))[0] == [made] and done(client.get(at))[0] == made
    refused = client.delete(f"{api.account}/{first['id']}")
    assert refused.status_code == 412 and "app.corp" in refused.text
    changed, _ = done(client.patch(at, json={"load_balancer": second["name"]}))
    assert changed["load_balancer"] == second["id"]
    assert export(api.manager.state).files["load_balancers.yaml"].endswith("overrides:\n  app.corp: 100.112.0.1\n")
    assert client.delete(f"{api.account}/{first['id']}").status_code == 200
    assert client.post(overrides(api), json={"name": "app.corp", "load_balancer": second["id"]}).status_code == 400
    ((pointer, _),) = refusals(client.post(overrides(api), json={"name": "b.corp", "load_balancer": "10.9.9.9"}))
    assert pointer == "/load_balancer"
    assert done(client.delete(at))[0] == {"id": made["id"]}
    assert done(client.get(overrides(api)))[0] == []


@without_views
def test_what_an_earlier_release_stored_is_kept_where_no_view_is_private(
    api: Api, client: httpx.Client, body: dict[str, Any]
) -> None:
    for name, told in (
        ("10.0.0.1", "is an IP address, and no view is private; it is kept, and answers nobody until one is"),
        ("fd00::1", "is no address of a private load balancer"),
        ("www.example.org", "is in none of the zones hosted here, and no view is private"),
    ):
        item = api.change(partial(stored, body=body, name=name))
        _, said = done(client.patch(f"{api.account}/{item.id}", json={"description": name}))
        assert any(told in one for one in said), said
    assert api.manager.load(api.manager.settings).configuration.load_balancers == ()


def test_what_an_earlier_release_stored_is_served_to_the_private_views(
    api: Api, client: httpx.Client, body: dict[str, Any]
) -> None:
    api.zone()
    for name in ("10.0.0.1", "203.0.113.9", "www.example.org", "www.example.com"):
        api.change(partial(stored, body=body, name=name))
    loaded = api.manager.load(api.manager.settings)
    served = {one.name: (one.is_private, one.on_ramps) for one in loaded.configuration.load_balancers}
    assert served == {
        "10.0.0.1": (True, ()),
        "www.example.org": (True, ()),
        "www.example.com": (False, None),
    }
    told = {one.path: one.message for one in loaded.warnings}
    assert "is no address of a private load balancer" in told["load_balancers[203.0.113.9].name"]
    assert "everybody is answered" in told["load_balancers[www.example.com].name"]
    again = api.manager.load(api.manager.settings).configuration.load_balancers
    assert all(one is other for one, other in zip(again, loaded.configuration.load_balancers, strict=True))
    files = export(api.manager.state, has_private_views=True)
    text = files.files["load_balancers.yaml"]
    assert "- name: www.example.org\n    default_pools: [eu]\n    fallback_pool: eu\n    on_ramps: []\n" in text
    assert files.notes == ("1 load balancer (203.0.113.9) left out: in no zone here, so files cannot hold them",)


@without_views
def test_private_views_that_a_reload_brings_count_at_once(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    api.zone()
    api.change(partial(stored, body=body, name="app.internal"))
    sound = Settings.model_validate({"views": VIEWS, "state": api.manager.settings.state_dir()})
    api.manager.load(sound)
    made, said = done(client.post(api.account, json=body | {"name": "www.example.com"}))
    assert made["on_ramps"] == [] and "in the view office" in said[0]  # and not everybody's
    own = f"{api.server.address}/lbdns/v1"
    files = client.get(f"{own}/configuration").json()["result"]
    assert "- name: app.internal" in files["files"]["load_balancers.yaml"] and files["notes"] == []
    assert client.get(f"{own}/locate", params={"ip": "10.1.2.3"}).json()["result"]["view"] == "office"


def test_a_put_says_which_views_it_adds(api: Api, client: httpx.Client, body: dict[str, Any]) -> None:
    made, _ = done(client.post(api.account, json=body | {"name": "app.internal", "on_ramps": ["guests"]}))
    at = f"{api.account}/{made['id']}"
    _, said = done(client.put(at, json=body | {"name": "app.internal", "on_ramps": ["guests"]}))
    assert said == []
    changed, said = done(client.put(at, json=body | {"name": "app.internal"}))
    assert changed["on_ramps"] == [] and said == [
        "on_ramps: was guests; a PUT puts back what it does not name, so all private views serve it now"
    ]
    assert done(client.put(at, json=body | {"name": "app.internal"}))[1] == []


def test_a_zone_that_a_load_balancer_stands_in_is_not_deleted(
    api: Api, client: httpx.Client, body: dict[str, Any]
) -> None:
    zone, _ = done(client.post("/zones", json={"name": "corp", "view": "guests"}))
    done(client.post(api.account, json=body | {"name": "app.corp", "view": "guests"}))
    ((_, message),) = refusals(client.delete(f"/zones/{zone['id']}"))
    assert '"app.corp" is in no zone: no zone is hosted here' in message
