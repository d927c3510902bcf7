"""Replicas in a simulated fleet: no acknowledged change is lost, none contradicts another, all come to the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lbdns.fleet.replica import fleet_base, fleet_replica
from lbdns.fleet.replica.replica_store import StorePlace
from lbdns.fleet.replica.revision_message import Arrived
from lbdns.manage.store.fleet_rows import write_mark
from lbdns.manage.store.fleet_store import FleetStore
from lbdns.manage.store.refusals import RaceLost
from lbdns.manage.store.sqlite import Revision
from lbdns.manage.store.unreadable import Unreadable
from lbdns.model.fleet_mark import FleetMark
from tests.fleet.simulation.simulate import replica_schedule
from tests.fleet.simulation.simulated_replicas import ReplicaOutcome, simulate_replicas
from tests.fleet.simulation.stored_machine import SteppedFleetStore
from tests.fleet.simulation.stream_hub import Moved, StreamHub

pytestmark = pytest.mark.slow


def lived(seed: int, machine_count: int = 4, hours: float = 0.4) -> ReplicaOutcome:
    """Return what replicas come to after some minutes of faults."""
    return simulate_replicas(seed, machine_count, replica_schedule(seed, machine_count, hours, 50, 500), hours)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_what_is_acknowledged_is_everywhere(seed: int) -> None:
    outcome = lived(seed, machine_count=3 + seed % 3)
    assert outcome.wrong == ()
    assert outcome.acknowledged_count > 50
    assert outcome.unknown_count + outcome.refused_count > 5, "the faults did something"


def test_a_seed_says_everything() -> None:
    assert lived(5) == lived(5)


def test_the_oracle_sees_a_hub_that_does_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    append = StreamHub.append

    def careless(hub: StreamHub, now_s: float, subject: str, data: bytes, id: str, expected: int | None) -> int | Moved:
        return append(hub, now_s, subject, data, id, None)

    monkeypatch.setattr(StreamHub, "append", careless)
    assert lived(1, hours=0.1).wrong


def test_the_oracle_sees_a_hub_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    append = StreamHub.append

    def forgetful(
        hub: StreamHub, now_s: float, subject: str, data: bytes, id: str, expected: int | None
    ) -> int | Moved:
        found = append(hub, now_s, subject, data, id, expected)
        if found == 20:
            hub.kept.pop()
        return found

    monkeypatch.setattr(StreamHub, "append", forgetful)
    assert lived(1, hours=0.1).wrong


# --- with the product's stores ---


def stored(work: Path, seed: int, machine_count: int = 3, hours: float = 0.4) -> ReplicaOutcome:
    """Return the same of machines with the product's StoreManager, FleetStore and SQLite."""
    faults = replica_schedule(seed, machine_count, hours, 50, 500)
    return simulate_replicas(seed, machine_count, faults, hours, work)


@pytest.mark.parametrize("seed", [1, 2])
def test_stores_lose_nothing_that_is_acknowledged_and_hold_no_two_truths(seed: int, tmp_path: Path) -> None:
    outcome = stored(tmp_path, seed)
    assert outcome.wrong == ()
    assert outcome.acknowledged_count > 50
    assert outcome.unknown_count + outcome.refused_count > 5, "the faults did something"


def test_stores_take_bases_and_a_seed_says_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_base, "REVISIONS_MAX", 10)
    replaced = []
    replace = FleetStore.replace

    async def told(
        store: FleetStore, generation: str, base: fleet_base.FleetBase, arrived: Sequence[Arrived]
    ) -> object:
        replaced.append(base.revision)
        return await replace(store, generation, base, arrived)

    monkeypatch.setattr(FleetStore, "replace", told)
    first = stored(tmp_path / "first", 5)
    assert first.wrong == ()
    assert max(replaced) > 10, "somebody was away for longer than what is kept, and took a base"
    assert stored(tmp_path / "second", 5) == first


def test_the_oracle_sees_stores_of_a_hub_that_does_not_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append = StreamHub.append

    def careless(hub: StreamHub, now_s: float, subject: str, data: bytes, id: str, expected: int | None) -> int | Moved:
        return append(hub, now_s, subject, data, id, None)

    monkeypatch.setattr(StreamHub, "append", careless)
    assert stored(tmp_path, 1).wrong


def test_the_oracle_sees_a_store_that_acknowledges_what_another_machine_was_first_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = SteppedFleetStore.append

    def careless(
        store: SteppedFleetStore, revisions: Sequence[Revision], dropped: Sequence[Unreadable], given_out: int
    ) -> str:
        try:
            return append(store, revisions, dropped, given_out)
        except RaceLost:
            return store._store.mark

    monkeypatch.setattr(SteppedFleetStore, "append", careless)
    assert any("was acknowledged as" in one for one in stored(tmp_path, 2).wrong)


@pytest.mark.parametrize("is_compared", [True, False])
def test_who_lacks_an_entry_finds_that_by_the_sum_and_else_the_oracle_does(
    is_compared: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, forgotten = FleetStore.take, list[Arrived]()

    async def forgetful(store: FleetStore, generation: str, arrived: Sequence[Arrived]) -> StorePlace:
        mark, last = store._mark(), arrived[-1]
        if forgotten or mark is None or mark.sequence >= arrived[0].sequence or last.entry.revision < 20:
            return await take(store, generation, arrived)
        forgotten.extend(arrived)
        write_mark(store._store, store._mark_text(FleetMark(generation, last.sequence)))
        return (await store.place())._replace(revision=last.entry.revision, sum=last.entry.sum)

    monkeypatch.setattr(FleetStore, "take", forgetful)
    if not is_compared:
        monkeypatch.setattr(fleet_replica, "_check_sum", lambda place, newest: None)
    outcome = stored(tmp_path, 2)
    assert forgotten
    assert outcome.wrong, "for a moment one revision was two things"
    assert any("differ in the end" in one for one in outcome.wrong) is not is_compared
