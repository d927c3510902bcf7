"""A signer at work in this process: what its supervisor asks of it, lots by other processes, what it does by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signer.bulk_hands import PIECE, BulkHands
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.signer_at_work import SignerWorker
from lbdns.dnssec.signer.signing_terms import TermsOfZones
from lbdns.dnssec.snapshot_signing import SnapshotSigner
from lbdns.dnssec.unsigned import Unsigned
from lbdns.dnssec.zone_keys_words import decode_zone_keys
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.mapped.control import Control
from lbdns.mapped.counter_words import WORD_COUNT
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SignatureTable
from lbdns.model.configuration import Configuration
from lbdns.processes.responder.signature_client import SignatureClient
from lbdns.processes.supervisor.signer_link import SignerLink
from lbdns.publish.publisher import Publisher
from tests.dnssec.held_keys import TERMS, HeldKeys
from tests.dnssec.in_process import NOW_S, SomeKeys, sign
from tests.dnssec.no_foresight import NoForesight
from tests.dnssec.test_signature_files import Hand

pytestmark = pytest.mark.process

APEX = encode_canonical("example.com")
ZONE = "@ 300 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 300 IN NS ns\nns 300 IN A 192.0.2.53\n"
POLICIES = {"terms": TermsOfZones(TERMS, {}).as_json(), "keys": {"some": "policies"}}
DONE_S = 20.0


class Expecting(NoForesight):
    """Wants some RRsets signed beforehand."""

    def __init__(self) -> None:
        self.wanted: list[Unsigned] = []
        self.followed: list[int] = []

    def follow(self, snapshot: Any, table: Any) -> None:
        self.followed.append(snapshot.generation)

    def following(self) -> tuple[Unsigned, Verdict] | None:
        return (self.wanted.pop(), Verdict.LASTING) if self.wanted else None


class Stage:
    """A signer, its supervisor's end of the channel, and generations."""

    def __init__(self, folder: Path) -> None:
        self.run = RunDirectory(folder)
        self.control = Control.create(self.run.control)
        self.some = SomeKeys.make("example.com")
        self.keys = HeldKeys(self.some)
        self.expecting = Expecting()
        self.configuration = parse({"zones": {"example.com": ZONE}}, folder).configuration
        hand = Hand()

        def signing(configuration: Configuration) -> SnapshotSigner:
            return SnapshotSigner(ZoneSigning(), hand.zone_keys(), configuration.settings.dnssec, hand, NOW_S)

        self.publisher = Publisher(self.control, self.run, signing=signing)
        self.events: list[Mapping[str, Any]] = []

    def publish(self) -> None:
        self.publisher.publish(self.publisher.prepare(self.configuration))

    def play(self, use: Callable[[SignerLink], Awaitable[None]]) -> None:
        """Run the signer while `use` is at work."""

        async def played() -> None:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                worker = SignerWorker(self.run, self.keys, lambda _: self.expecting, theirs, lambda: float(NOW_S))
                working = asyncio.create_task(worker.work(None))
                link = SignerLink(ours, self.events.append)
                try:
                    await asyncio.wait_for(use(link), DONE_S)
                finally:
                    worker.stop()
                    await working
                    await link.close()

        asyncio.run(played())

    async def heard(self, holds: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """Return the first event that something holds of, when it has come; those before it are gone then."""
        while True:
            while self.events:
                event = self.events.pop(0)
                if holds(event):
                    return event
            await asyncio.sleep(0.01)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.run.remove()


def is_of(kind: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda event: event["event"] == kind


def test_it_says_which_keys_there_are_and_signs_before_it_serves(stage: Stage) -> None:
    async def use(link: SignerLink) -> None:
        await link.ask("policies", POLICIES)
        event = await stage.heard(is_of("keys"))
        assert [decode_zone_keys(one) for one in event["zones"]] == [stage.some.keys]
        assert stage.keys.policies == {"some": "policies"}
        key = stage.some.keys.zone_signers[0].id
        random = Random(1)
        lot = [(key, random.randbytes(random.randrange(300))) for _ in range(3 * PIECE + 5)]
        signed = await link.sign(lot)
        assert signed == [sign(stage.some.private[key], data) for _, data in lot]
        with pytest.raises(LbdnsError, match="there is no key"):
            await link.sign([(key ^ 1, b"x")])
        assert len(await link.sign(lot[:3])) == 3
        assert await link.ask("roll", {"zone": "example.com"}) == {"verb": "roll", "zone": "example.com"}
        with pytest.raises(LbdnsError, match="that is refused"):
            await link.ask("refuse", {})
        await link.ask("published", {APEX.hex(): [1, 2]})
        assert stage.keys.said == [{APEX.hex(): [1, 2]}]
        assert not stage.run.signer.exists()

    stage.play(use)


def test_it_serves_responders_and_fills_the_table_beforehand(stage: Stage) -> None:
    stage.publish()
    stage.expecting.wanted = [Unsigned(APEX, APEX, 1, number, (b"\1\2\3\4",)) for number in range(50)]

    async def use(link: SignerLink) -> None:
        await link.ask("policies", POLICIES)
        await link.ask("serve", {})
        event = await stage.heard(lambda one: one["event"] == "counts" and one["made"] >= 50)
        assert event["table_used"] == 50 and event["problem"] == ""
        assert stage.expecting.followed == [1]
        client = SignatureClient(lambda: stage.run.signer, memoryview(bytearray(8 * WORD_COUNT)).cast("Q"))
        wanted = Unsigned(APEX, APEX, 28, 60, (bytes(16),))
        given = await asyncio.to_thread(client.ask, [wanted])
        assert len(given[wanted]) == 1
        client.close()
        table = SignatureTable(stage.run.signatures(1))
        assert table.lengths().count(18 + 64) == 51

    stage.play(use)


def test_it_goes_on_with_what_is_published(stage: Stage) -> None:
    stage.publish()

    async def use(link: SignerLink) -> None:
        await link.ask("policies", POLICIES)
        await link.ask("serve", {})
        client = SignatureClient(lambda: stage.run.signer, memoryview(bytearray(8 * WORD_COUNT)).cast("Q"))
        wanted = Unsigned(APEX, APEX, 28, 60, (bytes(16),))
        before = await asyncio.to_thread(client.ask, [wanted])
        # A table that takes its place takes over what it holds: here as the first was removed with all else.
        stage.run.signatures(1).unlink()
        stage.run.signer.unlink()
        stage.publish()
        while stage.expecting.followed != [1, 2] or not stage.run.signer.exists():
            await asyncio.sleep(0.01)
        client.close()
        assert (await asyncio.to_thread(client.ask, [wanted])).keys() == before.keys()
        client.close()
        assert SignatureTable(stage.run.signatures(2)).lengths().count(18 + 64) == 1

    stage.play(use)


def test_keys_that_change_are_told_and_hands_have_none_of_those_before(stage: Stage) -> None:
    stage.publish()
    other = SomeKeys.make("example.com", seed="other")

    async def use(link: SignerLink) -> None:
        await link.ask("policies", POLICIES)
        await link.ask("serve", {})
        old, new = (one.keys.zone_signers[0].id for one in (stage.some, other))
        assert len(await link.sign([(old, b"x")])) == 1
        stage.events.clear()
        stage.keys.have(other)
        event = await stage.heard(is_of("keys"))
        assert [decode_zone_keys(one) for one in event["zones"]] == [other.keys]
        assert await link.sign([(new, b"x")]) == [sign(other.private[new], b"x")]
        with pytest.raises(LbdnsError, match="there is no key"):
            await link.sign([(old, b"x")])

    stage.play(use)


def test_a_second_signer_serves_when_the_first_has_ended(stage: Stage) -> None:
    stage.publish()

    async def use(link: SignerLink) -> None:
        await link.ask("policies", POLICIES)
        await link.ask("serve", {})
        ours, theirs = socket.socketpair()
        with ours, theirs:
            second = SignerWorker(stage.run, HeldKeys(stage.some), lambda _: Expecting(), theirs, lambda: float(NOW_S))
            working = asyncio.create_task(second.work(None))
            other = SignerLink(ours, lambda event: None)
            await other.ask("policies", POLICIES)
            assert len(await other.sign([(stage.some.keys.zone_signers[0].id, b"x")])) == 1
            serving = asyncio.create_task(other.ask("serve", {}))
            await asyncio.sleep(0.1)
            assert not serving.done()
            second.stop()
            await working
            await other.close()
            with pytest.raises(LbdnsError):
                await serving

    stage.play(use)


def test_a_hand_that_is_killed_costs_its_lot_alone(stage: Stage) -> None:
    key = stage.some.keys.zone_signers[0].id

    async def use() -> None:
        hands = BulkHands(stage.keys.sign, 1)
        assert len(await hands.signatures([(key, b"x")])) == 1
        os.kill(hands.pids[0], signal.SIGKILL)
        with pytest.raises(LbdnsError, match="a process that signs in bulk ended"):
            await hands.signatures([(key, b"x")] * 3)
        assert len(await hands.signatures([(key, b"x")] * 3)) == 3
        hands.close()
        assert hands.pids == []

    asyncio.run(use())


def test_nothing_is_looked_for_before_there_is_a_table(stage: Stage) -> None:
    """Signing the first zone takes all that the processor has."""

    class NeverIdle(NoForesight):
        is_idle = False

        def following(self) -> tuple[Unsigned, Verdict] | None:
            raise AssertionError("it was asked")

    async def look() -> bool:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            worker = SignerWorker(stage.run, stage.keys, lambda _: NeverIdle(), theirs, lambda: float(NOW_S))
            return worker._fill_some()

    assert asyncio.run(look()) is False
