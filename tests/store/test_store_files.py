"""Files into the store and out of it: nothing is lost on the way, nothing changes that did not differ, ids stay."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lbdns.base.errors import ConfigError
from lbdns.base.kinds import Kind
from lbdns.config.loading import load, parse
from lbdns.config.yaml.yaml_text import block_text
from lbdns.config.yaml.yaml_tree import parse_yaml
from lbdns.manage.store.edit import unique_key
from lbdns.manage.store.item import Item, new_ids
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.managing import Done
from lbdns.manage.store.refusals import Referenced
from lbdns.manage.store.revisions import from_files as files
from lbdns.manage.store.revisions.from_files import state_of
from lbdns.manage.store.revisions.restore import restore
from lbdns.manage.store.revisions.sent_tree import sent_tree
from lbdns.manage.store.revisions.to_files import export, file_name, tree_of
from lbdns.manage.store.revisions.wanted import wanted_of
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.state import State
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from tests.store.configurations import comparable, draw_tree

ZONE = """$TTL 300
@ SOA ns1 hostmaster {serial} 7200 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
"""
SERIAL = 4_000_000_000  # later than any date in digits


class Desk:
    """A store that files are applied to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.manager = StoreManager(store, Settings())

    def do(self, make: Any, **options: Any) -> Done[Any]:
        return asyncio.run(self.manager.change("ann", "test", make, **options))

    def apply(self, tree: dict[str, Any], prune: bool = False, **options: Any) -> Done[Any]:
        wanted = wanted_of(parse(tree, Path()).configuration)
        return self.do(lambda edit: files.apply(edit, wanted, prune), **options)

    @property
    def state(self) -> State:
        return self.manager.state

    @property
    def configuration(self) -> Configuration:
        return self.manager.load(Settings()).configuration

    def zone(self, name: str = "example.com") -> Item:
        item = self.state.named(Kind.ZONE, name)
        assert item is not None
        return item

    def record(self, name: str, type: str = "A", zone: str = "example.com") -> Item:
        found = self.state.records(self.zone(zone).id).values()
        (item,) = [one for one in found if one.name == name and one.body["type"] == type]
        return item


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path / "state")
    yield Desk(store)
    store.close()


def tree(records: str = "", serial: int = SERIAL, **sections: Any) -> dict[str, Any]:
    """Return a configuration of one zone and one pool."""
    pools = {"eu": {"origins": [{"name": "e1", "address": "192.0.2.1"}]}}
    return {"zones": {"example.com": ZONE.format(serial=serial) + records}, "pools": pools, **sections}


def balancer(name: str = "www.example.com", **fields: Any) -> dict[str, Any]:
    return {"name": name, "default_pools": ["eu"], "fallback_pool": "eu", **fields}


def written(state: State, directory: Path) -> Path:
    """Write a state as files and return their directory."""
    directory.mkdir(parents=True)
    for name, text in export(state).files.items():
        (directory / name).write_text(text)
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_what_goes_in_comes_out(desk: Desk, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    first, second = draw_tree(chance), draw_tree(chance)
    desk.apply(first)
    assert comparable(desk.configuration) == comparable(parse(first, Path()).configuration)
    loaded = load(written(desk.state, tmp_path / "first"))
    assert comparable(loaded.configuration) == comparable(desk.configuration)
    same = desk.do(lambda edit: files.apply(edit, wanted_of(loaded.configuration), prune=True), dry_run=True)
    assert same.changes == ()
    assert comparable(parse(tree_of(desk.state), Path()).configuration) == comparable(desk.configuration)
    sent, stored = sent_tree(loaded.configuration), tree_of(state_of(loaded.configuration, 0), has_private_views=True)
    assert sent == stored and [*sent] == [*stored]

    before = desk.state
    desk.apply(second, prune=True)
    wanted = comparable(parse(second, Path()).configuration)
    for configuration in (desk.configuration, load(written(desk.state, tmp_path / "second")).configuration):
        assert _without_serials(comparable(configuration)) == _without_serials(wanted)
    for kind in (Kind.MONITOR, Kind.MONITOR_GROUP, Kind.POOL, Kind.ZONE):
        ids = {item.name: item.id for item in before.all(kind).values()}
        assert all(ids.get(item.name, item.id) == item.id for item in desk.state.all(kind).values())
    balancers = {unique_key(item): item.id for item in before.all(Kind.LOAD_BALANCER).values()}
    assert all(
        balancers.get(unique_key(item), item.id) == item.id for item in desk.state.all(Kind.LOAD_BALANCER).values()
    )

    desk.do(lambda edit: restore(edit, before))
    assert _without_serials(comparable(desk.configuration)) == _without_serials(
        comparable(parse(first, Path()).configuration)
    )
    assert {item.id for item in desk.state} == {item.id for item in before}
    assert comparable(StoreManager(desk.store, Settings()).load(Settings()).configuration) == comparable(
        desk.configuration
    )


def _without_serials(found: dict[str, Any]) -> dict[str, Any]:
    """Leave the SOA out: its serial goes its own way."""
    zones = {
        apex: {key: rrset for key, rrset in rrsets.items() if key[1] != 6} for apex, rrsets in found["zones"].items()
    }
    return {**found, "zones": zones}


def test_a_record_keeps_its_id_and_what_files_cannot_say(desk: Desk) -> None:
    desk.apply(tree("www A 192.0.2.1\nmany A 192.0.2.1\nmany A 192.0.2.2\n@ MX 10 mail.example.net.\n"))
    www, mail = desk.record("www.example.com"), desk.record("example.com", "MX")
    desk.do(lambda edit: edit.patch(Kind.RECORD, www.id, {"comment": "the web", "ttl": 1}))
    desk.do(lambda edit: edit.patch(Kind.ZONE, desk.zone().id, {"paused": True}))
    assert (
        desk.apply(tree("www A 192.0.2.1\nmany A 192.0.2.2\nmany A 192.0.2.1\n@ MX 10 mail.example.net.\n")).changes
        == ()
    )
    desk.apply(tree("www A 192.0.2.9\nmany A 192.0.2.2\nmany A 192.0.2.3\n@ MX 20 mail.example.net.\n"))
    assert desk.record("www.example.com").id == www.id
    assert desk.record("www.example.com").body["comment"] == "the web"
    assert desk.record("www.example.com").body["content"] == "192.0.2.9"
    assert desk.record("example.com", "MX").id == mail.id and desk.record("example.com", "MX").body["priority"] == 20
    assert desk.zone().body["paused"] is True


def test_a_ttl_is_the_rrsets(desk: Desk) -> None:
    desk.apply(tree("www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n"))
    records = [item for item in desk.state.records(desk.zone().id).values() if item.name == "www.example.com"]
    desk.do(lambda edit: edit.patch(Kind.RECORD, records[0].id, {"ttl": 600}))
    assert desk.apply(tree("www 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n")).changes == ()
    desk.apply(tree("www 60 A 192.0.2.1\n"))  # the one that had 60 goes, so the other takes it
    assert desk.record("www.example.com").body["ttl"] == 60


def test_a_serial_alone_is_no_difference_and_never_goes_back(desk: Desk) -> None:
    desk.apply(tree(serial=10))
    assert desk.zone().body["serial"] == 10
    assert desk.apply(tree(serial=11)).changes == ()
    desk.apply(tree("a A 192.0.2.1\n", serial=9))
    raised = desk.zone().body["serial"]
    assert raised > 10
    desk.apply(tree("a A 192.0.2.2\n", serial=raised + 100_000_000))
    assert desk.zone().body["serial"] == raised + 100_000_000
    desk.apply(tree("a A 192.0.2.3\n", serial=1))
    assert desk.zone().body["serial"] == raised + 100_000_001
    slower = tree("a A 192.0.2.3\n", serial=1)
    slower["zones"]["example.com"] = slower["zones"]["example.com"].replace("1209600 60", "1209600 30")
    desk.apply(slower)
    assert desk.zone().body["soa"]["minimum"] == 30
    assert desk.zone().body["serial"] == raised + 100_000_002


def test_without_prune_objects_stay_and_a_zone_is_what_its_file_says(desk: Desk) -> None:
    first = tree("a A 192.0.2.1\nb A 192.0.2.2\n", load_balancers=[balancer()])
    first["zones"]["example.net"] = ZONE.format(serial=1)
    desk.apply(first)
    second = {"zones": {"example.com": ZONE.format(serial=1) + "a A 192.0.2.1\n"}}
    done = desk.apply(second, dry_run=True)
    assert {(item.kind, item.name) for item in done.result} == {
        (Kind.LOAD_BALANCER, "www.example.com"),
        (Kind.POOL, "eu"),
        (Kind.ZONE, "example.net"),
    }
    assert [change.item.name for change in done.changes if change.item.kind is Kind.RECORD] == ["b.example.com"]
    desk.apply(second)
    assert desk.state.named(Kind.POOL, "eu") and desk.state.named(Kind.ZONE, "example.net")
    desk.apply(second, prune=True)
    assert {item.kind for item in desk.state} == {Kind.ZONE, Kind.RECORD}
    assert [item.name for item in desk.state.all(Kind.ZONE).values()] == ["example.com"]


def test_prune_leaves_what_files_cannot_hold(desk: Desk) -> None:
    desk.apply(tree())
    eu = desk.state.named(Kind.POOL, "eu")
    assert eu is not None
    body = {"name": "inside.internal", "default_pools": [eu.id], "fallback_pool": eu.id}
    desk.do(lambda edit: edit.create(Kind.LOAD_BALANCER, body))
    made = export(desk.state)
    assert "load_balancers.yaml" not in made.files
    assert made.notes == ("1 load balancer (inside.internal) left out: in no zone here, so files cannot hold them",)
    assert desk.apply(tree(), prune=True).changes == ()
    with pytest.raises(Referenced, match=r"inside\.internal"):
        desk.apply({"zones": tree()["zones"]}, prune=True)


def test_what_files_cannot_say_is_told(desk: Desk) -> None:
    assert export(desk.state).notes == ("there is no zone; a directory needs one to be served",)
    desk.apply(tree("a A 192.0.2.1\n"))
    assert export(desk.state).notes == ()
    desk.do(lambda edit: edit.patch(Kind.ZONE, desk.zone().id, {"paused": True}))
    desk.do(lambda edit: edit.patch(Kind.RECORD, desk.record("a.example.com").id, {"tags": ["team:web"]}))
    assert export(desk.state).notes == (
        "1 zone (example.com) paused, which files cannot say",
        "1 record (a.example.com) with tags or settings, which files cannot say",
    )


def test_lists_that_rules_ask_for_are_told() -> None:
    conditions = ("ip.src in $b or ip.src in $a", "ip.src in $b", 'dns.qry.name contains "$c"')
    rules = [{"condition": condition, "terminates": True} for condition in conditions]
    made = tree(load_balancers=[balancer(rules=rules)], settings={"lists": {"a": [], "b": []}})
    told = "rules ask for $a, $b, under lists in the server's lbdns.yaml, which is not among the files"
    assert export(state_of(parse(made, Path()).configuration, 1)).notes == (told,)


def test_an_account_balancer_of_a_hosted_zone_stays_the_accounts(desk: Desk) -> None:
    desk.apply(tree())
    eu = desk.state.named(Kind.POOL, "eu")
    assert eu is not None
    body = {"name": "www.example.com", "default_pools": [eu.id], "fallback_pool": eu.id}
    made: Item = desk.do(lambda edit: edit.create(Kind.LOAD_BALANCER, body)).result
    desk.apply(tree(load_balancers=[balancer(ttl=60)]))
    after = desk.state.get(Kind.LOAD_BALANCER, made.id)
    assert after is not None and after.zone_id == "" and after.body["ttl"] == 60
    desk.apply(tree(), prune=True)
    assert desk.state.get(Kind.LOAD_BALANCER, made.id) is None


def test_a_balancer_stays_in_its_zone_as_long_as_there_is_one(desk: Desk) -> None:
    name = "www.sub.example.com"
    one = tree(load_balancers=[balancer(name), balancer("api.sub.example.com")])
    desk.apply(one)
    before = desk.state.all(Kind.LOAD_BALANCER)
    both = tree(load_balancers=[balancer(name), balancer("new.sub.example.com")])
    both["zones"]["sub.example.com"] = ZONE.format(serial=1)
    desk.apply(both)
    after = dict(desk.state.all(Kind.LOAD_BALANCER))
    new = desk.state.named(Kind.LOAD_BALANCER, "new.sub.example.com")
    assert new is not None and after.pop(new.id).zone_id == desk.zone("sub.example.com").id
    assert after == before
    one["load_balancers"].append(balancer("new.sub.example.com"))
    desk.apply(one, prune=True)  # the zone goes, what stood in it stays
    assert {item.zone_id for item in desk.state.all(Kind.LOAD_BALANCER).values()} == {desk.zone().id}
    assert desk.state.get(Kind.LOAD_BALANCER, new.id) is not None
    assert comparable(desk.configuration)["load_balancers"][0].name == "api.sub.example.com"


def test_files_that_clash_with_what_the_store_keeps_are_refused(desk: Desk) -> None:
    desk.apply(tree(load_balancers=[balancer()]))
    before = desk.state
    delegated = tree("www NS ns.www\nns.www A 192.0.2.1\n")
    with pytest.raises(ConfigError, match="delegated to other servers") as refused:
        desk.apply(delegated)
    assert refused.value.problems[0].at == ("load_balancers", "www.example.com", "name")
    assert desk.state is before
    desk.apply(delegated, prune=True)
    assert not desk.state.all(Kind.LOAD_BALANCER)


def test_a_restored_zone_has_its_ids_and_a_later_serial(desk: Desk) -> None:
    desk.apply(tree("a A 192.0.2.1\n", serial=10, load_balancers=[balancer()]))
    before = desk.state
    desk.do(lambda edit: edit.delete(Kind.ZONE, desk.zone().id))
    assert not desk.state.all(Kind.ZONE)
    desk.do(lambda edit: restore(edit, desk.store.state_at(before.revision)))
    assert {item.id for item in desk.state} == {item.id for item in before}
    assert desk.zone().body["serial"] > 10
    done = desk.do(lambda edit: restore(edit, desk.store.state_at(before.revision)), dry_run=True)
    assert done.changes == ()


def test_ids_of_a_state_of_files_stay() -> None:
    loaded = parse(tree("a A 192.0.2.1\n", load_balancers=[balancer()]), Path()).configuration
    one, other = state_of(loaded, 1), state_of(loaded, 2)
    assert [item.id for item in one] == [item.id for item in other]
    assert len({item.id for item in one}) == len(list(one)) == 6
    changed = parse(tree("b A 192.0.2.1\na A 192.0.2.1\n", load_balancers=[balancer(ttl=5)]), Path()).configuration
    assert {item.id for item in one} < {item.id for item in state_of(changed, 3)}


def test_a_zone_with_a_slash_in_its_name_has_a_file(desk: Desk, tmp_path: Path) -> None:
    name = "0/25.2.0.192.in-addr.arpa"
    assert file_name(name) == "0\\04725.2.0.192.in-addr.arpa.zone"
    desk.apply(
        {"zones": {name: "@ 300 SOA ns.example. h.example. 1 1 1 1 1\n@ 300 NS ns.example.\n1 300 PTR a.example.\n"}}
    )
    directory = written(desk.state, tmp_path / "out")
    assert comparable(load(directory).configuration) == comparable(desk.configuration)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=20)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.dictionaries(TEXT.filter(lambda key: key != "<<"), VALUES, min_size=1, max_size=4))
def test_yaml_text_reads_back_the_same(value: dict[str, Any]) -> None:
    read = parse_yaml(block_text(value), "file")
    assert read.problems == ()
    assert read.value == value


def test_yaml_words_of_other_releases_are_quoted() -> None:
    text = block_text({"a": ["off", "yes", "NO", "12:30", "1_000", "2026-01-01", "~", "0o7", "192.0.2.1", "a b"]})
    assert text == 'a: ["off", "yes", "NO", "12:30", "1_000", "2026-01-01", "~", "0o7", 192.0.2.1, a b]\n'


def test_ids_that_are_drawn_together_are_as_those_of_one_and_all_apart() -> None:
    ids = [*islice(new_ids(), 1000)]
    assert len({*ids}) == 1000 and all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)
