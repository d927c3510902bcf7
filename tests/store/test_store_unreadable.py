"""Stored objects that cannot be read: each named with the way back, none dropped, overwritten or served around."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.base.words import STORE_FILE
from lbdns.dns.name import encode_canonical
from lbdns.manage.api.app import local_app
from lbdns.manage.api.frame.site import ApiSite
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.refusals import Unavailable
from lbdns.manage.store.sqlite import Store
from lbdns.model.settings import Settings
from tests.processes.load import NAME
from tests.processes.test_last_served import lbdns, row
from tests.processes.test_reload import eventually
from tests.store.served import stopped_server

SOA = {"mname": "ns1.example.com", "rname": "hostmaster.example.com"}


def filled(state: Path) -> dict[str, str]:
    """Fill a store with an object of each kind, used by one another, and a zone beside; returns their ids."""
    ids: dict[str, str] = {}
    with contextlib.closing(Store(state)) as store:

        def make(edit: Edit) -> None:
            def create(called: str, kind: Kind, body: dict[str, Any], zone: str = "") -> str:
                ids[called] = edit.create(kind, body, zone).id
                return ids[called]

            monitor = create("monitor", Kind.MONITOR, {"type": "tcp", "port": 80, "description": "web"})
            pool = {"name": "eu", "monitor": monitor, "origins": [{"name": "a", "address": "192.0.2.1"}]}
            create("pool", Kind.POOL, pool)
            create("unused", Kind.POOL, {"name": "unused", "origins": [{"name": "a", "address": "192.0.2.3"}]})
            for name in ("example.com", "example.net"):
                zone = create(name, Kind.ZONE, {"name": name, "soa": SOA})
                create(f"ns.{name}", Kind.RECORD, {"name": "@", "type": "NS", "content": "ns1.example.org"}, zone)
                create(f"www.{name}", Kind.RECORD, {"name": "www", "type": "A", "content": "192.0.2.9"}, zone)
            balancer = {"name": "lb.example.com", "default_pools": [ids["pool"]], "fallback_pool": ids["pool"]}
            create("balancer", Kind.LOAD_BALANCER, balancer, ids["example.com"])

        asyncio.run(StoreManager(store, Settings()).change("ann", "all", make, is_local=True))
    return ids


def write(state: Path, statement: str, *values: Any) -> None:
    with contextlib.closing(sqlite3.connect(state / STORE_FILE)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


def body_of(state: Path, id: str) -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(state / STORE_FILE)) as connection:
        found: dict[str, Any] = json.loads(
            connection.execute("SELECT body FROM objects WHERE id = ?", (id,)).fetchone()[0]
        )
        return found


def body(called: str, text: str | bytes) -> Callable[[Path, dict[str, str]], str]:
    def spoil(state: Path, ids: dict[str, str]) -> str:
        write(state, "UPDATE objects SET body = ? WHERE id = ?", text, ids[called])
        return ids[called]

    return spoil


def field(called: str, key: str, value: Any) -> Callable[[Path, dict[str, str]], str]:
    def spoil(state: Path, ids: dict[str, str]) -> str:
        fields = body_of(state, ids[called]) | {key: value}
        return body(called, json.dumps({k: v for k, v in fields.items() if v is not None}))(state, ids)

    return spoil


def column(called: str, name: str, value: Any) -> Callable[[Path, dict[str, str]], str]:
    def spoil(state: Path, ids: dict[str, str]) -> str:
        write(state, f"UPDATE objects SET {name} = ? WHERE id = ?", value, ids[called])
        return ids[called]

    return spoil


Spoil = Callable[[Path, dict[str, str]], str]
WAYS: dict[str, tuple[Spoil, str]] = {
    "broken JSON": (body("pool", '{"name": "eu", '), "its body is no JSON"),
    "no object": (body("pool", "[1]"), "no JSON object"),
    "no text": (body("pool", b"\xff\xfe"), "its body is no JSON"),
    "a number": (body("pool", "17"), "no JSON object"),
    "deep": (body("pool", "[" * 200_000), "its body is no JSON"),
    "nothing in it": (body("pool", "{}"), "name"),
    "another release's field": (field("pool", "colour", "red"), "colour"),
    "a value that is refused": (field("pool", "origins", [{"name": "a", "address": "no address"}]), "address"),
    "a list that is none": (field("pool", "origins", "all of them"), "origins"),
    "a monitor's type": (field("monitor", "type", "telepathy"), "telepathy"),
    "a monitor without its name": (field("monitor", "name", None), "name"),
    "a pool's name": (field("unused", "name", "eu"), "names are unique"),
    "a balancer": (field("balancer", "default_pools", 5), "default_pools"),
    "a balancer of no zone": (column("balancer", "zone_id", "f" * 32), "is not in the store"),
    "a record's content": (field("www.example.com", "content", "not-an-address"), "not-an-address"),
    "a record's type": (field("www.example.com", "type", "NO SUCH"), "type"),
    "a record's number": (field("www.example.com", "content", 5), ""),
    "a record without content": (field("www.example.com", "content", None), "content"),
    "a record of no zone": (column("www.example.com", "zone_id", "f" * 32), "is not in the store"),
    "a zone's SOA": (field("example.com", "soa", None), "soa"),
    "a zone's name": (field("example.com", "name", "..."), ""),
    "a zone's serial": (field("example.com", "serial", "never"), ""),
    "two zones of a name": (field("example.net", "name", "example.com"), "names are unique"),
    "an unknown kind": (column("unused", "kind", "pool_of_pools"), 'no objects of the kind "pool_of_pools"'),
    "times": (column("pool", "disabled_at", "{"), "its times of disabling"),
    "a revision": (column("pool", "revision", "first"), "other types"),
}


@contextlib.contextmanager
def managed(state: Path) -> Iterator[StoreManager]:
    with contextlib.closing(Store(state)) as store:
        yield StoreManager(store, Settings())


def asked(manager: StoreManager, *requests: tuple[str, str, Any]) -> list[httpx.Response]:
    """Return what the API answers."""

    async def ask() -> list[httpx.Response]:
        app = local_app(ApiSite(manager, manager.store, Settings()), "root")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lbdns") as client:
            return [await client.request(method, path, json=sent) for method, path, sent in requests]

    return asyncio.run(ask())


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_read_is_named_kept_and_deleted_or_repaired(tmp_path: Path, way: str) -> None:
    spoil, why = WAYS[way]
    ids = filled(tmp_path)
    good = {called: body_of(tmp_path, id) for called, id in ids.items()}
    id = spoil(tmp_path, ids)
    (called,) = [called for called in ids if ids[called] == id]
    with managed(tmp_path) as manager:
        with pytest.raises(ConfigError) as refused:
            manager.load(Settings())
        (problem,) = refused.value.problems
        assert id in str(problem) and why in str(problem) and f"`lbdns store show {id}`" in str(problem)
        before = manager.store.head
        with pytest.raises(Unavailable, match=id):
            asyncio.run(
                manager.change("ann", "", lambda edit: edit.patch(Kind.ZONE, ids["example.net"], {"paused": True}))
            )
        assert manager.store.head == before
        (one,) = manager.state.unreadable
        assert one.id == id and one.why and one.text
    with managed(tmp_path) as manager:
        can_be_repaired = one.kind in [*Kind] and "no zone" not in way
        fields = {key: value for key, value in good[called].items() if key != "serial"} if can_be_repaired else None
        done = asyncio.run(manager.mend("ann", id, fields))
        assert done.revision == before + 1 and not manager.state.unreadable
        manager.load(Settings())
    with managed(tmp_path) as manager:
        manager.load(Settings())
        assert manager.state.revision == before + 1 and not manager.state.unreadable


def test_the_api_shows_what_cannot_be_read_and_says_so_wherever_it_is_missing(tmp_path: Path) -> None:
    ids = filled(tmp_path)
    body("pool", "{")(tmp_path, ids)
    with managed(tmp_path) as manager:
        shown, listed, gone, no_body = asked(
            manager,
            ("GET", "/lbdns/v1/store", None),
            ("GET", "/client/v4/zones", None),
            ("DELETE", "/lbdns/v1/store/unreadable/nothing", None),
            ("PUT", f"/lbdns/v1/store/unreadable/{ids['pool']}", [1]),
        )
        (one,) = shown.json()["result"]["unreadable"]
        assert (one["id"], one["kind"], one["text"]) == (ids["pool"], "pool", "{")
        assert any(ids["pool"] in message["message"] for message in listed.json()["messages"])
        assert gone.status_code == 404 and no_body.status_code == 400


def test_deleting_what_others_use_leaves_them_to_be_mended(tmp_path: Path) -> None:
    ids = filled(tmp_path)
    body("pool", "{")(tmp_path, ids)
    with managed(tmp_path) as manager:
        with pytest.raises(ConfigError):
            manager.load(Settings())
        (deleted,) = asked(manager, ("DELETE", f"/lbdns/v1/store/unreadable/{ids['pool']}", None))
        assert deleted.json()["result"]["left"] == 0
        assert any("not served yet" in message["message"] for message in deleted.json()["messages"])
        assert manager.mistakes
        with pytest.raises(ConfigError):  # who leaves the mistakes there is told of them
            asyncio.run(
                manager.change("ann", "", lambda edit: edit.patch(Kind.ZONE, ids["example.net"], {"paused": True}))
            )
        pools = {"default_pools": [ids["unused"]], "fallback_pool": ids["unused"]}
        asyncio.run(manager.change("ann", "", lambda edit: edit.patch(Kind.LOAD_BALANCER, ids["balancer"], pools)))
        assert not manager.mistakes
        manager.load(Settings())


def test_several_are_mended_one_after_another(tmp_path: Path) -> None:
    ids = filled(tmp_path)
    good = body_of(tmp_path, ids["pool"])
    body("pool", "{")(tmp_path, ids)
    body("www.example.com", "{")(tmp_path, ids)
    with managed(tmp_path) as manager:
        with pytest.raises(ConfigError) as refused:
            manager.load(Settings())
        assert len(refused.value.problems) == 2
        first, wrong, second = asked(
            manager,
            ("DELETE", f"/lbdns/v1/store/unreadable/{ids['www.example.com']}", None),
            ("PUT", f"/lbdns/v1/store/unreadable/{ids['pool']}", {**good, "colour": "red"}),
            ("PUT", f"/lbdns/v1/store/unreadable/{ids['pool']}", good),
        )
        assert first.json()["result"]["left"] == 1
        assert wrong.status_code == 400 and "colour" in wrong.text
        assert second.json()["result"]["left"] == 0
        manager.load(Settings())


@pytest.mark.parametrize(
    ("way", "unready"),
    [
        ("broken JSON", {"example.com"}),
        ("a monitor's type", {"example.com"}),
        ("a record's content", {"example.com"}),
        ("a zone's SOA", {"example.com"}),
        ("a balancer", {"example.com"}),
        ("an unknown kind", set()),
    ],
)
def test_where_nothing_was_ever_served_the_zones_that_it_has_nothing_to_do_with_are(
    tmp_path: Path, way: str, unready: set[str]
) -> None:
    ids = filled(tmp_path)
    id = WAYS[way][0](tmp_path, ids)
    with managed(tmp_path) as manager:
        loaded = manager.load(Settings(), tolerates=lambda *_: True)
        apexes = {encode_canonical(name) for name in unready}
        assert {one.zone.apex for one in loaded.configuration.unready} == apexes
        served = {encode_canonical(name) for name in ("example.com", "example.net")} - apexes
        assert {zone.apex for zone in loaded.configuration.zones} == served
        assert any(id in str(warning) for warning in loaded.warnings)
        with pytest.raises(ConfigError):
            manager.load(Settings(), tolerates=lambda apex, _: apex == encode_canonical("example.net"))


@pytest.mark.process
def test_what_was_served_last_is_served_while_an_object_cannot_be_read(starts_processes: None, tmp_path: Path) -> None:
    with stopped_server(tmp_path) as server:
        with contextlib.closing(sqlite3.connect(server.state_dir / STORE_FILE)) as connection, connection:
            (id, good), *_ = connection.execute("SELECT id, body FROM objects WHERE kind = 'pool'")
            connection.execute("UPDATE objects SET body = ? WHERE id = ?", (good[:-2], id))
        server.start()
        server.wait_for_api()
        assert server.addresses(NAME) == ["192.0.2.1", "192.0.2.2"]
        assert "Traceback" not in server.log and server.log.count(f'pool "main" ({id})') <= 2
        assert id in row(server, "configuration")["problems"][0]
        state = ["--state", str(server.state_dir)]
        checked = lbdns("store", "check", *state)
        assert checked.returncode == 1 and id in checked.stderr and "its body is no JSON" in checked.stderr
        assert lbdns("store", "show", id, *state).stdout == good[:-2] + "\n"
        with server.local as client:
            refused = client.post("/client/v4/zones", json={"name": "example.net"})
            assert refused.status_code == 503 and id in refused.json()["errors"][0]["message"]
            account = client.get("/client/v4/accounts").json()["result"][0]["id"]
            lost = client.get(f"/client/v4/accounts/{account}/load_balancers/pools/{id}")
            assert lost.status_code == 503 and "cannot be read" in lost.json()["errors"][0]["message"]
        (tmp_path / "pool.json").write_text(good.replace("192.0.2.2", "192.0.2.8"))
        mended = lbdns("store", "repair", id, str(tmp_path / "pool.json"), *state)
        assert mended.returncode == 0, mended.stderr
        eventually(lambda: server.addresses(NAME) == ["192.0.2.1", "192.0.2.8"])
        eventually(lambda: server.status()["standing"]["state"] == "good", 10)
        good_now = lbdns("store", "check", *state)
        assert good_now.returncode == 0 and "no problems" in good_now.stdout
