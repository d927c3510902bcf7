"""Keeping a configuration: whole or not at all, whenever the writer ends; and what is read back is what was kept."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.base.pacing import Pacing
from lbdns.base.words import LAST_SERVED
from lbdns.config.loading import examine, parse
from lbdns.dns.zone import RRset, Zone
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.model.configuration import Configuration, UnreadyZone
from lbdns.model.configuration_document import (
    ConfigurationDocument,
    ObjectsDocument,
    decode_configuration,
    encode_configuration,
)
from lbdns.model.resting_configuration import RestingConfiguration
from lbdns.processes.supervisor.keeping import REST_MIN_S, Keeper, ToKeep
from lbdns.publish.last_served import LastServedWriter, find_last_served
from lbdns.publish.publisher import Published, Publisher
from tests.processes.load import configuration

GOOD = Path(__file__).parents[1] / "config" / "good"
SOURCE = "the files in /etc/lbdns"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Published, Published]]:
    """Two generations."""
    work = tmp_path_factory.mktemp("published")
    run = RunDirectory(work / "state")
    publisher = Publisher(Control.create(run.control), run)
    made = []
    for ttl in (30, 40):
        made.append(publisher.prepare(parse(configuration(ttl=ttl), work).configuration))
        publisher.publish(made[-1])
    yield made[0], made[1]
    run.remove()


def kept_ttl(state: Path) -> int:
    """Return the TTL of the one load balancer that is kept, after reading all that is."""
    kept = find_last_served(state, SOURCE)
    assert kept is not None
    snapshot, slots = kept.compiled(state)
    assert slots.pool and len(snapshot.columns["lb_ttl"]) == 1
    found = kept.configuration()
    assert snapshot.columns["lb_ttl"][0] == found.load_balancers[0].ttl
    assert (kept.texts() / "a.txt").read_text() == str(found.load_balancers[0].ttl)
    assert found.load_balancers[0].ttl is not None
    return found.load_balancers[0].ttl


def keep(state: Path, one: Published) -> None:
    ttl = one.configuration.load_balancers[0].ttl
    LastServedWriter(state).keep(one, SOURCE, {"a.txt": str(ttl), "b/c.txt": "the same"}, 1.0)


def dying(real: Callable[..., object], calls: int) -> Callable[..., object]:
    """Return a function that ends the process in its n-th call, as SIGKILL does: nothing is tidied up."""
    numbers = itertools.count(1)

    def call(*arguments: object) -> object:
        if next(numbers) == calls:
            os._exit(9)
        return real(*arguments)

    return call


@pytest.mark.process
@pytest.mark.parametrize("call", ["fsync", "replace", "link"])
def test_who_is_killed_while_he_writes_leaves_a_whole_copy(
    tmp_path: Path, published: tuple[Published, Published], call: str
) -> None:
    first, second = published
    seen = set()
    for calls in range(1, 40):
        state = tmp_path / f"{call}-{calls}"
        keep(state, first)
        child = os.fork()
        if child == 0:
            setattr(os, call, dying(getattr(os, call), calls))
            keep(state, second)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        seen.add(kept_ttl(state))
        keep(state, first)  # removes what was left
        assert len([path for path in (state / LAST_SERVED).iterdir() if path.is_dir()]) == 1
        if ended == 0:
            break
    else:
        pytest.fail("it never came through")
    assert seen == {30, 40}


def test_a_full_disk_leaves_what_was_kept(
    tmp_path: Path, published: tuple[Published, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = published
    keep(tmp_path, first)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(LbdnsError, match="No space left on device"):
            keep(tmp_path, second)
    assert kept_ttl(tmp_path) == 30
    assert len(list((tmp_path / LAST_SERVED).iterdir())) == 2
    keep(tmp_path, second)
    assert kept_ttl(tmp_path) == 40


def kept_text(ttl: str, pace: Pacing | None) -> Mapping[str, str]:
    return {"a.txt": ttl}


def test_of_changes_that_hurry_not_each_is_kept_but_the_last_one(
    tmp_path: Path, published: tuple[Published, Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        ToKeep(one, partial(kept_text, ttl), 1.0) for one, ttl in zip(published, ("30", "40"), strict=True)
    )
    rests: list[float] = []

    async def hurry() -> None:
        rests_now = asyncio.Event()

        async def rest(rest_s: float) -> None:
            rests.append(rest_s)
            rests_now.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(asyncio, "sleep", rest)
        keeper = Keeper(tmp_path, SOURCE)
        keeper.start()
        keeper.tell(first)
        await rests_now.wait()
        keeper.tell(second)
        assert kept_ttl(tmp_path) == 30
        await keeper.close()
        assert kept_ttl(tmp_path) == 40

    asyncio.run(hurry())
    assert len(rests) == 1 and rests[0] >= REST_MIN_S


def test_files_that_stay_are_not_written_again(tmp_path: Path, published: tuple[Published, Published]) -> None:
    first, second = published
    writer = LastServedWriter(tmp_path)
    writer.keep(first, SOURCE, {"a.txt": "a", "b/c.txt": "the same"}, 1.0)
    before = find_last_served(tmp_path, SOURCE)
    assert before is not None
    inodes = {name: (before.path / name).stat().st_ino for name in before.digests}
    writer.keep(second, SOURCE, {"a.txt": "b", "b/c.txt": "the same"}, 2.0)
    after = find_last_served(tmp_path, SOURCE)
    assert after is not None and after.digests.keys() == before.digests.keys()
    same = {name for name in after.digests if (after.path / name).stat().st_ino == inodes[name]}
    assert {"tries", "files/b/c.txt"} <= same
    assert not same & {"snapshot", "configuration.json", "files/a.txt"}


def test_what_is_kept_of_another_source_is_not_ours(tmp_path: Path, published: tuple[Published, Published]) -> None:
    keep(tmp_path, published[0])
    assert find_last_served(tmp_path, "the files in /elsewhere") is None
    assert find_last_served(tmp_path / "nowhere", SOURCE) is None


def documents() -> list[Configuration]:
    examined = [examine(path).configuration for path in sorted(GOOD.iterdir()) if path.is_dir()]
    return [one for one in examined if one is not None]


@pytest.mark.parametrize("one", documents(), ids=str)
def test_a_configuration_is_read_back_as_it_was(one: Configuration) -> None:
    again = decode_configuration(encode_configuration(one))
    assert again == one
    assert again.pool_ids == one.pool_ids
    # What was not said stays unsaid: what is on by default may depend on how lbdns is started.
    assert again.settings.model_fields_set == one.settings.model_fields_set


def test_nothing_of_a_configuration_is_left_out() -> None:
    fields = [field.name for field in dataclasses.fields(Configuration)]
    parts = (*dataclasses.fields(ConfigurationDocument), *dataclasses.fields(ObjectsDocument))
    assert sorted(fields) == sorted(field.name for field in parts)
    full = Configuration(pool_ids={"eu": "1"}, account_id="2", unready=(UnreadyZone(Zone(b"\x00", (), ""), ("no",)),))
    again = decode_configuration(encode_configuration(full))
    assert (again.pool_ids, again.account_id, again.unready) == ({"eu": "1"}, "2", full.unready)


def test_whose_view_zones_are_is_kept() -> None:
    """Else a start would tell everybody what one view alone may see."""
    office, guests = (Zone(b"\x04corp\x00", (), "", view) for view in ("office", "guests"))
    overlay = Zone(b"\x00", (RRset(b"\x00", 16, 60, (b"\x01x",), 1),), "overlay", "office")
    one = Configuration(
        zones=(office, Zone(b"\x00", (), "")), overlays=(overlay,), unready=(UnreadyZone(guests, ("no",)),)
    )
    assert decode_configuration(encode_configuration(one)) == one


@pytest.mark.parametrize("one", documents(), ids=str)
def test_what_rests_of_a_configuration_is_read_when_it_is_asked_for(one: Configuration) -> None:
    resting = RestingConfiguration.of(encode_configuration(one))
    assert resting.settings == one.settings and resting.unready == one.unready and not resting.is_read
    assert repr(resting).endswith("at rest>") and not resting.is_read
    assert resting.load_balancers == one.load_balancers and resting.is_read
    assert resting.zones == one.zones and resting.pools == one.pools and resting.pools is resting.pools
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = resting.nothing_of_it
    changed = dataclasses.replace(RestingConfiguration.of(encode_configuration(one)), account_id="another")
    assert (changed.account_id, changed.pools) == ("another", one.pools)


def test_what_rests_and_is_none_of_this_release_is_told_to_who_asks() -> None:
    few, _, _ = encode_configuration(Configuration()).partition(b"\n")
    resting = RestingConfiguration.of(few + b'\n{"pools": 1}')
    for _ in range(2):
        with pytest.raises(LbdnsError, match="not a configuration of this release"):
            _ = resting.pools


@pytest.mark.parametrize("data", [b"", b"{}", b'{"settings": 1}', b"\xff", b"{}\n{}", b"\xff\n\xff"])
def test_what_is_no_configuration_is_refused(data: bytes) -> None:
    with pytest.raises(LbdnsError, match="not a configuration of this release"):
        decode_configuration(data)
