"""Views in the store: what an older release stored is read, and an object that cannot be read costs its view alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.base.words import STORE_FILE
from lbdns.config.loading import parse
from lbdns.manage.store import versions
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.revisions import from_files as files
from lbdns.manage.store.revisions.restore import restore
from lbdns.manage.store.revisions.to_files import export, tree_of
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.sqlite import Store
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings

SETTINGS = Settings.model_validate(
    {"views": {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["10.9.0.0/16"]}}}
)
ZONE = """$TTL 300
@ SOA ns1 hostmaster 7 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
"""
POOL = {"origins": [{"name": "a", "address": "192.0.2.1"}]}


def balancer(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": ["eu"], "fallback_pool": "eu", **fields}


TREE: dict[str, Any] = {
    "settings": {"views": {"office": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["10.9.0.0/16"]}}},
    "pools": {"eu": POOL},
    "load_balancers": [balancer("a.example.com"), balancer("a.example.com", view="lab"), balancer("a.corp.example")],
    "zones": {
        "example.com": ZONE,
        "example.com@office": "www 60 A 10.0.0.1\n",
        "example.com@public": "www 60 CNAME ns1\n",
        "corp.example@office": ZONE,
        "corp.example@lab": ZONE,
    },
}


def seen(configuration: Configuration) -> Any:
    """Return what of a configuration the store is to give back, in an order of its own."""
    zones = (*configuration.zones, *configuration.overlays)
    rrsets = {
        (zone.apex, zone.view): {(one.owner, one.type, one.ttl, one.rdatas) for one in zone.rrsets if one.type != 6}
        for zone in zones
    }
    return rrsets, {(one.label, one.type) for one in configuration.load_balancers}


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with contextlib.closing(Store(tmp_path)) as made:
        yield made


def change(manager: StoreManager, make: Any) -> Any:
    return asyncio.run(manager.change("ann", "test", make)).result


def test_files_go_in_and_come_out_as_they_were(store: Store) -> None:
    manager = StoreManager(store, SETTINGS)
    given = parse(TREE, Path()).configuration
    change(manager, lambda edit: files.apply(edit, wanted_of(given)))
    assert seen(manager.load(SETTINGS).configuration) == seen(given)
    assert {*tree_of(manager.state)["zones"]} == {*TREE["zones"]}
    assert {"example.com@office.zone", "corp.example@lab.zone"} <= {*export(manager.state).files}
    again = parse({**tree_of(manager.state), "settings": TREE["settings"]}, Path()).configuration
    assert seen(again) == seen(given)
    ids = {item.id for item in manager.state}
    change(manager, lambda edit: files.apply(edit, wanted_of(again), prune=True))
    assert {item.id for item in manager.state} == ids and manager.state.revision == 1


def test_a_zone_without_views_makes_the_ids_that_it_made_before() -> None:
    plain = {**TREE, "load_balancers": TREE["load_balancers"][:1], "zones": {"example.com": ZONE}}
    with_views = files.state_of(parse(TREE, Path()).configuration, 1)
    without = files.state_of(parse(plain, Path()).configuration, 1)
    assert {item.id for item in without} < {item.id for item in with_views}


def test_an_earlier_revision_is_read_and_comes_back(store: Store) -> None:
    manager = StoreManager(store, SETTINGS)
    change(manager, lambda edit: files.apply(edit, wanted_of(parse(TREE, Path()).configuration)))
    before = seen(manager.load(SETTINGS).configuration)
    fewer = {**TREE, "load_balancers": TREE["load_balancers"][:1], "zones": {"example.com": ZONE}}
    change(manager, lambda edit: files.apply(edit, wanted_of(parse(fewer, Path()).configuration), prune=True))
    assert {zone.view for zone in manager.load(SETTINGS).configuration.zones} == {""}
    change(manager, lambda edit: restore(edit, store.state_at(1)))
    assert seen(manager.load(SETTINGS).configuration) == before


def test_a_store_of_an_earlier_release_is_read_and_kept_beside(tmp_path: Path) -> None:
    with contextlib.closing(Store(tmp_path)) as made:
        manager = StoreManager(made, Settings())
        plain = {"pools": TREE["pools"], "zones": {"example.com": ZONE}}
        change(manager, lambda edit: files.apply(edit, wanted_of(parse(plain, Path()).configuration)))
    with contextlib.closing(sqlite3.connect(tmp_path / STORE_FILE)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with contextlib.closing(Store(tmp_path)) as opened:
        state = StoreManager(opened, SETTINGS).state
        assert [zone.label for zone in state.all(Kind.ZONE).values()] == ["example.com"]
    with contextlib.closing(sqlite3.connect(tmp_path / STORE_FILE)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == versions.VERSION == 4
    assert len(versions.copies(tmp_path / STORE_FILE)) == 1


def test_a_view_that_settings_no_longer_have_is_refused_with_its_objects(store: Store) -> None:
    manager = StoreManager(store, SETTINGS)
    change(manager, lambda edit: files.apply(edit, wanted_of(parse(TREE, Path()).configuration)))
    with pytest.raises(ConfigError) as refused:
        manager.load(Settings.model_validate({"views": {"office": {"networks": ["10.0.0.0/8"]}}}))
    told = [str(problem) for problem in refused.value.problems]
    assert told and all('"lab"' in one for one in told)


def test_an_unreadable_zone_of_a_view_costs_that_view_alone(tmp_path: Path, store: Store) -> None:
    manager = StoreManager(store, SETTINGS)
    change(manager, lambda edit: files.apply(edit, wanted_of(parse(TREE, Path()).configuration)))
    zone = manager.state.named(Kind.ZONE, "corp.example@office")
    assert zone is not None
    with store.writing() as connection:
        body = json.dumps({**zone.body, "soa": "broken"})
        connection.execute("UPDATE objects SET body = ? WHERE id = ?", (body, zone.id))
    loaded = StoreManager(store, SETTINGS).load(SETTINGS, tolerates=lambda apex, view: True)
    assert [(one.zone.apex, one.zone.view) for one in loaded.configuration.unready] == [
        (b"\x04corp\x07example\x00", "office")
    ]
    labels = {(zone.apex, zone.view) for zone in loaded.configuration.zones}
    assert labels == {(b"\x07example\x03com\x00", ""), (b"\x04corp\x07example\x00", "lab")}


def test_a_state_finds_zones_by_view(store: Store) -> None:
    def make(edit: Edit) -> None:
        for name, view in (("example.com", ""), ("example.com", "office"), ("sub.example.com", "lab")):
            soa = {"mname": "ns1.example.net", "rname": "hostmaster.example.net"}
            edit.create(Kind.ZONE, {"name": name, "view": view, "soa": soa})
        found = {seen: edit.state.zone_of("a.sub.example.com", seen) for seen in ("", "office", "lab", "public")}
        assert {seen: zone.label for seen, zone in found.items() if zone is not None} == {
            "": "example.com",
            "office": "example.com@office",
            "lab": "sub.example.com@lab",
            "public": "example.com",
        }
        only = edit.state.named(Kind.ZONE, "sub.example.com@lab")
        assert only is not None
        edit.delete(Kind.ZONE, edit.state.named(Kind.ZONE, "example.com").id)  # type: ignore[union-attr]
        assert edit.state.zone_of("a.sub.example.com") == only
        raise ConfigError([])

    with pytest.raises(ConfigError):
        change(StoreManager(store, SETTINGS), make)
