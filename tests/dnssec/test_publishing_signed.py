"""Generations of signed zones: what a change costs, what a restart keeps, when they are published anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lbdns.answer.serving_view import ServingView
from lbdns.base.errors import LbdnsError
from lbdns.base.progress import watched_by
from lbdns.config.loading import parse
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.zone_keys import ZoneKeys
from lbdns.dnssec.zone_signing import STAGE
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.snapshot_file import RENEWAL, SIGNED, Snapshot
from lbdns.model.configuration import Configuration
from lbdns.processes.supervisor.resigning import Resigning, renewal_left_s
from lbdns.publish.last_served import LastServedWriter
from lbdns.publish.publisher import Published, Publisher
from tests.dnssec.in_process import NOW_S, SigningHand, SomeKeys
from tests.dnssec.test_signed_columns import TREE, ZONE, entry_of

KEYS = SomeKeys.make("example.com")
APEX = encode_canonical("example.com")


@dataclass
class FakeSigner:
    """A signer in this process."""

    several: list[SomeKeys] = field(default_factory=lambda: [KEYS])
    problems: dict[bytes, str] = field(default_factory=dict)
    hand: SigningHand = field(default_factory=lambda: SigningHand(KEYS))
    is_away: str = ""  # what is said of it: it raises that

    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        """Return the keys of those that have no problem."""
        if self.is_away == "nobody knows the keys":
            raise LbdnsError(self.is_away)
        return {one.keys.apex: one.keys for one in self.several if one.keys.apex not in self.problems}

    def key_problems(self) -> Mapping[bytes, str]:
        """Return the problems."""
        return self.problems

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Sign."""
        if self.is_away == "it cannot sign":
            raise LbdnsError(self.is_away)
        return self.hand(wanted)


class Server:
    """A publisher with a signer, at a time of day that is told."""

    def __init__(self, folder: Path) -> None:
        self.signer = FakeSigner()
        self.state = folder / "state"
        self.run = RunDirectory(folder / "run")
        self.control = Control.create(self.run.control)
        self.restart()

    def restart(self) -> None:
        """Begin with what lies on disk alone."""
        self.resigning = Resigning(self.signer, self.state, self.run.path)
        self.publisher = Publisher(self.control, self.run, signing=self.resigning.signing)

    def publish(self, configuration: Configuration) -> tuple[Published, int]:
        """Publish, and return what that is, and how many signatures it took."""
        before = len(self.signer.hand.asked)
        published = self.publisher.prepare(configuration)
        self.publisher.publish(published)
        return published, len(self.signer.hand.asked) - before

    def keep(self, published: Published) -> None:
        """Keep what is served for a restart."""
        LastServedWriter(self.state).keep(published, "the files", {"lbdns.yaml": ""}, 1.0)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of day that the server has: the one item."""
    at = [float(NOW_S)]
    monkeypatch.setattr("lbdns.processes.supervisor.resigning.time.time", lambda: at[0])
    return at


@pytest.fixture
def server(tmp_path: Path, now: list[float]) -> Iterator[Server]:
    """A server."""
    made = Server(tmp_path)
    yield made
    made.run.remove()


def read(tree: Mapping[str, Any] = TREE, **more: str) -> Configuration:
    """Return the configuration, with more records in example.com (name=text), read anew."""
    zone = ZONE + "".join(f'{name} IN TXT "{text}"\n' for name, text in more.items())
    return parse({**tree, "zones": {**tree["zones"], "example.com": zone}}, Path()).configuration


def signatures(published: Published, name: str) -> list[tuple[bytes, ...]]:
    """Return the signatures at a name of example.com."""
    view = ServingView(published.snapshot, published.table)
    return [one.signatures for one in view.rrsets(entry_of(view, 0, name))]


def test_changes_sign_what_changed(server: Server) -> None:
    first, all_made = server.publish(read())
    assert all_made > 20 and first.snapshot.meta[SIGNED] == [[APEX.hex(), KEYS.keys.digest, 300]]
    same, made = server.publish(read())
    assert made == 0 and signatures(same, "www.example.com") == signatures(first, "www.example.com")
    _, made = server.publish(read(new="text"))
    assert 0 < made <= 3
    other, made = server.publish(read(new="other"))
    assert made == 1
    more = {
        **TREE,
        "load_balancers": [*TREE["load_balancers"], {**TREE["load_balancers"][0], "name": "l2.example.com"}],
    }
    _, made = server.publish(read(more, new="other"))
    assert made == 2  # its NSEC, and that of the name before
    assert signatures(other, "www.example.com") == signatures(first, "www.example.com")


def test_another_pool_may_change_what_a_name_can_have(server: Server) -> None:
    server.publish(read())
    pools = {
        **TREE["pools"],
        "v4": {"origins": [*TREE["pools"]["v4"]["origins"], {"name": "e6", "address": "2001:db8::2"}]},
    }
    _, made = server.publish(read({**TREE, "pools": pools}))
    assert made == 2  # the bitmaps of `lb` and `mixed`; the others had both families


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_restart_keeps_signatures(server: Server, is_killed: bool) -> None:
    """By what was served last; or, where an earlier start left its responders serving, by what is in force."""
    first, _ = server.publish(read(new="text"))
    if not is_killed:
        server.keep(first)
    server.restart()
    if is_killed:
        assert server.publisher.resume() and server.publisher.resumed is not None
        server.resigning.seed(server.publisher.resumed)
    again, made = server.publish(read(new="text"))
    assert made == 0
    assert all(
        signatures(again, name) == signatures(first, name)
        for name in ("example.com", "www.example.com", "new.example.com")
    )
    server.restart()
    if is_killed:
        assert server.publisher.resume() and server.publisher.resumed is not None
        server.resigning.seed(server.publisher.resumed)
    _, made = server.publish(read(new="other"))
    assert made == 1


@pytest.mark.parametrize("denial", ["nsec3", "compact"])
def test_a_restart_keeps_signatures_of_other_denials(server: Server, denial: str) -> None:
    tree = {**TREE, "settings": {**TREE["settings"], "dnssec": {"denial": denial}}}
    first, made = server.publish(read(tree))
    assert made
    server.keep(first)
    server.restart()
    assert server.publish(read(tree))[1] == 0


def test_a_copy_that_cannot_be_read_costs_signatures_alone(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    first, made = server.publish(read())
    server.keep(first)
    next(server.state.rglob("snapshot")).write_bytes(b"damaged")
    server.restart()
    assert server.publish(read())[1] == made
    assert "signatures of what was served last cannot be read, so all are made anew" in caplog.text


def test_views_share_signatures(server: Server) -> None:
    """What everybody sees is signed once, however many views see it beside something of their own."""
    views = {"inside": {"networks": ["10.0.0.0/8"]}, "lab": {"networks": ["172.16.0.0/12"]}}
    tree = {
        **TREE,
        "settings": {**TREE["settings"], "views": views},
        "load_balancers": [
            *TREE["load_balancers"],
            {"name": "own.example.com", "view": "lab", "default_pools": ["v4"], "fallback_pool": "v4"},
            {"name": "own.example.com", "view": "inside", "default_pools": ["both"], "fallback_pool": "both"},
        ],
    }
    plain, all_made = server.publish(read())
    assert list(plain.snapshot.columns["zone_signed"]) == [1, 0]
    viewed, made = server.publish(read(tree))
    assert sorted(viewed.snapshot.columns["zone_signed"]) == [0, 1, 1, 1]
    # Of the two views each: the NSEC of the name that is new, and of the name before, which they share.
    assert made == 3
    server.keep(viewed)
    server.restart()
    assert server.publish(read(tree))[1] == 0
    assert len(viewed.snapshot.meta[SIGNED]) == 3
    assert all_made > 20


def test_a_zone_is_never_published_unsigned(server: Server) -> None:
    """Neither while its keys cannot be read, nor while the signer is away."""
    first, _ = server.publish(read())
    server.signer.problems = {APEX: "its state is damaged"}
    same, made = server.publish(first.configuration)
    assert made == 0 and signatures(same, "www.example.com") == signatures(first, "www.example.com")
    with pytest.raises(LbdnsError, match=r"zone example\.com cannot be signed: its state is damaged"):
        server.publisher.prepare(read(new="text"))
    server.signer.problems = {}
    server.signer.hand.fault = LbdnsError("the signer is away")
    with pytest.raises(LbdnsError, match="the signer is away"):
        server.publisher.prepare(read(new="text"))
    # What needs no signature is published all the same.
    tree = {**TREE, "load_balancers": [{**TREE["load_balancers"][0], "ttl": 77}, *TREE["load_balancers"][1:]]}
    assert server.publish(read(tree))[1] == 0


def test_progress_is_told(server: Server) -> None:
    stages: list[tuple[str, int, int]] = []
    with watched_by(lambda *said: stages.append(said)):
        server.publish(read())
    of_signing = [(done, total) for stage, done, total in stages if stage == STAGE]
    assert of_signing[0][0] == 0 and of_signing[-1][0] == of_signing[-1][1] > 20


async def never(cause: str) -> str:
    """Reload where nothing is to be loaded."""
    raise AssertionError(cause)


@pytest.mark.parametrize("fault", ["it cannot sign", "nobody knows the keys", "a mistake"])
def test_what_the_signer_was_lacking_for_is_tried_again(server: Server, fault: str) -> None:
    """A change of the files, once it is back; one with a mistake of its own waits for the files to change."""
    published, _ = server.publish(read())
    signer, reloads = server.signer, 0

    async def reload(_cause: str) -> str:
        nonlocal reloads, published
        reloads += 1
        if reloads == 3:
            signer.is_away = ""
        if fault == "a mistake":
            server.resigning.note(is_served=False)
            return fault
        try:
            published, _ = server.publish(read(new="text"))
        except LbdnsError as error:
            server.resigning.note(is_served=False)
            return str(error)
        server.resigning.note(is_served=True)
        return ""

    looks = 0

    async def sleep(seconds: float) -> None:
        nonlocal looks
        assert 0 < seconds <= 60
        looks += 1
        if looks == 6:
            raise asyncio.CancelledError

    async def watch() -> None:
        signer.is_away = fault
        assert await reload("files changed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lbdns.processes.supervisor.resigning.asyncio.sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await server.resigning.watch(lambda: published, never, reload)

    asyncio.run(watch())
    assert reloads == (1 if fault == "a mistake" else 3)
    if fault != "a mistake":
        assert signatures(published, "new.example.com")


def test_when_signatures_are_due_all_is_published_anew(server: Server, now: list[float]) -> None:
    """Once; and again soon after a publication that was refused."""
    first, _ = server.publish(read())
    assert renewal_left_s(first.snapshot, NOW_S) == first.snapshot.meta[RENEWAL] - NOW_S > 0
    causes: list[str] = []
    in_force = [first]

    async def republish(cause: str) -> str:
        causes.append(cause)
        if len(causes) == 1:
            return "refused"
        made, count = server.publish(first.configuration)
        assert count
        in_force[0] = made
        return ""

    async def watch(for_looks: int) -> None:
        looks = 0

        async def sleep(seconds: float) -> None:
            nonlocal looks
            assert 0 < seconds <= 60
            looks += 1
            if looks == for_looks:
                raise asyncio.CancelledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lbdns.processes.supervisor.resigning.asyncio.sleep", sleep)
            with pytest.raises(asyncio.CancelledError):
                await server.resigning.watch(lambda: in_force[0], republish, never)

    asyncio.run(watch(3))
    assert not causes
    now[0] = first.snapshot.meta[RENEWAL]
    asyncio.run(watch(3))
    assert causes == ["signatures are made anew"] * 2
    assert in_force[0].snapshot.meta[RENEWAL] > now[0]
    # Keys that are others than those in force: whatever became of the word that they are.
    server.signer.several = [KEYS.with_cds(), SomeKeys.make("example.net")]  # one of a zone that is not served
    asyncio.run(watch(2))
    assert causes[2:] == ["keys are others than those that are served"]
    server.signer.problems = {APEX: "damaged"}
    asyncio.run(watch(2))
    assert len(causes) == 3


def test_nothing_is_due_where_nothing_is_signed() -> None:
    assert renewal_left_s(Snapshot({}, {RENEWAL: 0}), NOW_S) == float("inf")


def test_a_server_without_keys_signs_nothing(server: Server) -> None:
    server.signer.several = []
    published, made = server.publish(read())
    assert made == 0 and not len(published.snapshot.columns["zone_signed"])
    assert published.snapshot.meta[SIGNED] == []


def test_the_longest_ttl_is_told_with_load_balancers(server: Server) -> None:
    """A cache may keep what a rule gives longer than all else."""
    rules = [{"condition": "", "overrides": {"ttl": 7200}}]
    tree = {**TREE, "load_balancers": [{**TREE["load_balancers"][0], "rules": rules}]}
    published, _ = server.publish(read(tree))
    assert published.snapshot.meta[SIGNED] == [[APEX.hex(), KEYS.keys.digest, 7200]]
    again = replace(KEYS, keys=replace(KEYS.with_cds().keys))
    server.signer.several = [again]
    published, made = server.publish(read(tree))
    assert made == 3 and published.snapshot.meta[SIGNED][0][1] == again.keys.digest  # CDS, CDNSKEY, and the bitmap
