"""What is signed when it is asked for: right signatures, kept in the table, made anew in time; and who may ask."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import dns.dnssec
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdtypes.ANY.RRSIG import RRSIG

from lbdns.dns.codes import ED25519
from lbdns.dns.name import encode_canonical
from lbdns.dnssec.signer.demand_port import DemandPort
from lbdns.dnssec.signer.demand_signing import DemandSigning
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.signer_frames import REQUEST_BYTES_MAX, WORDS, encode_frame
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.counter_words import SIGNATURES_ASKED, SIGNATURES_FAILED, WORD_COUNT
from lbdns.mapped.signature_table import SignatureWriter, create_signatures
from lbdns.processes.responder.signature_client import SignatureClient
from tests.dnssec.held_keys import TERMS, HeldKeys
from tests.dnssec.in_process import NOW_S, SomeKeys
from tests.dnssec.no_foresight import NoForesight

APEX = encode_canonical("example.com")
NAMES = ("www.example.com", "a.b.example.com", "example.com", "*.apps.example.com", "Xy.apps.example.com")


class Scene:
    """Signing with a table, at a time that the test sets."""

    def __init__(self, path: Path, *several: SomeKeys) -> None:
        create_signatures(path, 1024, 18 + 64)
        self.several = several
        self.now_s = float(NOW_S)
        self.keys = HeldKeys(*several)
        self.signing = DemandSigning(self.keys, lambda apex: TERMS, lambda: self.now_s, lambda: 1000.0)
        self.signing.table = SignatureWriter(path)

    def check(self, wanted: Unsigned, signatures: tuple[bytes, ...], now_s: float | None = None) -> None:
        """Have dnspython validate signatures over an RRset by the keys of its zone."""
        owner = dns.name.from_wire(wanted.owner, 0)[0]
        rrset = dns.rrset.RRset(owner, dns.rdataclass.IN, dns.rdatatype.RdataType(wanted.rtype))
        rrset.ttl = wanted.ttl
        for rdata in wanted.rdatas:
            rrset.add(dns.rdata.from_wire(dns.rdataclass.IN, rrset.rdtype, rdata, 0, len(rdata)), wanted.ttl)
        origin = dns.name.from_wire(wanted.apex, 0)[0]
        keys = dns.rrset.RRset(origin, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
        for one in self.several:
            for key in one.keys.zone_signers:
                dnskey = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.DNSKEY, key.dnskey, 0, len(key.dnskey))
                keys.add(dnskey, 3600)
        for signature in signatures:
            rrsig = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.RRSIG, signature, 0, len(signature))
            assert isinstance(rrsig, RRSIG)
            dns.dnssec.validate_rrsig(rrset, rrsig, {origin: keys}, None, self.now_s if now_s is None else now_s)


def drawn(random: Random) -> Unsigned:
    owner = encode_canonical(random.choice(NAMES))
    if random.random() < 0.3:
        target = encode_canonical("mail.example.com")
        return Unsigned(APEX, owner, 15, 60, tuple(struct.pack("!H", number) + target for number in (10, 20)))
    size = random.choice((4, 16))
    rdatas = tuple(random.randbytes(size) for _ in range(random.randrange(1, 4)))
    return Unsigned(APEX, owner, 1 if size == 4 else 28, random.choice((0, 30, 60)), rdatas)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "signatures-1.bin", SomeKeys.make("example.com"))


def test_signatures_are_valid_and_kept(scene: Scene) -> None:
    random = Random(6)
    for _ in range(40):
        wanted = drawn(random)
        given = scene.signing.signatures(wanted, Verdict.LASTING)
        assert len(given) == 1
        scene.check(wanted, given)
        again = scene.signing.signatures(wanted, Verdict.LASTING)
        assert again == given
        turned = Unsigned(wanted.apex, wanted.owner, wanted.rtype, wanted.ttl, wanted.rdatas[::-1])
        assert scene.signing.signatures(turned, Verdict.LASTING) == given
        assert scene.signing.kept_slot(wanted) is not None
    assert scene.signing.counts.made <= 40 and scene.signing.counts.found >= 80


def test_what_nears_its_end_is_made_anew(scene: Scene) -> None:
    wanted = drawn(Random(7))
    first = scene.signing.signatures(wanted, Verdict.LASTING)
    scene.now_s += 13 * 86_400
    assert scene.signing.kept_slot(wanted) is None
    second = scene.signing.signatures(wanted, Verdict.LASTING)
    assert first != second
    scene.check(wanted, second, scene.now_s + 7 * 86_400)
    # A clock that was set back has it made anew as well: it would not be valid yet.
    scene.now_s -= 20 * 86_400
    third = scene.signing.signatures(wanted, Verdict.LASTING)
    assert third != second
    scene.check(wanted, third)


def test_two_algorithms_make_two_signatures(tmp_path: Path) -> None:
    """While a zone rolls from one algorithm to another, everything is signed by both (RFC 6781 section 4.1.4)."""
    one, other = SomeKeys.make("example.com"), SomeKeys.make("example.com", algorithm=ED25519)
    scene = Scene(tmp_path / "table", one, other)
    both = HeldKeys(one, other)
    both._zones = {APEX: type(one.keys)(APEX, (), (), (*one.keys.zone_signers, *other.keys.zone_signers))}
    scene.signing = DemandSigning(both, lambda apex: TERMS, lambda: scene.now_s, lambda: 0.0)
    scene.signing.table = SignatureWriter(tmp_path / "table")
    wanted = drawn(Random(8))
    given = scene.signing.signatures(wanted, Verdict.PASSING)
    assert [signature[2] for signature in given] == [13, 15]
    scene.check(wanted, given)
    assert scene.signing.kept_slot(wanted) is not None


def test_who_may_not_ask_gets_nothing(scene: Scene) -> None:
    wanted = drawn(Random(9))
    elsewhere = Unsigned(encode_canonical("example.net"), wanted.owner, 1, 30, (b"\1\2\3\4",))
    above = Unsigned(APEX, encode_canonical("com"), 1, 30, (b"\1\2\3\4",))
    assert scene.signing.signatures(wanted, Verdict.REFUSED) == ()
    assert scene.signing.signatures(elsewhere, Verdict.LASTING) == ()
    assert scene.signing.signatures(above, Verdict.LASTING) == ()
    assert (scene.signing.counts.refused, scene.signing.counts.made) == (3, 0)


def test_a_key_that_cannot_be_used_is_told(scene: Scene) -> None:
    scene.keys._private.clear()
    assert scene.signing.signatures(drawn(Random(10)), Verdict.LASTING) == ()
    assert scene.signing.counts.failed == 1 and "there is no key" in scene.signing.problem


# --- over the socket ---


class Judging(NoForesight):
    """Refuses what is of the type TXT."""

    def __init__(self) -> None:
        self.heard: list[Unsigned] = []

    def judge(self, wanted: Unsigned) -> Verdict:
        return Verdict.REFUSED if wanted.rtype == 16 else Verdict.LASTING

    def noted(self, wanted: Unsigned) -> None:
        self.heard.append(wanted)


def over_socket(scene: Scene, path: Path, use: Callable[[SignatureClient, memoryview, Judging], None]) -> None:
    """Have a responder's client ask a signer's socket, each on its own thread."""
    judging = Judging()

    async def run() -> None:
        port = DemandPort(scene.signing, judging)
        port.open(path)
        words = memoryview(bytearray(8 * WORD_COUNT)).cast("Q")
        client = SignatureClient(lambda: path, words)
        try:
            await asyncio.to_thread(use, client, words, judging)
        finally:
            client.close()
            port.close()
            await asyncio.sleep(0)

    asyncio.run(run())


def test_a_responder_gets_what_it_asks_for(scene: Scene, tmp_path: Path) -> None:
    random = Random(11)

    def use(client: SignatureClient, words: memoryview, judging: Judging) -> None:
        for _ in range(20):
            wanted = [drawn(random) for _ in range(random.randrange(1, 4))]
            refused = Unsigned(APEX, APEX, 16, 60, (b"\1x",))
            given = client.ask([*wanted, refused])
            assert given.keys() == set(wanted)
            for one, signatures in given.items():
                scene.check(one, signatures)
        assert words[SIGNATURES_FAILED] == 20
        assert words[SIGNATURES_ASKED] == len(judging.heard) + 20

    over_socket(scene, tmp_path / "signer.sock", use)


def test_who_sends_what_is_no_request_is_parted_with(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However often: the log says so now and then."""
    path = tmp_path / "signer.sock"

    def use(client: SignatureClient, words: memoryview, judging: Judging) -> None:
        for octets in (b"\xff" * 20, encode_frame(WORDS, 1, b"{}"), encode_frame(1, 1, bytes(40))):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(10.0)
                sock.connect(str(path))
                sock.sendall(octets)
                assert sock.recv(100) == b""
        assert len(client.ask([drawn(Random(1))])) == 1
        assert caplog.text.count("is parted with") == 1

    over_socket(scene, path, use)


def test_a_signer_that_is_not_there_costs_a_wait_and_then_none(tmp_path: Path) -> None:
    words = memoryview(bytearray(8 * WORD_COUNT)).cast("Q")
    client = SignatureClient(lambda: tmp_path / "signer.sock", words)
    wanted = [drawn(Random(2))]
    assert client.ask(wanted) == {}
    assert words[SIGNATURES_FAILED] == 1 and words[SIGNATURES_ASKED] == 0
    with socket.socket(socket.AF_UNIX) as hangs:
        hangs.bind(str(tmp_path / "signer.sock"))
        hangs.listen()
        while words[SIGNATURES_ASKED] == 0:  # the pause after the first try passes
            assert client.ask(wanted) == {}
        asked = words[SIGNATURES_ASKED]
        assert client.ask(wanted) == {}  # in the pause after that
        assert words[SIGNATURES_ASKED] == asked
    client.close()


def test_requests_have_a_bound(scene: Scene, tmp_path: Path) -> None:
    long = [Unsigned(APEX, APEX, 99, number, (bytes(60_000),)) for number in range(6)]

    def use(client: SignatureClient, words: memoryview, judging: Judging) -> None:
        assert len(client.ask(long)) == 4
        assert 4 * 60_000 < REQUEST_BYTES_MAX < 5 * 60_000

    over_socket(scene, tmp_path / "signer.sock", use)
