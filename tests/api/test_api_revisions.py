"""Plan, apply and export of a whole configuration; revisions: listed, shown, compared, restored, waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.base.kinds import Kind
from lbdns.config.loading import load
from lbdns.manage.reading.configuration_reading import ReadConfiguration
from lbdns.manage.store.builder import Builder
from lbdns.manage.store.edit import Edit
from tests.api.conftest import Api

pytestmark = pytest.mark.slow

ZONE = "$TTL 300\n@ SOA ns1 h 1 7200 900 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"


def tree(records: str = "", **pools: Any) -> dict[str, Any]:
    """Return a configuration of one zone, a load balancer and its pool."""
    return {
        "zones": {"example.com": ZONE + records},
        "pools": {"eu": {"origins": [{"name": "e1", "address": "192.0.2.1"}]}, **pools},
        "load_balancers": [{"name": "www.example.com", "default_pools": ["eu"], "fallback_pool": "eu"}],
    }


@pytest.fixture
def own(api: Api) -> Iterator[httpx.Client]:
    """A client of what is lbdns's own, with a write token."""
    headers = {"Authorization": f"Bearer {api.write_token}"}
    base = f"{api.server.address}/lbdns/v1"
    with httpx.Client(base_url=base, headers=headers, timeout=10, trust_env=False) as made:
        yield made


def done(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()["result"]


def apply(client: httpx.Client, configuration: dict[str, Any], **fields: Any) -> Any:
    return done(client.post("/apply", json={"configuration": configuration, **fields}))


def test_what_is_applied_is_let_go_before_it_is_checked_as_a_whole(
    own: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    examine, let_go = Builder.examine, ReadConfiguration.let_go

    def watched(*arguments: Any, **more: Any) -> Any:
        heard.append("checked")
        return examine(*arguments, **more)

    def gone(read: ReadConfiguration) -> None:
        heard.append("let go")
        let_go(read)

    monkeypatch.setattr(Builder, "examine", watched)
    monkeypatch.setattr(ReadConfiguration, "let_go", gone)
    apply(own, tree())
    assert heard == ["let go", "checked"]


def test_a_plan_changes_nothing_and_apply_does_what_it_said(api: Api, own: httpx.Client) -> None:
    plan = done(own.post("/plan", json={"configuration": tree()}))
    assert plan["revision"] == 0 and plan["counts"]["create"] == {"pool": 1, "zone": 1, "record": 2, "load_balancer": 1}
    assert api.manager.state.revision == 0
    made = apply(own, tree(), based_on=0, message="the first")
    assert made["revision"] == 1 and [one["name"] for one in made["differences"]] == [
        one["name"] for one in plan["differences"]
    ]
    assert apply(own, tree()) == {
        "revision": 1,
        "differences": [],
        "counts": plan["counts"] | {"create": {}},
        "unnamed": 0,
    }
    pruned = apply(own, {"zones": {"example.com": ZONE}}, prune=True)
    assert pruned["counts"]["delete"] == {"pool": 1, "load_balancer": 1} and pruned["unnamed"] == 2


def test_as_many_differences_are_told_as_are_asked_for(own: httpx.Client) -> None:
    planned = done(own.post("/plan", params={"tell_max": 1}, json={"configuration": tree()}))
    assert [one["name"] for one in planned["differences"]] == ["eu"] and planned["counts"]["create"]["record"] == 2
    made = done(own.post("/apply", params={"tell_max": 0}, json={"configuration": tree()}))
    assert made["differences"] == [] and made["counts"] == planned["counts"]
    apply(own, tree(us={"origins": [{"name": "e1", "address": "192.0.2.2"}]}))
    restored = done(own.post("/revisions/1/restore", params={"tell_max": 0}, json={}))
    assert (restored["differences"], restored["counts"]["delete"]) == ([], {"pool": 1})


def test_what_a_plan_was_based_on_must_still_be(own: httpx.Client) -> None:
    apply(own, tree())
    late = own.post("/apply", json={"configuration": tree("a A 192.0.2.2\n"), "based_on": 0})
    assert late.status_code == 412 and "after revision 0 that this builds on" in late.json()["errors"][0]["message"]
    assert done(own.get("/revisions"))[0]["revision"] == 1


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ({}, "/configuration", "the field is missing"),
        ({"configuration": []}, "/configuration", "expected an object"),
        ({"configuration": {}, "prune": 1}, "/prune", "expected true or false"),
        ({"configuration": {}, "based_on": True}, "/based_on", "expected a revision's number"),
        ({"configuration": {}, "force": True}, "/force", 'unknown field "force"'),
        ({"configuration": {"settings": {}}}, None, "expected only the sections virtual_networks"),
        (
            {"configuration": {"zones": {"example.com": ZONE + "x\n"}}},
            "/configuration/zones/example.com",
            "line 5: the record ends before its type",
        ),
        (
            {"configuration": tree(us={"origins": []})},
            "/configuration/pools/us/origins",
            "at least 1",
        ),
        (
            {"configuration": {**tree(), "load_balancers": [{"name": "www.example.com"}]}},
            "/configuration/load_balancers/0/default_pools",
            "required",
        ),
    ],
)
def test_what_is_wrong_is_pointed_to(
    own: httpx.Client, body: dict[str, Any], pointer: str | None, message: str
) -> None:
    for path in ("/plan", "/apply"):
        refused = own.post(path, json=body)
        assert refused.status_code == 400, refused.text
        errors = refused.json()["errors"]
        found = [one for one in errors if one.get("source", {}).get("pointer") == pointer]
        assert found and any(message in one["message"] for one in found), errors
    assert done(own.get("/revisions")) == []


def test_what_clashes_with_objects_of_the_store_is_refused(own: httpx.Client) -> None:
    apply(own, tree())
    delegated = {"zones": {"example.com": ZONE + "www NS ns.www\nns.www A 192.0.2.1\n"}}
    refused = own.post("/apply", json={"configuration": delegated})
    assert refused.status_code == 400 and "is delegated to other servers" in refused.json()["errors"][0]["message"]
    assert done(own.get("/revisions"))[0]["revision"] == 1


def test_revisions_say_who_when_why_and_what(api: Api, own: httpx.Client) -> None:
    apply(own, tree(), message="the first")
    apply(own, tree("a A 192.0.2.2\n"))
    apply(own, tree("a A 192.0.2.3\n"))
    listed = done(own.get("/revisions", params={"limit": 2}))
    assert [(one["revision"], one["author"], one["message"]) for one in listed] == [
        (3, "token writer", "apply"),
        (2, "token writer", "apply"),
    ]
    assert [one["revision"] for one in done(own.get("/revisions", params={"before": 2}))] == [1]
    shown = done(own.get("/revisions/3"))
    (record,) = [one for one in shown["differences"] if one["kind"] == "record"]
    assert record["fields"] == [{"field": "content", "before": "192.0.2.2", "after": "192.0.2.3"}]
    assert shown["counts"]["update"] == {"zone": 1, "record": 1}
    compared = done(own.get("/revisions/1/compare/3"))
    assert compared["counts"] == {"create": {"record": 1}, "update": {"zone": 1}, "delete": {}}
    assert done(own.get("/revisions/3/compare/1"))["counts"]["delete"] == {"record": 1}
    assert done(own.get("/revisions/0/compare/1"))["counts"]["create"]["pool"] == 1
    with api.local() as local:
        local.base_url = httpx.URL("http://localhost/lbdns/v1")
        assert done(local.get("/revisions"))[0]["message"] == "apply"


@pytest.mark.parametrize(
    "path", ["/revisions/9", "/revisions/0", "/revisions/1/compare/9", "/revisions/9/configuration"]
)
def test_a_revision_that_is_not_there_is_404(own: httpx.Client, path: str) -> None:
    apply(own, tree())
    refused = own.get(path)
    assert refused.status_code == 404 and refused.json()["errors"][0]["code"] == 1001
    assert own.post("/revisions/9/restore", json={}).status_code == 404


def test_a_number_that_is_none_is_refused(own: httpx.Client) -> None:
    assert own.get("/revisions/x").status_code == 400
    assert own.get("/revisions", params={"limit": 0}).status_code == 400


def test_any_revision_can_be_restored(api: Api, own: httpx.Client) -> None:
    apply(own, tree("a A 192.0.2.2\n"))
    ids = {item.id for item in api.manager.state}
    apply(own, {"zones": {"example.net": ZONE}}, prune=True)
    plan = done(own.post("/revisions/1/restore", json={"dry_run": True}))
    assert api.manager.state.revision == 2 and plan["counts"]["delete"] == {"zone": 1, "record": 2}
    assert own.post("/revisions/1/restore", json={"based_on": 1}).status_code == 412
    made = done(own.post("/revisions/1/restore", json={"based_on": 2}))
    assert made["revision"] == 3 and made["counts"] == plan["counts"]
    assert {item.id for item in api.manager.state} == ids
    assert done(own.get("/revisions"))[0]["message"] == "restore revision 1"
    assert done(own.post("/revisions/3/restore", json={}))["differences"] == []
    done(own.post("/revisions/0/restore", json={}))
    assert not list(api.manager.state)


def test_configurations_are_had_as_files(own: httpx.Client, tmp_path: Path) -> None:
    apply(own, tree())
    apply(own, tree("a A 192.0.2.2\n"))
    for path, revision, counted in (("/configuration", 2, 4), ("/revisions/1/configuration", 1, 3)):
        found = done(own.get(path))
        assert found["revision"] == revision and found["notes"] == []
        assert sorted(found["files"]) == ["example.com.zone", "load_balancers.yaml", "pools.yaml"]
        directory = tmp_path / str(revision)
        directory.mkdir()
        for name, text in found["files"].items():
            (directory / name).write_text(text)
        (zone,) = load(directory).configuration.zones
        assert len(zone.rrsets) == counted


def test_changes_are_waited_for(api: Api, own: httpx.Client) -> None:
    assert done(own.get("/changes")) == {"revision": 0, "revisions": []}
    apply(own, tree())
    found = done(own.get("/changes"))
    assert found["revision"] == 1 and [one["revision"] for one in found["revisions"]] == [1]

    (pool,) = api.manager.state.all(Kind.POOL).values()

    def change(edit: Edit) -> None:
        edit.patch(Kind.POOL, pool.id, {"description": "changed"})

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(own.get, "/changes", params={"after": 1, "wait": 9})
        time.sleep(0.2)
        assert not waiting.done()
        api.change(change)
        found = done(waiting.result())
    assert [one["differences"][0]["fields"] for one in found["revisions"]] == [
        [{"field": "description", "before": "", "after": "changed"}]
    ]
    started = time.monotonic()
    assert done(own.get("/changes", params={"after": 2, "wait": 0.2})) == {"revision": 2, "revisions": []}
    assert time.monotonic() - started >= 0.2  # and it ends, which the client would not wait for


def test_a_reader_reads_and_changes_nothing(api: Api, own: httpx.Client) -> None:
    apply(own, tree())
    headers = {"Authorization": f"Bearer {api.read_token}"}
    for path in ("/revisions", "/revisions/1", "/configuration", "/changes"):
        assert own.get(path, headers=headers).status_code == 200
    for path in ("/plan", "/apply", "/revisions/1/restore"):
        assert own.post(path, json={"configuration": {}}, headers=headers).status_code == 403


def test_a_mistake_made_twice_at_one_name_is_told_twice(own: httpx.Client) -> None:
    wrong = tree("www A x\nwww A x\n")
    (balancer,) = wrong["load_balancers"]
    wrong["load_balancers"] = [{**balancer, "ttl": "soon"}, {**balancer, "ttl": "soon", "type": "MX"}, balancer]
    errors = own.post("/apply", json={"configuration": wrong}).json()["errors"]
    told = sorted((one["source"]["pointer"], one["message"].split(": ")[1]) for one in errors)
    assert [pointer.removeprefix("/configuration/") for pointer, _ in told] == [
        "load_balancers/0/ttl",
        "load_balancers/1/ttl",
        "load_balancers/1/type",
        "load_balancers/2/name",
        "zones/example.com",
        "zones/example.com",
    ]
    assert [text for pointer, text in told if "zones" in pointer] == ["line 5", "line 6"]
