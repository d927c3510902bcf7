"""Server cookies: RFC 9018's own examples, times, secrets, and SipHash beside another implementation of it."""

from __future__ import annotations

import ipaddress
from array import array
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from types import ModuleType
from typing import Any

import pytest

from lbdns.dns import server_cookie
from lbdns.dns.options.cookie import Cookie, cookie_octets, decode_cookie
from tests.interpreted import standing_in

SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf"
OLD_SECRET = "dd3bdf9344b678b185a6f5cb60fca715"
NEW_SECRET = "445536bcd2513298075a5d379663c962"
CLIENT_4, CLIENT_6 = "198.51.100.100", "2001:db8:220:1:59de:d0f4:8769:82b8"
NOW_S = 1_700_000_000


@pytest.fixture(params=["interpreted", "installed"])
def kernel(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """Both forms of the module."""
    if request.param == "installed":
        yield server_cookie
    else:
        with standing_in("dns.server_cookie") as module:
            yield module


def settled(kernel: Any, secrets: list[str], client: str, cookie: str, now_s: int) -> tuple[str, bool]:
    """Return the option of the reply to a cookie, and whether that was valid."""
    octets = b"".join(bytes.fromhex(one) for one in secrets)
    words = array("Q", [int.from_bytes(octets[at : at + 8], "little") for at in range(0, len(octets), 8)])
    said = decode_cookie(bytes.fromhex(cookie))
    assert said is not None
    parts, given = kernel.ServerCookie(), said.parts()
    for name in ("client", "head", "stamp", "hash", "is_given"):
        setattr(parts, name, getattr(given, name))
    packed = ipaddress.ip_address(client).packed.ljust(16, b"\0")
    version = ipaddress.ip_address(client).version
    kernel.settle(parts, memoryview(words), version, int.from_bytes(packed[:8]), int.from_bytes(packed[8:]), now_s)
    return cookie_octets(parts).hex(), parts.is_valid


def made(kernel: Any, secret: str, client: str, now_s: int) -> str:
    """Return the cookie that a client gets who has none."""
    return settled(kernel, [secret], client, "2464c4abcf10c957", now_s)[0]


@pytest.mark.parametrize(
    ("secrets", "client", "cookie", "now_s", "reply", "is_valid"),
    [
        pytest.param(
            [SECRET], CLIENT_4, "2464c4abcf10c957", 1559731985,
            "2464c4abcf10c957010000005cf79f111f8130c3eee29480", False, id="A.1: a new cookie",
        ),
        pytest.param(
            [SECRET], CLIENT_4, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385,
            "2464c4abcf10c957010000005cf7a871d4a564a1442aca77", True, id="A.2: renewed after 40 minutes",
        ),
        pytest.param(
            [SECRET], "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985,
            "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", True, id="A.3: reserved octets are hashed as they are",
        ),
        pytest.param(
            [SECRET], "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700,
            "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", False, id="A.3: after 1:52 h it is another",
        ),
        pytest.param(
            [NEW_SECRET, OLD_SECRET], CLIENT_6, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961,
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a", True, id="A.4: IPv6, by the secret before",
        ),
    ],
)  # fmt: skip
def test_examples_of_rfc_9018(
    kernel: Any, secrets: list[str], client: str, cookie: str, now_s: int, reply: str, is_valid: bool
) -> None:
    assert settled(kernel, secrets, client, cookie, now_s) == (reply, is_valid)


@pytest.mark.parametrize(
    ("age_s", "is_valid", "is_kept"),
    [
        (0, True, True),
        (1800, True, True),
        (1801, True, False),
        (3600, True, False),
        (3601, False, False),
        (-300, True, True),
        (-301, False, False),
        (1 << 31, False, False),
        ((1 << 32) - 301, False, False),
    ],
)
@pytest.mark.parametrize("stamp", [NOW_S, 0xFFFFFFF0, 5])
def test_times(kernel: Any, age_s: int, is_valid: bool, is_kept: bool, stamp: int) -> None:
    """Ages go by serial numbers, so that 2106 brings no gap."""
    given = made(kernel, SECRET, CLIENT_4, stamp)
    now_s = (stamp + age_s) % (1 << 32)
    reply, was_valid = settled(kernel, [SECRET], CLIENT_4, given, now_s)
    assert was_valid is is_valid
    assert (reply == given) is (is_kept or age_s == 0)
    assert settled(kernel, [SECRET], CLIENT_4, reply, now_s)[1], "what is given is good"


def test_a_rotation_has_no_gap(kernel: Any) -> None:
    """Two servers of which one is a step ahead accept what the other gives, at every step."""
    old, new = OLD_SECRET, NEW_SECRET
    steps = [[old], [old, new], [new, old], [new]]
    for before, after in pairwise(steps):
        for mine, others in ((before, after), (after, before)):
            assert settled(kernel, others, CLIENT_4, made(kernel, mine[0], CLIENT_4, NOW_S), NOW_S + 9)[1]
    given = made(kernel, old, CLIENT_4, NOW_S)
    reply, is_valid = settled(kernel, [new, old], CLIENT_4, given, NOW_S + 1)
    assert is_valid
    assert reply == made(kernel, new, CLIENT_4, NOW_S + 1), "a cookie of the secret before is renewed at once"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda octets: octets[:8] + b"\2" + octets[9:], id="another version"),
        pytest.param(lambda octets: octets[:9] + b"\1" + octets[10:], id="other reserved octets"),
        pytest.param(lambda octets: octets[:-1] + bytes([octets[-1] ^ 1]), id="another hash"),
        pytest.param(lambda octets: bytes([octets[0] ^ 1]) + octets[1:], id="another client cookie"),
        pytest.param(lambda octets: octets[:16], id="8 octets of a server's"),
        pytest.param(lambda octets: octets + bytes(8), id="24 octets of a server's"),
        pytest.param(lambda octets: octets + bytes(16), id="32 octets of a server's"),
    ],
)
def test_what_is_not_ours_is_as_none(kernel: Any, change: Any) -> None:
    given = bytes.fromhex(made(kernel, SECRET, CLIENT_4, NOW_S))
    changed = change(given)
    reply, is_valid = settled(kernel, [SECRET], CLIENT_4, changed.hex(), NOW_S + 1)
    assert not is_valid
    assert reply == settled(kernel, [SECRET], CLIENT_4, changed[:8].hex(), NOW_S + 1)[0]


def test_a_cookie_is_of_its_address(kernel: Any) -> None:
    given = made(kernel, SECRET, CLIENT_4, NOW_S)
    assert settled(kernel, [SECRET], CLIENT_4, given, NOW_S)[1]
    assert not settled(kernel, [SECRET], "198.51.100.101", given, NOW_S)[1]
    assert not settled(kernel, [SECRET], "c633:6464::", given, NOW_S)[1]


def test_siphash_is_that_of_others(kernel: Any) -> None:
    """Beside a plain SipHash-2-4 over bytes, as its paper has it."""
    chance = Random(9018)
    for _ in range(200):
        secret, client = chance.randbytes(16), chance.randbytes(8)
        address = str(ipaddress.ip_address(chance.randbytes(chance.choice((4, 16)))))
        now_s = chance.getrandbits(32)
        head = b"\1\0\0\0" + now_s.to_bytes(4)
        wanted = client + head + naive_siphash(secret, client + head + ipaddress.ip_address(address).packed)
        assert settled(kernel, [secret.hex()], address, client.hex(), now_s)[0] == wanted.hex()


def naive_siphash(key: bytes, data: bytes) -> bytes:
    """Return SipHash-2-4 of bytes, slowly."""
    mask = (1 << 64) - 1
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn(value: int, by: int) -> int:
        return (value << by | value >> (64 - by)) & mask

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


def test_an_option_of_no_length_that_there_is_has_no_value() -> None:
    for size in range(45):
        assert (decode_cookie(bytes(size)) is not None) is (size == 8 or 16 <= size <= 40)
    assert Cookie(b"12345678", b"").parts().is_given is False
