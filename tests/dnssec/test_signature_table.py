"""The signature table: its keys, interpreted and compiled; readers beside a writer; what gives way; who was killed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest

from lbdns.base.errors import LbdnsError
from lbdns.mapped import signature_lookup, typed_columns
from lbdns.mapped.columns import COLUMNS, HEALTH_COLUMNS, NO_SIGNATURES, SIGNATURE_WINDOW
from lbdns.mapped.signature_table import (
    IDLE_SHARES,
    SignatureTable,
    SignatureWriter,
    Signed,
    create_signatures,
    slots_for,
)
from lbdns.mapped.signature_words import NO_SLOT, ROW_STATE, USED_SHIFT
from tests.interpreted import standing_in

SLOTS = 1024
WIDTH = 18 + 64
NOW_S = 1_000_000
UNIX_S = 1_800_000_000
LATER_S = UNIX_S + 86_400
APEX = b"\7example\3com\0"


class Reader:
    """Who reads a table, by the functions of one lane."""

    def __init__(self, lane: ModuleType, columns_module: ModuleType, signatures: Any) -> None:
        snapshot = {name: memoryview(array(code)) for name, code in COLUMNS.items()}
        health = {column.name: memoryview(array(column.code)) for column in HEALTH_COLUMNS}
        self.lane = lane
        self.columns = columns_module.TypedColumns(snapshot, health, signatures)

    def find(self, signed: Signed) -> bytes | None:
        slot = self.lane.find_signed(self.columns, signed.high, signed.low)
        if slot == NO_SLOT:
            return None
        room = bytearray(b"before" + bytes(len(APEX) + WIDTH) + b"behind")
        size = self.lane.signed_bytes(self.columns, slot)
        args = (self.columns, slot, signed.high, signed.low, size, NOW_S, b"x" + APEX, 1, len(APEX), room, 6)
        if not self.lane.copy_signed(*args):
            return None
        end = 6 + size + len(APEX)
        assert room[:6] == b"before" and room[-6:] == b"behind"
        assert room[24 : 24 + len(APEX)] == APEX
        return bytes(room[6:24] + room[24 + len(APEX) : end])


@pytest.fixture(scope="module", params=["interpreted", "installed"])
def lane(request: pytest.FixtureRequest) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The look-up and the columns, from their sources and as they are installed: compiled, where a compiler was."""
    if request.param == "installed":
        yield signature_lookup, typed_columns
    else:
        with standing_in("mapped.typed_columns") as columns, standing_in("mapped.signature_lookup") as lookup:
            yield lookup, columns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty table."""
    create_signatures(tmp_path / "signatures-1.bin", SLOTS, WIDTH)
    return tmp_path / "signatures-1.bin"


def signed_of(number: int, low: int | None = None, is_passing: bool = False, expiry_s: int = LATER_S) -> Signed:
    random = Random(number)
    key = (random.getrandbits(64) | 1, random.getrandbits(64) if low is None else low)
    return Signed(*key, random.randbytes(random.randrange(19, WIDTH + 1)), expiry_s, is_passing)


def test_both_lanes_make_one_key_of_an_rrset_in_any_order(lane: tuple[ModuleType, ModuleType]) -> None:
    random = Random(5)
    for _ in range(300):
        owner = random.randbytes(random.choice((1, 7, 8, 9, 40, 254, 255)))
        rdatas = [random.randbytes(random.choice((0, 4, 8, 16, 255, 256, 257, 700, 3000))) for _ in range(3)]
        rest = random.getrandbits(64), owner, random.getrandbits(16), random.getrandbits(31)
        secret = random.getrandbits(64), random.getrandbits(64)
        key = signature_lookup.rrset_key(secret, *rest, rdatas)
        assert lane[0].rrset_key(secret, *rest, reversed(rdatas)) == key
        assert max(key) < 1 << 64


def test_the_hash_is_siphash_with_128_bits(lane: tuple[ModuleType, ModuleType]) -> None:
    """Against a form of it that knows nothing of steps."""
    key = lane[0].SignedKey()
    lane[0].begin_key(key, 0x0706050403020100, 0x0F0E0D0C0B0A0908)
    for size in range(0, 64):
        data = bytes(range(size))
        sums = key.sum_high, key.sum_low
        lane[0].add_rdata(key, b"--" + data, 2, size)
        expected = naive_siphash(bytes(range(16)), data)
        assert ((key.sum_high - sums[0]) % 2**64, (key.sum_low - sums[1]) % 2**64) == expected


def naive_siphash(secret: bytes, data: bytes, rounds: int = 1, end_rounds: int = 3) -> tuple[int, int]:
    """SipHash-c-d with a 128-bit result, from its paper and its reference implementation."""
    first, second = (int.from_bytes(secret[at : at + 8], "little") for at in (0, 8))
    v = [first ^ 0x736F6D6570736575, second ^ 0x646F72616E646F6D ^ 0xEE]
    v += [first ^ 0x6C7967656E657261, second ^ 0x7465646279746573]

    def turn(count: int) -> None:
        for _ in range(count):
            for a, b, by, turns in ((0, 1, 13, True), (2, 3, 16, False), (0, 3, 21, False), (2, 1, 17, True)):
                v[a] = (v[a] + v[b]) % 2**64
                v[b] = (v[b] << by | v[b] >> 64 - by) % 2**64 ^ v[a]
                if turns:
                    v[a] = (v[a] << 32 | v[a] >> 32) % 2**64

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        turn(rounds)
        v[0] ^= word
    v[2] ^= 0xEE
    turn(end_rounds)
    high = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    turn(end_rounds)
    return high, v[0] ^ v[1] ^ v[2] ^ v[3]


def test_any_part_of_an_rrset_changes_its_key(lane: tuple[ModuleType, ModuleType]) -> None:
    asked = ((1, 2), 7, APEX, 1, 60, [b"\x0a\0\0\1", b"\x0a\0\0\2"])
    others: list[tuple[Any, ...]] = [
        ((1, 3), *asked[1:]),
        ((1, 2), 8, *asked[2:]),
        ((1, 2), 7, b"\7exampl2\3com\0", *asked[3:]),
        ((1, 2), 7, APEX, 28, *asked[4:]),
        ((1, 2), 7, APEX, 1, 61, asked[5]),
        (*asked[:5], asked[5][:1]),
        (*asked[:5], [b"\x0a\0\0\1\x0a\0\0\2"]),
        (*asked[:5], [*asked[5], b""]),
    ]
    keys = {lane[0].rrset_key(*one) for one in (asked, *others)}
    assert len(keys) == len(others) + 1


def test_a_reader_sees_what_is_put_and_marks_what_it_sends(lane: tuple[ModuleType, ModuleType], path: Path) -> None:
    writer, table = SignatureWriter(path), SignatureTable(path)
    reader = Reader(*lane, table.columns)
    several = [signed_of(number) for number in range(200)]
    for signed in several:
        assert reader.find(signed) is None
        assert writer.put(signed, 0, UNIX_S)
        assert reader.find(signed) == signed.rdata
    kept = [signed for signed in several if writer.find(signed.high, signed.low) is not None]
    assert len(kept) == writer.used > 190
    for signed in kept:
        assert reader.find(signed) == signed.rdata
        slot = writer.find(signed.high, signed.low)
        assert slot is not None and writer.columns["signed_used"][slot] == NOW_S >> USED_SHIFT
        assert writer.read(slot) == signed
    renewed = kept[0]._replace(rdata=kept[1].rdata, expiry_s=LATER_S + 1)
    assert writer.put(renewed, NOW_S, UNIX_S) and reader.find(kept[0]) == renewed.rdata
    assert writer.used == len(kept)
    writer.close()


def test_a_table_without_slots_has_nothing(lane: tuple[ModuleType, ModuleType]) -> None:
    assert Reader(*lane, NO_SIGNATURES).find(signed_of(1)) is None


def test_what_is_written_meanwhile_is_not_taken(lane: tuple[ModuleType, ModuleType], path: Path) -> None:
    """Half-written slots have an odd version; one that became another's has another key, or another length."""
    writer, table = SignatureWriter(path), SignatureTable(path)
    reader, signed = Reader(*lane, table.columns), signed_of(1)
    writer.put(signed, NOW_S, UNIX_S)
    slot = writer.find(signed.high, signed.low)
    assert slot is not None
    other = signed_of(2, signed.low)
    for found in ((other.high, signed.low, len(signed.rdata)), (signed.high, signed.low, len(signed.rdata) - 1)):
        high, low, size = found
        room = bytearray(200)
        args = (reader.columns, slot, high, low, size, NOW_S, APEX, 0, len(APEX), room, 0)
        assert not lane[0].copy_signed(*args)
    writer.columns["signed_word"][slot * writer.row_words + ROW_STATE] += 1
    assert reader.find(signed) is None
    writer.columns["signed_word"][slot * writer.row_words + ROW_STATE] += 1
    assert reader.find(signed) == signed.rdata
    writer.close()


def test_the_next_writer_empties_what_one_left_that_was_killed(path: Path) -> None:
    writer, table = SignatureWriter(path), SignatureTable(path)
    reader = Reader(signature_lookup, typed_columns, table.columns)
    several = [signed_of(number) for number in range(20)]
    for signed in several:
        writer.put(signed, NOW_S, UNIX_S)
    slots = [writer.find(signed.high, signed.low) for signed in several[:3]]
    for slot in slots:
        assert slot is not None
        writer.columns["signed_word"][slot * writer.row_words + ROW_STATE] += 1  # killed before the last step
    writer.close()
    second = SignatureWriter(path)
    assert second.used == len(several) - 3
    assert [reader.find(signed) for signed in several] == [None] * 3 + [signed.rdata for signed in several[3:]]
    for signed in several[:3]:
        assert second.put(signed, NOW_S, UNIX_S) and reader.find(signed) == signed.rdata
    second.close()


def test_a_full_window_gives_up_what_was_sent_longest_ago(path: Path) -> None:
    writer = SignatureWriter(path)
    several = [signed_of(number, low=8) for number in range(SIGNATURE_WINDOW)]
    for number, signed in enumerate(several):
        assert writer.put(signed, NOW_S + (number << USED_SHIFT), UNIX_S)
    new = signed_of(100, low=8)
    assert writer.put(new, NOW_S, UNIX_S)
    assert (writer.used, writer.evicted) == (SIGNATURE_WINDOW, 1)
    assert [writer.find(one.high, one.low) is None for one in (*several, new)] == [True] + [False] * SIGNATURE_WINDOW
    ended = several[3]._replace(expiry_s=UNIX_S)
    assert writer.put(ended, NOW_S, UNIX_S) and writer.put(signed_of(101, low=8), NOW_S, UNIX_S)
    assert writer.find(ended.high, ended.low) is None
    writer.close()


def test_names_that_clients_choose_drive_each_other_out_alone(path: Path) -> None:
    writer = SignatureWriter(path)
    own = [signed_of(number, low=16) for number in range(SIGNATURE_WINDOW - 1)]
    for signed in own:
        writer.put(signed, NOW_S, UNIX_S)
    for number in range(100, 200):
        assert writer.put(signed_of(number, low=16, is_passing=True), NOW_S, UNIX_S)
    assert all(writer.find(signed.high, signed.low) is not None for signed in own)
    # A balancer's own name takes their place; then there is none left for them, until nobody asks for one of its own.
    assert writer.put(signed_of(20, low=16), NOW_S, UNIX_S)
    passing = signed_of(200, low=16, is_passing=True)
    assert not writer.put(passing, NOW_S, UNIX_S) and writer.refused == 1
    assert writer.put(passing, NOW_S + (IDLE_SHARES << USED_SHIFT), UNIX_S)
    writer.close()


def test_a_larger_table_takes_over_what_a_smaller_one_holds(path: Path, tmp_path: Path) -> None:
    writer = SignatureWriter(path)
    several = [signed_of(number) for number in range(100)]
    kept = [signed for signed in several if writer.put(signed, NOW_S, UNIX_S)]
    create_signatures(tmp_path / "signatures-2.bin", 4 * SLOTS, WIDTH + 40, writer.secret_bytes)
    larger = SignatureWriter(tmp_path / "signatures-2.bin")
    assert all(larger.copying_from(writer, NOW_S, UNIX_S))
    assert larger.secret == writer.secret
    table = SignatureTable(larger.path)
    reader = Reader(signature_lookup, typed_columns, table.columns)
    held = [signed for signed in kept if writer.find(signed.high, signed.low) is not None]
    assert [reader.find(signed) for signed in held] == [signed.rdata for signed in held]
    writer.close()
    larger.close()


def test_a_reader_cannot_write_but_marks(path: Path) -> None:
    table = SignatureTable(path)
    for name, column in table.columns.items():
        assert column.readonly == (name != "signed_used")
    table.close()


def test_a_file_that_is_none_is_told(path: Path, tmp_path: Path) -> None:
    good = path.read_bytes()
    wrong = tmp_path / "wrong"
    for content, said in (
        (b"", "not a signature table"),
        (b"x" * 100_000, "not a signature table"),
        (good[:-1], "cut short or damaged"),
        (good[:8] + b"\7" + good[9:], "of format 7"),
    ):
        wrong.write_bytes(content)
        with pytest.raises(LbdnsError, match=said):
            SignatureTable(wrong)
    with pytest.raises(LbdnsError, match="cannot open"):
        SignatureTable(tmp_path / "none")
    for slots, width in ((SLOTS + 8, WIDTH), (4, WIDTH), (SLOTS, 5000)):
        with pytest.raises(LbdnsError, match="no signature table has"):
            create_signatures(wrong, slots, width)


def test_secrets_differ_and_sizes_follow_the_load_balancers(path: Path, tmp_path: Path) -> None:
    create_signatures(tmp_path / "other", SLOTS, WIDTH)
    one, other = SignatureTable(path), SignatureTable(tmp_path / "other")
    assert one.secret != other.secret and all(one.secret)
    assert [slots_for(count) for count in (0, 1024, 4096, 4097, 10_000, 10**9)] == [
        1 << 14,
        1 << 14,
        1 << 16,
        1 << 17,
        1 << 18,
        1 << 21,
    ]
