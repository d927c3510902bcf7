"""Copies of zones on disk: what is read is what was written, and what is not whole is not read."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lbdns.dns.name import encode_canonical
from lbdns.dns.zone import RRset
from lbdns.dns.zone_copy import BadCopy, ZoneCopy, decode_copy, encode_copy
from lbdns.transfer.inward.copy_shelf import KEPT_S, CopyShelf
from tests.transfer.transfer_records import APEX


def random_copy(seed: int, apex: bytes = APEX) -> ZoneCopy:
    """Return a zone of names and records of all sizes."""
    rng = random.Random(seed)
    rrsets = []
    for number in range(rng.randrange(1, 60)):
        owner = encode_canonical(f"n{number}")[:-1] + apex
        for rtype in rng.sample([1, 2, 16, 28, 65_280], rng.randrange(1, 4)):
            sizes = [rng.choice([0, 1, 4, 300, 65_000]) for _ in range(rng.randrange(1, 4))]
            rrsets.append(RRset(owner, rtype, rng.randrange(1 << 31), tuple(rng.randbytes(size) for size in sizes)))
    return ZoneCopy(apex, rng.randrange(1 << 32), "192.0.2.1:53", 1e9 + seed, tuple(rrsets))


@pytest.mark.parametrize("seed", range(10))
def test_a_copy_is_read_as_it_was_written(seed: int) -> None:
    copy = random_copy(seed)
    assert decode_copy(encode_copy(copy)) == copy


def test_what_is_damaged_or_cut_off_is_refused() -> None:
    octets = encode_copy(random_copy(3))
    rng = random.Random(1)
    for _ in range(50):
        at = rng.randrange(len(octets))
        with pytest.raises(BadCopy):
            decode_copy(octets[:at])
        with pytest.raises(BadCopy):
            decode_copy(octets[:at] + bytes((octets[at] ^ 1,)) + octets[at + 1 :])
    with pytest.raises(BadCopy):
        decode_copy(b"")


LONG = b"".join(b"\x3f" + bytes((97 + number,)) * 63 for number in range(3)) + b"\0"


@pytest.mark.parametrize(
    "apex", [APEX, b"\0", encode_canonical("a/b.example"), LONG], ids=["plain", "root", "/", "long"]
)
def test_a_shelf_gives_back_what_was_put_there(tmp_path: Path, apex: bytes) -> None:
    shelf = CopyShelf(tmp_path)
    assert shelf.read(apex) is None
    first, second = random_copy(1, apex), random_copy(2, apex)
    for copy in (first, second):
        shelf.write(copy)
        held = shelf.read(apex)
        assert held is not None and held.copy == copy and held.checked_s == copy.received_s
    shelf.note_checked(apex, 2e9)
    held = shelf.read(apex)
    assert held is not None and held.checked_s == 2e9
    shelf.path(apex).write_bytes(shelf.path(apex).read_bytes()[:-1])
    assert shelf.read(apex) is None
    shelf.write(first)
    assert shelf.read(apex) is not None


def test_a_shelf_forgets_zones_that_are_gone_for_long_alone(tmp_path: Path) -> None:
    shelf = CopyShelf(tmp_path)
    others = encode_canonical("example.net")
    for apex in (APEX, others):
        shelf.write(random_copy(1, apex))
        shelf.note_checked(apex, 1.0)
    now_s = shelf.path(APEX).stat().st_mtime
    shelf.remove_but([APEX], now_s + KEPT_S - 10)
    assert shelf.read(others) is not None
    shelf.remove_but([APEX], now_s + KEPT_S + 10)
    assert shelf.read(others) is None and shelf.read(APEX) is not None
    assert len(list(shelf.path(APEX).parent.iterdir())) == 2
