"""Updates through the store's one writer: coalesced, each on those before it, each a revision, all or nothing."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.update
import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.config.examined import Loaded
from lbdns.dns.codes import FORMERR, NOERROR, NOTAUTH, NXDOMAIN, NXRRSET, REFUSED, SERVFAIL, TYPE_SOA, YXDOMAIN
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dns.rdata.master_form import rdata_text
from lbdns.dns.rdata.record_types import parse_type, type_text
from lbdns.manage.store import sqlite as sqlite_store
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.item import Item, new_id
from lbdns.manage.store.manager import StoreManager
from lbdns.manage.store.records.record_bodies import record_body, record_rrset
from lbdns.manage.store.sqlite import Store
from lbdns.manage.store.zones.zone_soa import soa_rdata
from lbdns.manage.updates import update_queue
from lbdns.manage.updates.update_queue import UpdateQueue
from lbdns.model.configuration import Configuration
from lbdns.model.settings import Settings
from lbdns.publish.publisher import Published
from tests.transfer.asking_updates import adding, asked, take_all, update

SOA = {"mname": "ns1.example.com", "rname": "hostmaster.example.com"}


class Server:
    """Stands for the running server; `refuses` says why a configuration cannot be served, "" where it can be."""

    def __init__(self) -> None:
        self.served: list[Configuration] = []
        self.refuses: Callable[[Configuration], str] = lambda configuration: ""
        self.tried = 0

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        self.tried += 1
        why = self.refuses(loaded.configuration)
        if why:
            raise LbdnsError(why)
        commit()
        self.served.append(loaded.configuration)

    async def reload(self, cause: str) -> str:
        raise LbdnsError("not here")

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        raise LbdnsError("not here")

    def in_force(self) -> Published:
        raise LbdnsError("not here")


class Desk:
    """A store, who changes it, and its queue of updates."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.manager = StoreManager(store, Settings())
        self.server = self.manager.running = Server()
        self.served_serial: int | None = None
        self.queue = UpdateQueue(self.manager, lambda: lambda apex, view: self.served_serial)

        def make(edit: Edit) -> Item:
            zone = edit.create(Kind.ZONE, {"name": "example.com", "soa": SOA, "serial": 10})
            for body in (
                {"name": "@", "type": "NS", "content": "ns1.example.com"},
                {"name": "ns1", "type": "A", "content": "192.0.2.53"},
                {"name": "www", "type": "A", "content": "192.0.2.1", "comment": "the shop", "tags": ["team:web"]},
                {"name": "www", "type": "A", "content": "192.0.2.2", "ttl": 600},
            ):
                edit.create(Kind.RECORD, body, zone.id)
            return zone

        self.zone_id = asyncio.run(self.manager.change("ann", "begin", make)).result.id

    def take(self, *updates: dns.update.UpdateMessage, **options: Any) -> list[int]:
        return [one.rcode for one in take_all(self.queue, [asked(made, **options) for made in updates])]

    def records(self) -> dict[tuple[str, str, str], Item]:
        items = self.manager.state.records(self.zone_id).values()
        return {(item.name, item.body["type"], item.body["content"]): item for item in items}

    @property
    def serial(self) -> int:
        zone = self.manager.state.get(Kind.ZONE, self.zone_id)
        assert zone is not None
        return int(zone.body["serial"])

    def served(self) -> set[str]:
        zone = self.server.served[-1].zones[0]
        return {
            f"{show_name(rrset.owner)} {rrset.ttl} {type_text(rrset.type)} {rdata_text(rrset.type, rdata)}"
            for rrset in zone.rrsets
            for rdata in rrset.rdatas
        }


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path)
    try:
        yield Desk(store)
    finally:
        store.close()


def test_updates_that_come_together_are_published_together_and_each_is_a_revision(desk: Desk) -> None:
    before, published = desk.manager.state.revision, desk.server.tried
    needs = update()
    needs.present("one", "TXT", '"1"')
    needs.add("two", 60, "TXT", '"2"')
    absent = update()
    absent.absent("one")
    absent.add("never", 60, "TXT", '"3"')
    updates = [asked(adding("one", "TXT", '"1"'), "key ann"), asked(needs, "key bob"), asked(absent, "key eve")]
    assert [one.rcode for one in take_all(desk.queue, updates)] == [NOERROR, NOERROR, YXDOMAIN]
    assert desk.server.tried == published + 1
    assert desk.manager.state.revision == desk.store.head == before + 2
    newest, older = desk.store.revisions(2)
    assert (newest.author, newest.message) == ("key bob", 'update: add "two.example.com" TXT')
    assert (older.author, older.message) == ("key ann", 'update: add "one.example.com" TXT')
    assert desk.serial == 12
    assert {'one.example.com 60 TXT "1"', 'two.example.com 60 TXT "2"'} <= desk.served()
    assert not any("never" in line for line in desk.served())
    assert {item.id for item in desk.store.load()} == {item.id for item in desk.manager.state}
    assert [*desk.store.load()] == [*desk.manager.state]
    assert (
        desk.store.state_at(before + 1).records(desk.zone_id).keys() < desk.manager.state.records(desk.zone_id).keys()
    )


def test_a_batch_begins_once_as_many_are_there_as_were_together_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update_queue, "GATHER_SHARE", 1e9)
    monkeypatch.setattr(update_queue, "GATHER_MAX_S", 3600.0)

    async def load() -> list[int]:
        firsts = [asked(adding(f"a{number}.example.com", "A", "192.0.2.9")) for number in range(2)]
        said = list(await asyncio.gather(*map(desk.queue.take, firsts)))
        slow = asyncio.ensure_future(desk.queue.take(asked(adding("b0.example.com", "A", "192.0.2.9"))))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not slow.done() and desk.server.tried == 2  # the first is the zone
        said += await asyncio.gather(slow, desk.queue.take(asked(adding("b1.example.com", "A", "192.0.2.9"))))
        return [one.rcode for one in said]

    assert asyncio.run(load()) == [NOERROR] * 4
    assert desk.server.tried == 3


def test_what_stays_keeps_its_id_comment_and_tags(desk: Desk) -> None:
    before = desk.records()
    made = update()
    made.delete("www", "A", "192.0.2.2")
    made.add("www", 300, "A", "192.0.2.9")
    made.add("mail", 1, "MX", "10 Mx.example.com.")
    assert desk.take(made) == [NOERROR]
    after = desk.records()
    kept = after["www.example.com", "A", "192.0.2.1"]
    assert kept is before["www.example.com", "A", "192.0.2.1"]
    assert kept.body["comment"] == "the shop"
    moved = after["www.example.com", "A", "192.0.2.9"]
    assert (moved.id, moved.body["ttl"]) == (before["www.example.com", "A", "192.0.2.2"].id, 300)
    assert not moved.is_local
    assert after["mail.example.com", "MX", "Mx.example.com"].body["ttl"] == 2  # 1 stands for automatic


def test_an_rrset_has_the_ttl_that_was_given_last(desk: Desk) -> None:
    assert desk.take(adding("www", "A", "192.0.2.3", 120)) == [NOERROR]
    assert {item.body["ttl"] for key, item in desk.records().items() if key[0] == "www.example.com"} == {120}
    assert desk.records()["www.example.com", "A", "192.0.2.1"].body["comment"] == "the shop"


def test_an_soa_sets_the_zones_own_fields_and_serial(desk: Desk) -> None:
    made = update()
    made.add("@", 900, "SOA", "ns9.example.com. admin.example.com. 50 1 2 3 4")
    made.add("new", 60, "A", "192.0.2.9")
    assert desk.take(made) == [NOERROR]
    zone = desk.manager.state.get(Kind.ZONE, desk.zone_id)
    assert zone is not None
    assert zone.body["serial"] == 50
    assert zone.body["soa"] == {
        "mname": "ns9.example.com",
        "rname": "admin.example.com",
        "refresh": 1,
        "retry": 2,
        "expire": 3,
        "minimum": 4,
        "ttl": 900,
    }
    assert desk.take(adding("@", "SOA", "ns9.example.com. admin.example.com. 49 1 2 3 4")) == [NOERROR]
    assert desk.serial == 50


def test_what_changes_nothing_is_no_revision(desk: Desk) -> None:
    before = desk.manager.state.revision, desk.serial, desk.server.tried
    assert desk.take(update(), adding("www", "A", "192.0.2.1", 300)) == [NOERROR, NOERROR]
    assert (desk.manager.state.revision, desk.serial, desk.server.tried) == before


def test_one_that_cannot_be_served_is_refused_alone(desk: Desk) -> None:
    # Names below a DNAME are redirected: the checks refuse a record there, as they do where the API writes it.
    updates = [adding(f"host{number}", "A", "192.0.2.7") for number in range(9)]
    bad = update()
    bad.add("below", 60, "DNAME", "example.net.")
    bad.add("x.below", 60, "A", "192.0.2.7")
    updates[4:4] = [bad]
    before = desk.manager.state.revision
    outcomes = take_all(desk.queue, [asked(one) for one in updates])
    assert [one.rcode for one in outcomes] == [NOERROR] * 4 + [REFUSED] + [NOERROR] * 5
    assert "DNAME" in outcomes[4].why
    assert desk.manager.state.revision == before + 9
    assert not any("below" in line for line in desk.served())
    assert [*desk.store.load()] == [*desk.manager.state]


def test_one_that_canaries_refuse_is_not_made_and_others_are(desk: Desk) -> None:
    def poisoned(configuration: Configuration) -> str:
        return "a canary differs" if any(b"poison" in rrset.owner for rrset in configuration.zones[0].rrsets) else ""

    desk.server.refuses = poisoned
    updates = [adding("a", "A", "192.0.2.7"), adding("poison", "A", "192.0.2.7"), adding("b", "A", "192.0.2.7")]
    assert desk.take(*updates) == [NOERROR, SERVFAIL, NOERROR]
    assert {name for name, *_ in desk.records()} >= {"a.example.com", "b.example.com"}
    assert "poison.example.com" not in {name for name, *_ in desk.records()}
    assert [*desk.store.load()] == [*desk.manager.state]


def test_nothing_is_tried_for_ever_where_nothing_can_be_published(desk: Desk) -> None:
    desk.server.refuses = lambda configuration: "the disk is full"
    before, tried = desk.manager.state, desk.server.tried
    outcomes = take_all(desk.queue, [asked(adding(f"h{number}", "A", "192.0.2.7")) for number in range(200)])
    assert {one.rcode for one in outcomes} == {SERVFAIL}
    assert desk.server.tried - tried <= 2 * update_queue.TRIES_MAX
    assert desk.manager.state is before
    desk.server.refuses = lambda configuration: ""
    assert desk.take(adding("h1", "A", "192.0.2.7")) == [NOERROR]


def test_a_disk_that_is_full_changes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [*desk.manager.state]

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite_store, "write_history", fail)
    assert set(desk.take(*(adding(f"h{number}", "A", "192.0.2.7") for number in range(20)))) == {SERVFAIL}
    assert [*desk.manager.state] == before == [*desk.store.load()]
    monkeypatch.undo()
    assert desk.take(adding("h1", "A", "192.0.2.7")) == [NOERROR]
    assert [*desk.store.load()] == [*desk.manager.state]


def test_a_change_of_the_api_between_updates_is_seen(desk: Desk) -> None:
    assert desk.take(adding("one", "A", "192.0.2.7")) == [NOERROR]
    id = desk.records()["one.example.com", "A", "192.0.2.7"].id
    asyncio.run(desk.manager.change("ann", "gone", lambda edit: edit.delete(Kind.RECORD, id)))
    made = update()
    made.present("one")
    assert desk.take(made) == [NXDOMAIN]


def test_a_load_balancers_name_takes_no_records_that_it_hides(desk: Desk) -> None:
    def make(edit: Edit) -> None:
        pool = edit.create(Kind.POOL, {"name": "p", "origins": [{"name": "o", "address": "192.0.2.80"}]})
        body = {"name": "www.example.com", "default_pools": [pool.id], "fallback_pool": pool.id}
        edit.create(Kind.LOAD_BALANCER, body, desk.zone_id)

    asyncio.run(desk.manager.change("ann", "balance", make))
    outcome = take_all(desk.queue, [asked(adding("www", "A", "192.0.2.9"))])[0]
    assert outcome.rcode == REFUSED
    assert outcome.why.startswith("www.example.com A: a load balancer answers there")
    gone = update()
    gone.delete("www", "A", "192.0.2.1")
    assert desk.take(adding("www", "TXT", '"beside"'), gone) == [NOERROR, NOERROR]
    missing = update()
    missing.present("nobody")
    missing.add("www", 60, "A", "192.0.2.9")
    assert desk.take(missing) == [NXDOMAIN]  # prerequisites come first


def test_a_zone_that_is_not_there_is_notauth(desk: Desk) -> None:
    assert desk.take(update("example.net"), update("www.example.com")) == [NOTAUTH, NOTAUTH]


def test_who_may_not_is_refused_with_the_reason(desk: Desk) -> None:
    outcome = take_all(desk.queue, [asked(adding("www", "A", "192.0.2.9"), objects=lambda *_: "not by you")])[0]
    assert outcome == (REFUSED, "www.example.com A: not by you")


def test_a_views_own_zone_is_updated_by_who_is_in_the_view(desk: Desk) -> None:
    def make(edit: Edit) -> str:
        zone = edit.create(Kind.ZONE, {"name": "example.com", "view": "office", "soa": SOA, "serial": 10})
        edit.create(Kind.RECORD, {"name": "@", "type": "NS", "content": "ns1.example.net"}, zone.id)
        return zone.id

    settings = Settings.model_validate({"views": {"office": {"networks": ["10.0.0.0/8"]}}})
    desk.manager.settings = settings
    id = asyncio.run(desk.manager.change("ann", "view", make)).result
    assert desk.take(adding("inside", "A", "10.0.0.1"), view="office") == [NOERROR]
    assert desk.take(adding("outside", "A", "192.0.2.1")) == [NOERROR]
    assert {item.name for item in desk.manager.state.records(id).values()} == {"example.com", "inside.example.com"}
    assert "outside.example.com" in {name for name, *_ in desk.records()}


def test_random_batches_are_what_one_after_another_makes(desk: Desk, tmp_path: Path) -> None:
    chance = random.Random(14)
    other_store = Store(tmp_path / "other")
    other = Desk(other_store)
    try:
        for _ in range(12):
            updates = [_random_update(chance) for _ in range(chance.randrange(1, 12))]
            assert desk.take(*updates) == [rcode for one in updates for rcode in other.take(one)]
            assert desk.records().keys() == other.records().keys()
            assert desk.serial == other.serial
            assert desk.served() == other.served()
        assert [*desk.store.load()] == [*desk.manager.state]
        assert desk.store.state_at(1).revision == 1
    finally:
        other_store.close()


def _random_update(chance: random.Random) -> dns.update.UpdateMessage:
    made = update()
    for _ in range(chance.randrange(1, 3)):
        name, data = chance.choice("abc"), f"192.0.2.{chance.randrange(1, 5)}"
        match chance.randrange(6):
            case 0:
                made.delete(name)
            case 1:
                made.delete(name, "A", data)
            case 2:
                made.present(name)
            case 3:
                made.absent(name, "A")
            case _:
                made.add(name, chance.choice((60, 300)), "A", data)
    return made


def test_prerequisites_of_data(desk: Desk) -> None:
    made = update()
    made.present("www", "A", "192.0.2.1")
    made.add("www", 60, "A", "192.0.2.3")
    assert desk.take(made) == [NXRRSET]  # there are two


@pytest.mark.parametrize(
    ("rdtype", "rdata"),
    [
        ("URI", "000014ff0001ff687474703a2f2f78"),
        ("CAA", "0005697373756578ff05"),
        ("NAPTR", "00010002017301780621612162ff21016300"),
        ("LOC", "001216138b0d2c8c7ff8fca5ff989680"),
    ],
)
def test_data_that_its_types_text_cannot_say_is_stored_as_it_came(desk: Desk, rdtype: str, rdata: str) -> None:
    wire = bytes.fromhex(rdata)
    made = update()
    made.add("odd", 60, dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), wire))
    assert desk.take(made, adding("after", "A", "192.0.2.9")) == [NOERROR, NOERROR]
    (item,) = (item for item in desk.records().values() if item.name == "odd.example.com")
    assert record_rrset(item)[3] == wire
    is_there = update()
    is_there.present("odd", dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), wire))
    assert desk.take(is_there) == [NOERROR]
    assert record_rrset(desk.store.load().records(desk.zone_id)[item.id])[3] == wire


def test_the_soa_is_the_one_that_is_served_for_each_update_of_a_batch(desk: Desk) -> None:
    def needing(serial: int, name: str) -> dns.update.UpdateMessage:
        made = adding(name, "TXT", "x")
        made.present("@", "SOA", soa_text(serial))
        return made

    def giving(serial: int) -> dns.update.UpdateMessage:
        made = update()
        made.add("@", 3600, "SOA", soa_text(serial))
        return made

    def soa_text(serial: int) -> str:
        zone = desk.manager.state.get(Kind.ZONE, desk.zone_id)
        assert zone is not None
        rdata = soa_rdata(zone.body["soa"], serial, zone.name)
        return rdata_text(TYPE_SOA, rdata)

    desk.served_serial = 40  # stored: 10
    assert desk.take(needing(10, "stored")) == [NXRRSET]
    # Both have read the same SOA: the first changes the zone, so the second has to read it anew.
    assert desk.take(needing(40, "one"), needing(40, "two")) == [NOERROR, NXRRSET]
    assert desk.serial == 41
    desk.served_serial = 50
    assert desk.take(giving(45), giving(50)) == [NOERROR, NOERROR]
    assert desk.serial == 41
    assert desk.take(giving(51), needing(51, "three")) == [NOERROR, NOERROR]
    assert desk.serial == 52
    desk.served_serial = (1 << 32) - 1
    desk.take(giving(5))
    assert desk.serial == 52  # the stored one is newer than what is served
    desk.take(giving(60))
    assert desk.serial == 60


@pytest.mark.parametrize(("rdtype", "rdata"), [("OPENPGPKEY", ""), ("CDNSKEY", "6c6c6f6c"), ("CERT", "0000010168")])
def test_data_without_what_it_is_about_is_not_added_and_from_an_older_store_can_be_deleted(
    desk: Desk, rdtype: str, rdata: str
) -> None:
    wire = bytes.fromhex(rdata)
    data = dns.rdata.GenericRdata(dns.rdataclass.IN, dns.rdatatype.from_text(rdtype), wire)
    made = update()
    made.add("odd", 60, data)
    assert desk.take(made, adding("after", "A", "192.0.2.9")) == [FORMERR, NOERROR]

    def keep(edit: Edit) -> Item:
        body = record_body(encode_canonical("odd.example.com"), parse_type(rdtype), 60, wire)
        return edit.take(Item(Kind.RECORD, new_id(), body, desk.zone_id), None)

    held = asyncio.run(desk.manager.change("ann", "an older store's", keep)).result
    assert record_rrset(desk.store.load().records(desk.zone_id)[held.id])[3] == wire
    assert desk.take(adding("odd", "A", "192.0.2.9")) == [NOERROR]
    gone = update()
    gone.delete("odd", data)
    assert desk.take(gone) == [NOERROR]
    assert held.id not in desk.manager.state.records(desk.zone_id)
