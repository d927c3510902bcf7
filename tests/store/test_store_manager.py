"""Changes through the manager: every mistake at once, references by id, nothing stored that is not served."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError, LbdnsError
from lbdns.base.kinds import Kind
from lbdns.config.examined import Loaded
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import NotFound, NotUnique, Outdated, Referenced, StoreError
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.model.targets_document import decode_document
from lbdns.publish.monitor_targets import TargetsMemo
from lbdns.publish.publisher import Published
from lbdns.snapshot.slots import Slots
from tests.whole_targets import encode_targets

WAIT_S = 20.0
SOA = {"mname": "ns1.example.com", "rname": "hostmaster.example.com"}


class Server:
    """Stands for the running server: keeps what it is told to serve, or refuses."""

    def __init__(self) -> None:
        self.served: list[Configuration] = []
        self.refusal = ""

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        if self.refusal:
            raise LbdnsError(self.refusal)
        commit()
        self.served.append(loaded.configuration)

    async def reload(self, cause: str) -> str:
        raise LbdnsError("not here")

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        raise LbdnsError("not here")

    def in_force(self) -> Published:
        raise LbdnsError("not here")


class Desk:
    """A manager with a server beside it, for tests to write to."""

    def __init__(self, store: Store) -> None:
        self.manager = StoreManager(store, Settings())
        self.server = self.manager.running = Server()

    def do(self, make: Callable[[Edit], Any], **options: Any) -> Done[Any]:
        return asyncio.run(self.manager.change("ann", "test", make, **options))

    def create(self, kind: Kind, body: Mapping[str, Any], zone_id: str = "") -> Item:
        item: Item = self.do(lambda edit: edit.create(kind, body, zone_id)).result
        return item

    def zone(self) -> Item:
        def make(edit: Edit) -> Item:
            zone = edit.create(Kind.ZONE, {"name": "example.com", "soa": SOA})
            edit.create(Kind.RECORD, {"name": "@", "type": "NS", "content": "ns1.example.com"}, zone.id)
            edit.create(Kind.RECORD, {"name": "ns1", "type": "A", "content": "192.0.2.53"}, zone.id)
            return zone

        zone: Item = self.do(make).result
        return zone

    @property
    def configuration(self) -> Configuration:
        return self.server.served[-1]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path)
    yield Desk(store)
    store.close()


def pool(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "origins": [{"name": "e", "address": "192.0.2.1"}], **more}


def test_objects_refer_by_id_and_are_served_by_name(desk: Desk) -> None:
    zone = desk.zone()
    monitor = desk.create(Kind.MONITOR, {"type": "tcp", "port": 80, "description": "web servers, tcp", "retries": 2})
    assert monitor.name.startswith("web-servers-tcp-") and "retries" not in monitor.body  # 2 is the default
    group = desk.create(Kind.MONITOR_GROUP, {"name": "all", "members": [{"monitor_id": monitor.id, "enabled": True}]})
    assert group.body["members"] == [{"monitor_id": monitor.id}]
    eu = desk.create(Kind.POOL, pool("eu", monitor_group=group.id))
    us = desk.create(Kind.POOL, pool("us", monitor=monitor.id, description=None))
    made = desk.create(
        Kind.LOAD_BALANCER,
        {
            "name": "WWW.example.com",
            "default_pools": [eu.id, us.id],
            "fallback_pool": us.id,
            "country_pools": {"de": [eu.id]},
            "steering_policy": "random",
            "random_steering": {"pool_weights": {us.id: 0.5}},
        },
        zone.id,
    )
    assert made.name == "www.example.com" and made.body["country_pools"] == {"DE": [eu.id]}
    (served,) = desk.configuration.load_balancers
    assert served.default_pools == ("eu", "us") and served.random_steering.pool_weights == {"us": 0.5}
    assert desk.configuration.pools["us"].monitor == monitor.name
    # A new name is a new name everywhere, and the ids stay.
    desk.do(lambda edit: edit.patch(Kind.POOL, eu.id, {"name": "europe"}))
    assert desk.configuration.load_balancers[0].default_pools == ("europe", "us")
    assert desk.manager.state.get(Kind.LOAD_BALANCER, made.id) == made


def test_every_mistake_is_told_at_once_and_nothing_is_stored(desk: Desk) -> None:
    zone = desk.zone()
    before = desk.manager.state
    body = {
        "name": "www.example.com",
        "default_pools": ["f" * 32],
        "fallback_pool": "e" * 32,
        "ttl": -1,
        "steering_polcy": "geo",
    }
    with pytest.raises(ConfigError) as refused:
        desk.create(Kind.LOAD_BALANCER, body, zone.id)
    places = {problem.at[2:]: problem.message for problem in refused.value.problems}
    assert set(places) == {("default_pools", 0), ("fallback_pool",), ("ttl",), ("steering_polcy",)}
    assert 'did you mean "steering_policy"?' in places[("steering_polcy",)]
    assert desk.manager.state is before and desk.manager.store.head == before.revision == len(desk.server.served)


def test_a_load_balancer_in_no_zone_is_kept_and_checked_but_not_served(desk: Desk) -> None:
    eu = desk.create(Kind.POOL, pool("eu"))
    body = {"name": "www.example.com", "default_pools": [eu.id], "fallback_pool": eu.id}
    with pytest.raises(ConfigError, match="unknown pool"):
        desk.create(Kind.LOAD_BALANCER, {**body, "fallback_pool": "0" * 32})
    made = desk.create(Kind.LOAD_BALANCER, body)
    assert made.zone_id == "" and not desk.configuration.load_balancers
    desk.zone()  # now somebody asks for it
    assert [one.name for one in desk.configuration.load_balancers] == ["www.example.com"]


def test_put_resets_what_it_does_not_name_and_patch_keeps_it(desk: Desk) -> None:
    one = desk.create(Kind.POOL, pool("eu", description="old", minimum_origins=2))
    patched = desk.do(lambda edit: edit.patch(Kind.POOL, one.id, {"description": None, "enabled": False}))
    assert patched.result.body == {
        "name": "eu",
        "origins": [{"name": "e", "address": "192.0.2.1"}],
        "enabled": False,
        "minimum_origins": 2,
    }
    put = desk.do(lambda edit: edit.replace(Kind.POOL, one.id, pool("eu")))
    assert put.result.body == pool("eu") and put.result.created_on == one.created_on
    assert put.result.modified_on > one.modified_on and put.revision == put.result.revision == 3
    again = desk.do(lambda edit: edit.replace(Kind.POOL, one.id, pool("eu", enabled=True)))
    assert (again.revision, again.changes) == (3, ()) and len(desk.server.served) == 3


def test_a_name_is_taken_once_but_may_be_swapped(desk: Desk) -> None:
    a, b = desk.create(Kind.POOL, pool("a")), desk.create(Kind.POOL, pool("b"))
    with pytest.raises(NotUnique, match='a pool "a" already'):
        desk.create(Kind.POOL, pool("a"))
    with pytest.raises(NotUnique):
        desk.do(lambda edit: edit.patch(Kind.POOL, b.id, {"name": "a"}))

    def swap(edit: Edit) -> None:
        edit.patch(Kind.POOL, a.id, {"name": "b"})
        edit.patch(Kind.POOL, b.id, {"name": "a"})

    desk.do(swap)
    named = desk.manager.state.named(Kind.POOL, "a")
    assert named is not None and named.id == b.id


def test_what_others_use_is_not_deleted_unless_they_go_as_well(desk: Desk) -> None:
    zone = desk.zone()
    eu = desk.create(Kind.POOL, pool("eu"))
    body = {"name": "www.example.com", "default_pools": [eu.id], "fallback_pool": eu.id}
    www = desk.create(Kind.LOAD_BALANCER, body, zone.id)
    with pytest.raises(Referenced, match=r'"eu" is used by load balancer "www\.example\.com"'):
        desk.do(lambda edit: edit.delete(Kind.POOL, eu.id))

    def both(edit: Edit) -> None:
        edit.delete(Kind.POOL, eu.id)
        edit.delete(Kind.LOAD_BALANCER, www.id)

    assert len(desk.do(both).changes) == 2
    with pytest.raises(NotFound):
        desk.do(lambda edit: edit.delete(Kind.POOL, eu.id))


def test_a_zone_goes_with_what_is_in_it(desk: Desk) -> None:
    zone = desk.zone()
    eu = desk.create(Kind.POOL, pool("eu"))
    body = {"name": "www.example.com", "default_pools": [eu.id], "fallback_pool": eu.id}
    desk.create(Kind.LOAD_BALANCER, body, zone.id)
    done = desk.do(lambda edit: edit.delete(Kind.ZONE, zone.id))
    assert sorted(change.item.kind for change in done.changes) == ["load_balancer", "record", "record", "zone"]
    assert [item.kind for item in desk.manager.state] == [Kind.POOL] and desk.configuration.zones == ()


def test_the_serial_rises_with_each_change_of_the_zone_and_only_then(desk: Desk) -> None:
    zone = desk.zone()

    def serial() -> int:
        item = desk.manager.state.get(Kind.ZONE, zone.id)
        assert item is not None
        return int(item.body["serial"])

    first = serial()
    record = desk.create(Kind.RECORD, {"name": "www", "type": "A", "content": "192.0.2.80"}, zone.id)
    second = serial()
    desk.create(Kind.POOL, pool("eu"))
    assert second > first and serial() == second
    desk.do(lambda edit: edit.delete(Kind.RECORD, record.id))
    assert serial() > second


def test_what_the_server_refuses_is_not_stored(desk: Desk) -> None:
    desk.server.refusal = "a canary died"
    with pytest.raises(StoreError, match="canary"):
        desk.create(Kind.POOL, pool("eu"))
    assert list(desk.manager.state) == [] and desk.manager.store.head == 0


def test_a_dry_run_changes_nothing_and_shows_the_difference(desk: Desk) -> None:
    done = desk.do(lambda edit: edit.create(Kind.POOL, pool("eu")), dry_run=True)
    assert [change.item.name for change in done.changes] == ["eu"] and done.revision == 0
    assert list(desk.manager.state) == [] and desk.server.served == []


def test_refused_changes_are_counted_whoever_refuses_them(desk: Desk) -> None:
    def fail(edit: Edit) -> None:
        edit.create(Kind.POOL, {"name": ""})

    for count in (1, 2):
        with pytest.raises(ConfigError):
            desk.do(fail)
        with pytest.raises(ConfigError):
            desk.do(fail, dry_run=True)  # tried, and nobody's change
        assert desk.manager.refused == count
    desk.server.refusal = "a canary differs"
    with pytest.raises(LbdnsError):
        desk.do(lambda edit: edit.create(Kind.MONITOR, {"name": "m", "type": "tcp", "port": 80}))
    assert desk.manager.refused == 3


def test_who_builds_on_an_old_revision_is_told(desk: Desk) -> None:
    eu = desk.create(Kind.POOL, pool("eu"))
    desk.do(lambda edit: edit.patch(Kind.POOL, eu.id, {"enabled": False}))

    def edit_old(edit: Edit) -> None:
        edit.expect(Kind.POOL, eu.id, eu.revision)
        edit.delete(Kind.POOL, eu.id)

    with pytest.raises(Outdated, match='the pool "eu" changed in revision 2, after revision 1'):
        desk.do(edit_old)
    with pytest.raises(Outdated):
        desk.do(lambda edit: edit.create(Kind.POOL, pool("us")), based_on=1)


def test_what_somebody_else_stored_before_the_store_was_ours_is_read(desk: Desk) -> None:
    other = StoreManager(desk.manager.store, Settings())
    desk.create(Kind.POOL, pool("eu"))
    assert not other.is_current
    assert list(other.load(Settings()).configuration.pools) == ["eu"] and other.is_current
    asyncio.run(other.change("ann", "", lambda edit: edit.create(Kind.POOL, pool("us"))))
    assert [item.name for item in other.state.all(Kind.POOL).values()] == ["eu", "us"]


def test_writers_at_once_all_get_through(desk: Desk) -> None:
    def maker(name: str) -> Callable[[Edit], Item]:
        return lambda edit: edit.create(Kind.POOL, pool(name))

    async def many() -> None:
        await asyncio.gather(*(desk.manager.change("w", "", maker(f"p{number}")) for number in range(20)))

    asyncio.run(many())
    assert len(desk.manager.state.all(Kind.POOL)) == len(desk.manager.store.load().all(Kind.POOL)) == 20
    assert desk.manager.store.head == len(desk.server.served) == 20


def test_what_is_stored_while_the_store_is_read_is_not_taken_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a fleet's revision comes while the server is told to load."""
    store, other = desk.manager.store, Desk(desk.manager.store)
    other.create(Kind.POOL, pool("before"))
    read = store.load

    def load() -> State:
        found = read()
        monkeypatch.undo()
        other.create(Kind.POOL, pool("meanwhile"))
        desk.manager._state = other.manager.state
        return found

    monkeypatch.setattr(store, "load", load)
    desk.manager.load(Settings())
    assert [item.name for item in desk.manager.state.all(Kind.POOL).values()] == ["before", "meanwhile"]


def test_a_change_under_way_is_finished_though_nobody_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Event(), threading.Event()

    async def change(loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        begun.set()
        await asyncio.to_thread(may_end.wait, WAIT_S)
        await asyncio.to_thread(commit)
        desk.server.served.append(loaded.configuration)

    def asked(name: str) -> asyncio.Task[Done[Item]]:
        return asyncio.create_task(desk.manager.change("w", "", lambda edit: edit.create(Kind.POOL, pool(name))))

    async def go() -> None:
        gone = asked("first")
        assert await asyncio.to_thread(begun.wait, WAIT_S)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert desk.manager.writing.locked()
        next_one = asked("second")
        may_end.set()
        await next_one

    monkeypatch.setattr(desk.server, "change", change)
    asyncio.run(go())
    assert [item.name for item in desk.manager.state.all(Kind.POOL).values()] == ["first", "second"]
    assert desk.manager.store.head == len(desk.server.served) == 2


def test_what_is_served_knows_the_ids_that_the_api_says(tmp_path: Path) -> None:
    settings = Settings.model_validate({"state": tmp_path / "state"})
    with contextlib.closing(Store(settings.state_dir())) as store:
        manager = StoreManager(store, settings)
        body = {"name": "eu", "origins": [{"name": "e", "address": "192.0.2.1"}]}
        made = asyncio.run(manager.change("test", "test", lambda edit: edit.create(Kind.POOL, body))).result
        configuration = manager.load(settings).configuration
        assert (configuration.pool_ids, configuration.account_id) == ({"eu": made.id}, store.account_id)
        targets = encode_targets(configuration, Slots().assign(configuration), 1, tmp_path / "t", TargetsMemo())
        assert decode_document(targets).account_id == store.account_id


def test_what_did_not_change_is_the_very_same_in_the_next_configuration(desk: Desk) -> None:
    """Whoever follows need not look into it. A pool without an enabled endpoint is warned of each time."""
    zone = desk.zone()
    pools = [desk.create(Kind.POOL, pool(name)) for name in ("eu", "us")]
    off = desk.create(Kind.POOL, {"name": "off", "origins": [{"name": "e", "address": "192.0.2.9", "enabled": False}]})
    body = {"default_pools": [pools[0].id], "fallback_pool": off.id}
    made = [desk.create(Kind.LOAD_BALANCER, {"name": f"{n}.example.com", **body}, zone.id) for n in ("a", "b")]
    first = desk.configuration
    told = desk.do(lambda edit: edit.patch(Kind.LOAD_BALANCER, made[1].id, {"ttl": 77})).warnings
    second = desk.configuration
    assert second.load_balancers[1].ttl == 77
    assert all(getattr(first, name) is getattr(second, name) for name in ("pools", "pool_ids", "monitors", "routes"))
    assert first.load_balancers[0] is second.load_balancers[0]
    again = desk.do(lambda edit: edit.patch(Kind.POOL, pools[1].id, {"description": "x"})).warnings
    third = desk.configuration
    assert third.load_balancers is second.load_balancers
    assert (third.pools["eu"], third.pool_ids) == (second.pools["eu"], second.pool_ids)
    assert third.pools["us"] is not second.pools["us"]
    assert told and [str(one) for one in again] == [str(one) for one in told]
    desk.do(lambda edit: edit.delete(Kind.LOAD_BALANCER, made[0].id))
    assert [one.name for one in desk.configuration.load_balancers] == ["b.example.com"]
