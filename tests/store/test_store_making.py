"""Who made a stored object: nothing that a token had a hand in probes this machine's loopback."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import BALANCING, Kind
from lbdns.base.words import STORE_FILE
from lbdns.config.loading import parse
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item
from lbdns.manage.store.making import has_foreign_part, pools_by_tokens
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.revisions.from_files import apply
from lbdns.manage.store.revisions.restore import restore
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.manage.store.zones.zone_bodies import new_zone_records
from lbdns.model.settings import Settings

ORIGINS = [{"name": "a", "address": "127.0.0.1"}]
POOLS_YAML: dict[str, Any] = {
    "monitors": {"m": {"type": "http"}},
    "pools": {"p": {"monitor": "m", "origins": ORIGINS}},
}


def by_tokens(state: State) -> frozenset[str]:
    """The pools that a token had a hand in."""
    zones = state.all(Kind.ZONE).items()
    are_local = all(item.is_local for kind in BALANCING for item in state.all(kind).values())
    return pools_by_tokens(state, are_local, any(has_foreign_part(zone, state.records(id)) for id, zone in zones))


class Making:
    """A store that operators and tokens change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = Store(directory)
        self.manager = StoreManager(self.store, Settings())

    def by(self, who: str, make: Callable[[Edit], Any]) -> Any:
        """Change the store as an operator (`local user`) or with a token."""
        is_local = who.startswith("local user")
        return asyncio.run(self.manager.change(who, "", make, is_local=is_local)).result

    def operator(self, make: Callable[[Edit], Any]) -> Any:
        return self.by("local user root", make)

    def token(self, make: Callable[[Edit], Any]) -> Any:
        return self.by("token t", make)

    def make_all(self) -> dict[Kind, Item]:
        """Make a monitor, a group of it, and a pool with it, as an operator."""

        def make(edit: Edit) -> dict[Kind, Item]:
            monitor = edit.create(Kind.MONITOR, {"name": "m", "type": "http"})
            member = {"monitor_id": monitor.id}
            group = edit.create(Kind.MONITOR_GROUP, {"name": "g", "description": "g", "members": [member]})
            pool = edit.create(Kind.POOL, {"name": "p", "monitor_group": group.id, "origins": ORIGINS})
            return {one.kind: one for one in (monitor, group, pool)}

        made: dict[Kind, Item] = self.operator(make)
        return made

    def is_operators(self) -> bool:
        """Whether the pool is the operator's with all that probes it: as it is held, and as it is read from disk."""
        told = [by_tokens(state) for state in (self.manager.state, self.store.load())]
        assert told[0] == told[1]
        loaded = self.manager.load(Settings())
        assert loaded.configuration.pools_by_tokens == told[0]
        return not told[0]


@pytest.fixture
def making(tmp_path: Path) -> Iterator[Making]:
    made = Making(tmp_path)
    yield made
    made.store.close()


def test_what_an_operator_makes_is_theirs_and_what_a_token_makes_is_not(making: Making) -> None:
    making.make_all()
    assert making.is_operators()
    making.token(lambda edit: edit.create(Kind.POOL, {"name": "q", "origins": ORIGINS}))
    assert by_tokens(making.manager.state) == {"q"}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.POOL, {"description": "x"}),
        (Kind.POOL, {"origins": [{"name": "a", "address": "127.0.0.2"}]}),
        (Kind.MONITOR, {"port": 6379}),
        (Kind.MONITOR_GROUP, {"description": "x"}),
    ],
)
def test_a_tokens_change_of_any_part_makes_the_pool_a_tokens(
    making: Making, kind: Kind, fields: dict[str, Any]
) -> None:
    made = making.make_all()
    making.token(lambda edit: edit.patch(kind, made[kind].id, fields))
    assert not making.is_operators()


def test_a_change_that_changes_nothing_changes_no_maker(making: Making) -> None:
    pool = making.make_all()[Kind.POOL]
    making.token(lambda edit: edit.replace(Kind.POOL, pool.id, pool.body))
    making.token(lambda edit: edit.patch(Kind.POOL, pool.id, {"name": "p"}))
    assert making.is_operators()


def test_an_operator_makes_a_tokens_object_theirs_by_saying_where_probes_go(making: Making) -> None:
    made = making.make_all()
    pool = made[Kind.POOL].id
    making.token(lambda edit: edit.patch(Kind.POOL, pool, {"origins": [{"name": "a", "address": "127.0.0.9"}]}))
    making.operator(lambda edit: edit.patch(Kind.POOL, pool, {"description": "looked at nothing else"}))
    assert not making.is_operators()
    before = making.manager.state.revision
    making.operator(lambda edit: edit.patch(Kind.POOL, pool, {"origins": edit.get(Kind.POOL, pool).body["origins"]}))
    assert making.is_operators() and making.manager.state.revision == before + 1
    making.token(lambda edit: edit.patch(Kind.POOL, pool, {"description": "again"}))
    making.operator(lambda edit: edit.replace(Kind.POOL, pool, edit.get(Kind.POOL, pool).body))
    assert making.is_operators()


def test_a_delete_and_a_create_in_one_change_hide_nobody(making: Making) -> None:
    pool = making.make_all()[Kind.POOL]

    def again(edit: Edit) -> None:
        edit.delete(Kind.POOL, pool.id)
        edit.create(Kind.POOL, {**pool.body, "origins": [{"name": "a", "address": "127.0.0.7"}]}, "", pool.id)

    making.token(again)
    assert not making.is_operators()


def test_an_earlier_revision_comes_back_with_whose_it_was(making: Making) -> None:
    pool = making.make_all()[Kind.POOL].id
    operators = making.manager.state.revision
    making.token(lambda edit: edit.patch(Kind.POOL, pool, {"description": "a token's"}))
    tokens = making.manager.state.revision
    making.operator(lambda edit: restore(edit, making.store.state_at(operators)))
    assert making.is_operators()
    making.operator(lambda edit: restore(edit, making.store.state_at(tokens)))
    assert not making.is_operators()
    making.token(lambda edit: restore(edit, making.store.state_at(operators)))
    assert not making.is_operators(), "who holds a token brings back nothing as the operator's"


def test_files_are_whose_who_applies_them(making: Making, tmp_path: Path) -> None:
    wanted = wanted_of(parse(POOLS_YAML, tmp_path).configuration)
    making.token(lambda edit: apply(edit, wanted))
    assert not making.is_operators()
    making.operator(
        lambda edit: [edit.delete(kind, id) for kind in (Kind.POOL, Kind.MONITOR) for id in edit.state.all(kind)]
    )
    making.operator(lambda edit: apply(edit, wanted))
    assert making.is_operators()
    other_port = {**POOLS_YAML, "monitors": {"m": {"type": "http", "port": 81}}}
    changed = wanted_of(parse(other_port, tmp_path).configuration)
    making.token(lambda edit: apply(edit, changed))
    assert not making.is_operators()


@pytest.mark.parametrize("address", ["app.example.com", "elsewhere.example.net"])
def test_who_says_where_a_hostname_leads_had_a_hand_in_it(making: Making, address: str) -> None:
    def make(edit: Edit) -> str:
        soa, records = new_zone_records("example.com", Settings())
        zone = edit.create(Kind.ZONE, {"name": "example.com", "soa": soa})
        for record in records:
            edit.create(Kind.RECORD, record, zone.id)
        monitor = edit.create(Kind.MONITOR, {"name": "m", "type": "http"})
        origins = [{"name": "a", "address": address}]
        edit.create(Kind.POOL, {"name": "p", "monitor": monitor.id, "origins": origins})
        return zone.id

    zone = making.operator(make)
    assert making.is_operators()
    body = {"name": "app.example.com", "type": "A", "content": "127.0.0.1", "ttl": 60}
    making.token(lambda edit: edit.create(Kind.RECORD, body, zone))
    assert making.is_operators() == (address == "elsewhere.example.net")


def test_a_store_of_an_earlier_release_tells_by_its_revisions(making: Making) -> None:
    making.make_all()
    making.token(lambda edit: edit.create(Kind.POOL, {"name": "q", "origins": ORIGINS}))
    making.store.close()
    connection = sqlite3.connect(making.directory / STORE_FILE)
    connection.execute("ALTER TABLE objects DROP COLUMN is_local")
    connection.execute("UPDATE changes SET after = json_remove(after, '$[7]'), before = json_remove(before, '$[7]')")
    connection.commit()
    connection.close()
    again = Store(making.directory)
    try:
        assert by_tokens(again.load()) == {"q"}
        assert by_tokens(again.state_at(0)) == frozenset()
        assert [one.after is not None and one.after.is_local for one in again.revision(1).changes] == [False] * 3
    finally:
        again.close()


def test_a_hand_in_the_way_is_one_in_the_pool(making: Making) -> None:
    """In the network that an endpoint names, in a route that holds its address, or in the default network."""

    def make(edit: Edit) -> dict[str, Item]:
        edit.create(Kind.MONITOR, {"name": "m", "type": "http"})
        network = edit.create(Kind.VIRTUAL_NETWORK, {"name": "n", "via": {"proxy": "http://127.0.0.1:3128"}})
        default = edit.create(Kind.VIRTUAL_NETWORK, {"name": "d", "is_default_network": True})
        route = edit.create(Kind.ROUTE, {"network": "192.0.2.0/24", "virtual_network_id": network.id})
        for name, address in (("p", "192.0.2.1"), ("q", "10.0.0.1"), ("r", "198.51.100.1")):
            origin = {"name": "e", "address": address, "virtual_network_id": network.id if name == "r" else None}
            edit.create(Kind.POOL, {"name": name, "monitor": "m", "origins": [origin]})
        edit.create(Kind.POOL, {"name": "far", "monitor": "m", "origins": [{"name": "e", "address": "198.51.100.1"}]})
        return {"network": network, "default": default, "route": route}

    made: dict[str, Item] = making.operator(make)
    assert by_tokens(making.manager.state) == frozenset()
    other = {"network": "203.0.113.0/24", "virtual_network_id": made["default"].id}
    route = making.operator(lambda edit: edit.create(Kind.ROUTE, other))
    making.token(lambda edit: edit.patch(Kind.ROUTE, route.id, {"comment": "x"}))
    assert by_tokens(making.manager.state) == {"p", "q"}
    making.operator(lambda edit: edit.delete(Kind.ROUTE, route.id))
    assert by_tokens(making.manager.state) == frozenset()
    making.token(lambda edit: edit.patch(Kind.VIRTUAL_NETWORK, made["default"].id, {"via": {"device": "wg0"}}))
    assert by_tokens(making.manager.state) == {"p", "q"}
    making.operator(lambda edit: edit.patch(Kind.VIRTUAL_NETWORK, made["default"].id, {"via": None}))
    assert by_tokens(making.manager.state) == frozenset()


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:3128", "127.0.0.1 is the loopback of this machine"),
        ("socks5://[::1]:1080", "::1 is the loopback of this machine"),
        ("http://169.254.169.254:80", "169.254.169.254 is not in a network that may be probed"),
        ("http://localhost:3128", "localhost is a name, and may lead to this machine"),
    ],
)
def test_no_token_has_a_proxy_where_it_may_not_go(making: Making, proxy: str, said: str) -> None:
    body = {"name": "n", "via": {"proxy": proxy}}
    with pytest.raises(ConfigError) as refused:
        making.token(lambda edit: edit.create(Kind.VIRTUAL_NETWORK, body))
    (problem,) = refused.value.problems
    assert said in problem.message and problem.at == ("virtual_networks", "n", "via", "proxy")
    network: Item = making.operator(lambda edit: edit.create(Kind.VIRTUAL_NETWORK, body))
    with pytest.raises(ConfigError):
        making.token(lambda edit: edit.patch(Kind.VIRTUAL_NETWORK, network.id, {"comment": "mine now"}))
    there = {"via": {"proxy": "http://192.0.2.9:3128"}}
    making.token(lambda edit: edit.patch(Kind.VIRTUAL_NETWORK, network.id, there))
