"""Stores that follow one stream: what one machine changes all have, and nobody's change is lost or made twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.kinds import Kind
from lbdns.base.words import FLEET_REPLACE_FILE
from lbdns.config.examined import Loaded
from lbdns.fleet.fleet_document import decode_document
from lbdns.fleet.replica import fleet_base
from lbdns.fleet.replica.fleet_replica import ReplicaPhase
from lbdns.fleet.replica.revision_message import SentRevision
from lbdns.manage.store.edit import Edit
from lbdns.manage.store.refusals import NotFound, NotUnique, Outdated, StoreError, Unavailable, Unconfirmed
from lbdns.manage.store.sqlite import Store
from lbdns.publish.publisher import Published
from tests.fleet.played_bus import Link, PlayedHub
from tests.fleet.store_machines import Machine, alike, fleet, until

pytestmark = pytest.mark.slow


def run(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]


def test_what_one_changes_all_have(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra", "sin") as machines:
            ams, fra, sin = machines
            made = (await ams.pool("eu")).result
            await alike(machines)
            assert fra.names == sin.names == ["eu"] and fra.store.account_id == ams.store.account_id
            await fra.do(lambda edit: edit.patch(Kind.POOL, made.id, {"name": "europe"}))
            await alike(machines)
            text, token = await asyncio.to_thread(sin.store.tokens.create, "ops", "write")
            await alike(machines)
            assert ams.store.tokens.find(text) == token and ams.names == ["europe"]
            with pytest.raises(LbdnsError, match='there is a token "ops" already'):
                await asyncio.to_thread(fra.store.tokens.create, "ops", "write")
            await asyncio.to_thread(fra.store.tokens.revoke, "ops")
            await sin.do(lambda edit: edit.delete(Kind.POOL, made.id))
            await alike(machines)
            assert ams.store.tokens.find(text) is None and not ams.names
            history = [(one.number, one.author, one.message) for one in fra.store.revisions()]
            assert history == [(one.number, one.author, one.message) for one in ams.store.revisions()] != []
            assert fra.store.revision(2).changes == ams.store.revision(2).changes

    run(go())


def test_who_loses_the_race_makes_its_change_anew(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra") as (ams, fra):
            pairs = [(one.pool(f"{one.name}-{number}"), one) for number in range(8) for one in (ams, fra)]
            done = await asyncio.gather(*(change for change, _ in pairs))
            assert sorted(one.revision for one in done) == list(range(1, 17))
            await alike([ams, fra])
            assert len(set(ams.names)) == 16
            # What does not go together is refused to one of two, and one was made.
            both = await asyncio.gather(ams.pool("same"), fra.pool("same"), return_exceptions=True)
            assert sorted(type(one).__name__ for one in both) == ["Done", "NotUnique"]
            assert any(isinstance(one, NotUnique) for one in both)

            def based(machine: Machine) -> object:
                return machine.do(lambda edit: edit.create(Kind.POOL, _body(machine.name)), based_on=17)

            both = await asyncio.gather(based(ams), based(fra), return_exceptions=True)  # type: ignore[call-overload]
            assert sorted(type(one).__name__ for one in both) == ["Done", "Outdated"]
            assert any(isinstance(one, Outdated) for one in both)
            await alike([ams, fra])

    run(go())


def describe(id: str, text: str, edit: Edit) -> None:
    edit.patch(Kind.POOL, id, {"description": text})


def _body(name: str) -> dict[str, object]:
    return {"name": name, "origins": [{"name": "e", "address": "192.0.2.1"}]}


def test_a_machine_that_is_cut_off_says_that_nothing_is_changed(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra") as (ams, fra):
            await ams.pool("eu")
            await alike([ams, fra])
            fra.bus.turn(Link.CUT)
            with pytest.raises(Unavailable, match=r"does not reach its fleet.*nothing is changed"):
                await fra.pool("us")
            with pytest.raises(Unavailable):
                await asyncio.to_thread(fra.store.tokens.create, "ops", "write")
            await ams.pool("as")
            assert fra.names == ["eu"] and fra.manager.refused == 1
            fra.bus.turn(Link.UP)
            await alike([ams, fra])
            await fra.pool("us")
            await alike([ams, fra])
            assert ams.names == ["eu", "as", "us"]

    run(go())


def test_an_outcome_that_is_not_known_is_said_to_be_so_with_its_id(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra") as (ams, fra):
            fra.bus.turn(Link.SILENT)
            with pytest.raises(Unconfirmed, match=r"not known.*\(change [0-9a-f]{32}\)"):
                await fra.pool("never")
            fra.bus.turn(Link.ONE_WAY)  # the machine is not answered, and its change is made
            with pytest.raises(Unconfirmed):
                await fra.pool("made")
            await until(lambda: ams.names == ["made"])
            assert fra.names == []
            fra.bus.turn(Link.UP)
            await alike([ams, fra])
            assert fra.names == ["made"]

    run(go())


def test_a_lost_reply_is_no_lost_change_and_no_second_one(tmp_path: Path) -> None:
    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):
            await ams.pool("first")
            lost = iter([True, False] * 20)
            hub.lost_replies = lambda: next(lost, False)
            for number in range(5):
                assert (await fra.pool(f"p{number}")).revision == number + 2
            await alike([ams, fra])
            assert ams.names == ["first", "p0", "p1", "p2", "p3", "p4"]

    run(go())


def test_an_append_that_arrives_late_is_refused_or_is_the_change(tmp_path: Path) -> None:
    """It was sent and not answered; another machine's change comes first, or the same one sent again."""

    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):
            await ams.pool("first")
            await alike([ams, fra])
            fra.within_s = 5.0
            for is_first in (True, False):
                hub.late = []
                change = asyncio.ensure_future(fra.pool(f"late-{is_first}"))
                await until(lambda: bool(hub.late))
                if is_first:
                    held, hub.late = hub.late, None
                    await ams.pool("between")
                    hub.late = held
                hub.arrive()
                await change
                await alike([ams, fra])
            assert fra.names == ["first", "between", "late-True", "late-False"]

    run(go())


def test_who_joins_takes_what_there_is_and_a_store_with_objects_is_asked_about(tmp_path: Path) -> None:
    async def go() -> None:
        hub = PlayedHub()
        own = Machine(tmp_path, hub, "own")
        await own.pool("mine")
        await asyncio.to_thread(own.store.tokens.create, "mine", "write")
        async with fleet(tmp_path, "ams", hub=hub) as (ams,):
            await ams.pool("theirs")
            await asyncio.to_thread(ams.store.tokens.create, "theirs", "write")
            own.start()
            try:
                await until(lambda: own.replica.phase is ReplicaPhase.REFUSED)
                assert "objects of its own" in own.replica.problem and own.names == ["mine"]
                with pytest.raises(Unavailable, match="objects of its own"):
                    await own.pool("more")
                (own.directory / "fleet").mkdir()
                (own.directory / "fleet" / FLEET_REPLACE_FILE).touch()
                await alike([ams, own])
                assert own.names == ["theirs"] and not (own.directory / "fleet" / FLEET_REPLACE_FILE).exists()
                assert [one.name for one in own.store.tokens.all()] == ["theirs"]
                await own.pool("again")
                await alike([ams, own])
                (copy,) = own.directory.glob("store.sqlite.v*")
                kept = tmp_path / "kept"
                kept.mkdir()
                copy.rename(kept / "store.sqlite")
                with contextlib.closing(Store(kept)) as store:
                    assert [item.name for item in store.load()] == ["mine"]
            finally:
                await own.stop()
                own.store.close()

    run(go())


def test_a_fleet_that_was_begun_with_nothing_takes_up_who_comes_with_objects(tmp_path: Path) -> None:
    async def go() -> None:
        hub = PlayedHub()
        own = Machine(tmp_path, hub, "own")
        await own.pool("mine")
        async with fleet(tmp_path, "ams", "fra", hub=hub) as machines:
            own.start()
            try:
                await alike([*machines, own])
                assert machines[1].names == ["mine"]
                await machines[1].pool("more")
                await alike([*machines, own])
            finally:
                await own.stop()
                own.store.close()

    run(go())


def test_a_base_takes_the_place_of_what_is_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_base, "REVISIONS_MAX", 5)

    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):
            fra.bus.turn(Link.CUT)
            for number in range(40):
                await ams.pool(f"p{number}")
            await until(lambda: len(hub.messages) < 20)
            assert [one.subject for one in hub.messages if one.subject == "cfg.base"]
            fra.bus.turn(Link.UP)  # what it would follow on is no more there: it copies
            late = Machine(tmp_path, hub, "late")
            late.start()
            try:
                await alike([ams, fra, late])
                assert len(late.names) == 40
                await late.pool("more")
                await alike([ams, fra, late])
                await late.restart()
                await alike([ams, fra, late])
            finally:
                await late.stop()
                late.store.close()

    run(go())


def test_large_changes_go_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lbdns.fleet.replica.message_parts.PART_BYTES", 500)

    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):

            def many(edit: Edit) -> None:
                for number in range(200):
                    edit.create(Kind.POOL, _body(f"p{number}"))

            await ams.do(many)
            await alike([ams, fra])
            assert len([one for one in hub.messages if one.subject.startswith("dump.")]) > 5
            assert fra.names == [f"p{number}" for number in range(200)]
            late = Machine(tmp_path, hub, "late")
            late.start()
            try:
                await alike([ams, late])
            finally:
                await late.stop()
                late.store.close()

    run(go())


def test_what_another_release_made_is_kept_and_told(tmp_path: Path) -> None:
    """A kind and a field that this release does not know: stored to the octet, and no other machine waits for it."""

    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):
            await ams.pool("eu")
            await alike([ams, fra])
            row = ("b" * 32, "satellite", "", '{"name": "s",  "orbit": 1}', "t", "t", 2, "", 1)
            sent = SentRevision(2, "2026-11-29T00:00:00Z", "ann", "a satellite", (row,))
            frames = await asyncio.to_thread(fra.side._entry, [sent], (), 0, 2)
            await fra.side._append(*frames)
            await alike([ams, fra])
            (one,) = ams.manager.state.unreadable
            assert one.kind == "satellite" and ams.names == ["eu"]
            with pytest.raises(Unavailable, match="cannot be read"):
                await ams.pool("us")
            await ams.manager.mend("ann", "b" * 32, None)
            await alike([ams, fra])
            await ams.pool("us")
            await alike([ams, fra])
            assert fra.names == ["eu", "us"]

    run(go())


class Fussy:
    """Stands for the running server: serves, or refuses to."""

    def __init__(self) -> None:
        self.served: list[int | None] = []
        self.reloads: list[str] = []
        self.refusal = ""

    async def change(self, loaded: Loaded, cause: str, commit: Callable[[], None]) -> None:
        if self.refusal:
            raise LbdnsError(self.refusal)
        await asyncio.to_thread(commit)
        self.served.append(loaded.configuration.store_revision)

    async def reload(self, cause: str) -> str:
        self.reloads.append(cause)
        return ""

    async def operate(self, op: str, request: Mapping[str, Any]) -> Any:
        raise LbdnsError("not here")

    def in_force(self) -> Published:
        raise LbdnsError("not here")


def test_what_cannot_be_served_here_is_stored_and_others_go_on(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra") as (ams, fra):
            server = fra.manager.running = Fussy()
            await ams.pool("eu")
            await alike([ams, fra])
            server.refusal = "the disk of snapshots is full"
            await ams.pool("us")
            await ams.pool("as")
            await until(lambda: fra.side.told() == (3, ("the disk of snapshots is full",)))
            await alike([ams, fra])
            assert server.served == [1]
            server.refusal = ""
            await ams.pool("af")
            await alike([ams, fra])
            await until(lambda: server.served == [1, 4] and fra.side.told() == (4, ()) and bool(server.reloads))

    run(go())


def test_a_store_that_differs_is_copied_anew(tmp_path: Path) -> None:
    async def go() -> None:
        async with fleet(tmp_path, "ams", "fra") as (ams, fra):
            await ams.pool("eu")
            await alike([ams, fra])
            await fra.stop()
            with fra.store.writing() as connection:  # by other means than lbdns
                connection.execute("UPDATE objects SET body = replace(body, '192.0.2.1', '192.0.2.9')")
            fra.start()
            await until(lambda: fra.follows)
            await ams.pool("us")
            await alike([ams, fra])
            assert "192.0.2.9" not in str(fra.rows())

    run(go())


def test_a_lost_stream_is_begun_anew_by_who_has_the_newest(tmp_path: Path) -> None:
    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", "fra", hub=hub) as (ams, fra):
            await ams.pool("eu")
            await alike([ams, fra])
            ams.bus.turn(Link.CUT)
            await fra.pool("us")
            ams.replica._is_newest = lambda revision: revision >= 2
            hub.wipe()
            await until(lambda: fra.follows)
            ams.bus.turn(Link.UP)
            await alike([ams, fra])
            assert ams.names == ["eu", "us"]
            await ams.pool("as")
            await alike([ams, fra])

    run(go())


@pytest.mark.parametrize("seed", range(6))
def test_random_schedules(tmp_path: Path, seed: int) -> None:
    """Writers at once, cuts, lost replies, ends and starts: what was acknowledged is there once, and all are alike."""
    rng = random.Random(seed)

    async def go() -> None:
        hub = PlayedHub()
        made: set[str] = set()
        maybe: set[str] = set()
        async with fleet(tmp_path, "ams", "fra", "sin", hub=hub) as machines:

            async def write(machine: Machine, count: int) -> None:
                for number in range(count):
                    name = f"{machine.name}-{number}"
                    try:
                        if rng.random() < 0.2 and machine.names:
                            gone = rng.choice([*machine.manager.state.all(Kind.POOL)])
                            await machine.do(partial(describe, gone, name))
                        else:
                            await machine.pool(name)
                            made.add(name)
                    except (Unavailable, NotFound):
                        await asyncio.sleep(0.01)
                    except StoreError:  # not known, or of one that ended meanwhile
                        maybe.add(name)

            async def trouble() -> None:
                hub.lost_replies = lambda: rng.random() < 0.2
                for _ in range(12):
                    await asyncio.sleep(rng.random() * 0.15)
                    one = rng.choice(machines)
                    if rng.random() < 0.2:
                        await one.restart()
                    else:
                        one.bus.turn(rng.choice([*Link]))
                        if rng.random() < 0.5:
                            await asyncio.sleep(rng.random() * 0.4)
                        one.bus.turn(Link.UP)

            await asyncio.gather(*(write(one, 15) for one in machines), trouble())
            hub.lost_replies = lambda: False
            for one in machines:
                one.bus.turn(Link.UP)
            await alike(machines)
            names = machines[0].names
            assert len(names) == len(set(names))
            assert made <= set(names) <= made | maybe
            numbers = [one.number for one in machines[0].store.revisions(1000)]
            assert numbers == sorted(set(numbers), reverse=True)

    run(go())


def test_entries_name_what_they_follow_on(tmp_path: Path) -> None:
    async def go() -> None:
        hub = PlayedHub()
        async with fleet(tmp_path, "ams", hub=hub) as (ams,):
            await ams.pool("eu")
            entries = [decode_document(one.data) for one in hub.messages if one.subject == "cfg.rev"]
            assert [one["follows"] for one in entries] == [0, 1] and {one["by"] for one in entries} == {"ams"}

    run(go())
