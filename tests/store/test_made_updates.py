"""The same octets again: one update as long as what it left stands, another one once somebody has changed that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dns.update
import pytest

from lbdns.base.kinds import Kind
from lbdns.dns.codes import NOERROR, REFUSED, SERVFAIL, YXDOMAIN
from lbdns.dns.name import encode_canonical
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.sqlite import Store
from lbdns.manage.updates import update_queue
from lbdns.manage.updates.made_updates import REMEMBERED_S, MadeUpdates, made_update
from lbdns.manage.updates.updated_zone import UpdatedZone
from lbdns.transfer.update.asked_update import AskedUpdate
from lbdns.transfer.update.update_section import DONE
from lbdns.transfer.update.updates_under_way import update_digest
from tests.store.test_update_queue import Desk
from tests.transfer.asking_updates import adding, asked, may_all, take_all, update

CLIENT = b"\x7f\0\0\5"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path)
    try:
        yield Desk(store)
    finally:
        store.close()


def sent(made: dns.update.UpdateMessage, id: int = 1) -> AskedUpdate:
    """Return an update as the door has it: with what tells it from all others."""
    made.id = id
    whole = asked(made)
    return AskedUpdate(whole.message, whole.author, "", may_all, update_digest(CLIENT, made.to_wire()))


def taking(name: str) -> dns.update.UpdateMessage:
    """Return an update that takes a name that nobody has."""
    made = update()
    made.absent(name)
    made.add(name, 60, "TXT", "mine")
    return made


def releasing(name: str) -> dns.update.UpdateMessage:
    made = update()
    made.delete(name)
    return made


def say(desk: Desk, *updates: AskedUpdate) -> list[int]:
    return [one.rcode for one in take_all(desk.queue, updates)]


def test_the_same_again_is_one_update_whatever_came_between_elsewhere(desk: Desk) -> None:
    first = sent(taking("lock"))
    assert say(desk, first) == [NOERROR]
    before = desk.manager.state.revision
    assert say(desk, sent(adding("other", "A", "192.0.2.7"), 2)) == [NOERROR]
    assert say(desk, first) == [NOERROR]
    assert desk.manager.state.revision == before + 1
    assert say(desk, sent(taking("lock"), 3)) == [YXDOMAIN]  # another ID is another update


def test_the_same_octets_are_another_update_once_another_undid_it(desk: Desk) -> None:
    assert say(desk, sent(adding("a", "A", "192.0.2.7")), sent(releasing("a"), 2)) == [NOERROR, NOERROR]
    assert say(desk, sent(adding("a", "A", "192.0.2.7"))) == [NOERROR]
    assert ("a.example.com", "A", "192.0.2.7") in desk.records()
    assert say(desk, sent(releasing("a"), 2)) == [NOERROR]
    assert ("a.example.com", "A", "192.0.2.7") not in desk.records()


def test_the_api_undoes_it_too(desk: Desk) -> None:
    first = sent(adding("a", "A", "192.0.2.7"))
    assert say(desk, first) == [NOERROR]
    id = desk.records()["a.example.com", "A", "192.0.2.7"].id

    def delete(edit: Edit) -> None:
        edit.delete(Kind.RECORD, id)

    asyncio.run(desk.manager.change("ann", "away", delete))
    assert say(desk, first) == [NOERROR]
    assert ("a.example.com", "A", "192.0.2.7") in desk.records()


def test_a_prerequisite_is_looked_at_again_once_it_may_hold(desk: Desk) -> None:
    assert say(desk, sent(taking("lock"))) == [NOERROR]
    waiting = sent(taking("lock"), 2)
    assert say(desk, waiting, waiting) == [YXDOMAIN, YXDOMAIN]
    assert say(desk, sent(releasing("lock"), 3)) == [NOERROR]
    assert say(desk, waiting) == [NOERROR]


def test_permissions_are_looked_at_again(desk: Desk) -> None:
    made = sent(adding("a", "A", "192.0.2.7"))
    barred = AskedUpdate(made.message, made.author, "", lambda *_: "not yours", made.digest)
    assert say(desk, barred) == [REFUSED]
    assert say(desk, made) == [NOERROR]


@pytest.mark.parametrize(("undo", "rcode"), [(False, NOERROR), (True, YXDOMAIN)])
def test_a_run_before_may_have_made_it(desk: Desk, undo: bool, rcode: int) -> None:
    first = sent(taking("lock"))
    batch = [first, *([sent(releasing("lock"), 2), sent(taking("lock"), 3)] if undo else [])]
    assert say(desk, *batch) == [NOERROR] * len(batch)
    later = update_queue.UpdateQueue(desk.manager, lambda: lambda apex, view: None)
    assert [one.rcode for one in take_all(later, [first])] == [rcode]
    assert [one.rcode for one in take_all(later, [batch[-1]])] == [NOERROR]


def test_of_an_older_releases_list_nothing_is_known(desk: Desk) -> None:
    desk.store._connection.execute("INSERT INTO meta VALUES ('updates', '[\"00\"]')")
    assert desk.store.last_updates == {}
    assert say(desk, sent(taking("lock"))) == [NOERROR]


def test_it_is_forgotten_after_a_while(desk: Desk) -> None:
    now_s = 5.0
    memory = MadeUpdates(lambda: now_s)
    zone = desk.manager.state.get(Kind.ZONE, desk.zone_id)
    assert zone is not None
    stored = UpdatedZone(zone, desk.manager.state.records(desk.zone_id))
    made = sent(taking("lock"))
    memory.note([made_update(made.digest, DONE, made.message, stored)])
    assert memory.known(made.digest, stored) == DONE
    now_s += REMEMBERED_S + 1
    assert memory.known(made.digest, stored) is None


def test_a_mistake_of_ours_costs_the_update_that_it_is_on_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = UpdatedZone.take

    def failing(self: UpdatedZone, updated: object, writing: object) -> object:
        changes = real(self, updated, writing)  # type: ignore[arg-type]
        if updated.changed.keys() & {(encode_canonical("bad.example.com"), 1)}:  # type: ignore[attr-defined]
            raise RuntimeError("ours")
        return changes

    monkeypatch.setattr(UpdatedZone, "take", failing)
    names = ["a", "bad", "c", "bad", "e"]
    tried = desk.server.tried
    updates = [asked(adding(name, "A", f"192.0.2.{at}")) for at, name in enumerate(names)]
    assert say(desk, *updates) == [NOERROR, SERVFAIL, NOERROR, SERVFAIL, NOERROR]
    assert desk.server.tried == tried + 1
    assert caplog.text.count("RuntimeError: ours") == 2
    assert {item.name for item in desk.records().values()} >= {"a.example.com", "c.example.com", "e.example.com"}
    assert not any(item.name == "bad.example.com" for item in desk.records().values())


def test_a_mistake_of_ours_in_publishing_costs_the_update_that_it_is_on_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = desk.manager._builder.examine

    def failing(state: object, settings: object) -> object:
        if any(item.name == "bad.example.com" for item in state.records(desk.zone_id).values()):  # type: ignore[attr-defined]
            raise RuntimeError("ours")
        return real(state, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.manager._builder, "examine", failing)
    updates = [asked(adding(name, "A", f"192.0.2.{at}")) for at, name in enumerate(["a", "bad", "c", "d"])]
    assert say(desk, *updates) == [NOERROR, SERVFAIL, NOERROR, NOERROR]
