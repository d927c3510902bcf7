"""Publishing with signed zones: signatures in the snapshot, a table with room beside it, which goes on or grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.config.loading import parse
from lbdns.dns.codes import TYPE_SOA
from lbdns.dnssec.snapshot_signing import SnapshotSigner, signature_bytes
from lbdns.dnssec.zone_keys import ZoneKeys, signing_key
from lbdns.dnssec.zone_signing import ZoneSigning
from lbdns.mapped.columns import SIGNATURE_HEAD_BYTES
from lbdns.mapped.control import Control
from lbdns.mapped.run_directory import RunDirectory
from lbdns.mapped.signature_table import SLOTS_MIN, SignatureTable, SignatureWriter, Signed
from lbdns.mapped.snapshot_file import SIGNATURES
from lbdns.model.configuration import Configuration
from lbdns.publish.publisher import Publisher
from lbdns.publish.signature_files import SignatureFiles, SignatureRoom
from tests.dnssec.in_process import NOW_S, SigningHand, SomeKeys

ZONE = "@ 300 IN SOA ns hostmaster 1 7200 900 1209600 60\n@ 300 IN NS ns\nns 300 IN A 192.0.2.53\n"


class Hand:
    """A signer in this process."""

    def __init__(self) -> None:
        self.some: SomeKeys | None = SomeKeys.make("example.com")
        self.bulk = SigningHand(self.some)

    def zone_keys(self) -> Mapping[bytes, ZoneKeys]:
        """Return its keys, while it has any."""
        return {} if self.some is None else {self.some.keys.apex: self.some.keys}

    def key_problems(self) -> Mapping[bytes, str]:
        """Return none."""
        return {}

    def sign_in_bulk(self, wanted: Sequence[tuple[int, bytes]]) -> list[bytes]:
        """Sign."""
        return self.bulk(wanted)


class Place:
    """A run directory with a publisher, whose zone is signed while it has keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = RunDirectory(folder)
        self.control = Control.create(self.run.control)
        self.hand = Hand()
        self.publisher = Publisher(self.control, self.run, signing=self.signing)
        self._zone_signing = ZoneSigning()

    def signing(self, configuration: Configuration) -> SnapshotSigner | None:
        keys = self.hand.zone_keys()
        if not keys:
            return None
        return SnapshotSigner(self._zone_signing, keys, configuration.settings.dnssec, self.hand, NOW_S)

    def configuration(self, **more: Any) -> Configuration:
        tree = {"zones": {"example.com": ZONE}, **more}
        return parse(tree, self.folder).configuration


@pytest.fixture
def place(tmp_path: Path) -> Any:
    """A place, whose run directory is removed."""
    made = Place(tmp_path)
    yield made
    made.run.remove()


def test_a_generation_with_a_signed_zone_has_signatures_and_a_table(place: Place) -> None:
    prepared = place.publisher.prepare(place.configuration())
    place.publisher.publish(prepared)
    assert prepared.snapshot.meta[SIGNATURES] == 1
    assert prepared.signatures is not None and prepared.signatures.slots == SLOTS_MIN
    assert len(place.hand.bulk.asked) == len(prepared.snapshot.columns["signature_offset"]) > 5
    assert TYPE_SOA in prepared.snapshot.columns["rrset_type"]
    # What is published next goes on with the same table, and the same signatures.
    again = place.publisher.prepare(place.configuration())
    place.publisher.publish(again)
    assert again.signatures is prepared.signatures and again.snapshot.meta[SIGNATURES] == 1


def test_without_a_signed_zone_there_is_no_table(place: Place) -> None:
    place.hand.some = None
    prepared = place.publisher.prepare(place.configuration())
    place.publisher.publish(prepared)
    assert prepared.signatures is None and not prepared.snapshot.meta.get(SIGNATURES)
    assert not list(place.run.path.glob("signatures-*"))
    assert len(prepared.snapshot.columns["signature_offset"]) == 0


def test_what_cannot_be_signed_is_not_published(place: Place) -> None:
    place.hand.bulk.fault = LbdnsError("the signer ended")
    with pytest.raises(LbdnsError, match="the signer ended"):
        place.publisher.prepare(place.configuration())
    assert place.publisher.current is None


def test_a_table_that_grows_has_the_secret_of_the_one_before(place: Place) -> None:
    files = SignatureFiles(place.run)
    first = files.with_room(SignatureRoom(3, 82))
    assert first == files.with_room(SignatureRoom(1000, 82))
    writer = SignatureWriter(place.run.signatures(first))
    writer.put(Signed(5, 6, b"x" * 82, NOW_S + 9), 0, NOW_S)
    longer = files.with_room(SignatureRoom(3, 18 + 256))
    more = files.with_room(SignatureRoom(10_000, 82))
    tables = [SignatureTable(place.run.signatures(number)) for number in (first, longer, more)]
    assert [one.slots for one in tables] == [SLOTS_MIN, SLOTS_MIN, 1 << 18]
    assert [one.width for one in tables] == [88, 280, 280]
    assert len({one.secret for one in tables}) == 1
    # One that was removed is made anew, with a secret of its own.
    place.run.signatures(more).unlink()
    other = SignatureTable(place.run.signatures(files.with_room(SignatureRoom(3, 82))))
    assert other.secret != tables[0].secret


def test_older_tables_go_when_no_generation_refers_to_them(place: Place) -> None:
    place.publisher.publish(place.publisher.prepare(place.configuration()))
    before = place.run.signatures(1)
    before.unlink()
    for _ in range(3):
        place.publisher.publish(place.publisher.prepare(place.configuration()))
    assert [path.name for path in place.run.path.glob("signatures-*")] == ["signatures-2.bin"]


@pytest.mark.parametrize(
    ("algorithm", "public", "size"),
    [
        (13, bytes(64), 64),
        (14, bytes(96), 96),
        (15, bytes(32), 64),
        (8, b"\3\1\0\1" + bytes(256), 256),
        (8, b"\0\0\3\1\0\1" + bytes(512), 512),
    ],
)
def test_how_long_signatures_are(algorithm: int, public: bytes, size: int) -> None:
    key = signing_key(b"\7example\3com\0", b"\1\1\3" + bytes([algorithm]) + public)
    assert signature_bytes(key) == size
    assert SIGNATURE_HEAD_BYTES == 18


def test_resuming_goes_on_with_the_table(place: Place) -> None:
    prepared = place.publisher.prepare(place.configuration())
    place.publisher.publish(prepared)
    assert prepared.signatures is not None
    publisher = Publisher(place.control, place.run, signing=place.signing)
    assert publisher.resume()
    again = publisher.prepare(place.configuration())
    assert again.snapshot.meta[SIGNATURES] == 1
    assert again.signatures is not None and again.signatures.secret == prepared.signatures.secret
