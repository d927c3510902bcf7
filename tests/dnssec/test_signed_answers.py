"""Every answer of a signed zone, to whoever wants signatures, is one that a naive validator believes."""

from __future__ import annotations

from pathlib import Path
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rrset
import pytest
from dns.rdatatype import RdataType

from lbdns.answer.reply import Transport
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.request_check import RequestCheck
from lbdns.dnssec.signer.signed_content import SignedContent
from tests.answer.world import BIG, MAIN, configuration, write_geodata
from tests.dnssec.aggressive_cache import AggressiveCache
from tests.dnssec.balanced_zones import MADE_TYPES, TYPES, ZONE, random_question, random_tree
from tests.dnssec.signed_asking import SignedAsking
from tests.dnssec.signed_views import DENIALS, asking_of, unsigned_of, validator_of
from tests.dnssec.signed_views import check as validate

SEEDS = range(6)
QUESTIONS = 120


def questions(seed: int) -> list[tuple[str, str]]:
    """Return random questions, each once."""
    chance = Random(seed)
    return sorted({random_question(chance) for _ in range(QUESTIONS)})


@pytest.mark.parametrize("denial", DENIALS)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_zones(tmp_path: Path, denial: str, seed: int) -> None:
    """Positive, wildcard, NODATA, NXDOMAIN, referral, alias: each is valid, and no cache makes anything else of all."""
    asking, chance = asking_of(random_tree(seed), tmp_path, denial, ZONE), Random(seed)
    validator = validator_of(asking, ZONE)
    cache = AggressiveCache(validator.apex)
    replies: dict[tuple[str, str], dns.message.Message] = {}
    for name, qtype in questions(seed):
        draw = chance.getrandbits(64)
        reply = replies[name, qtype] = asking.ask(name, qtype, draw=draw)
        validate(validator, reply, name, qtype)
        cache.keep(reply)
        _check_decision(reply, asking.ask(name, qtype, draw=draw, dnssec=False), name, qtype)
    check = RequestCheck(SignedContent(asking.view.snapshot, asking.view.table))
    for unsigned in asking.given:
        assert check.judge(unsigned).verdict != Verdict.REFUSED, f"the signer refuses {unsigned}"
    for (name, qtype), reply in replies.items():
        _check_cache(cache, reply, dns.name.from_text(name), RdataType.from_text(qtype))


def _check_decision(reply: dns.message.Message, plain: dns.message.Message, name: str, qtype: str) -> None:
    """Who wants signatures gets the same records beside them; but for literal wildcards, which are nobody's names."""
    if qtype in ("RRSIG", "NSEC"):
        return
    records = [one for one in reply.answer if one.rdtype != RdataType.RRSIG]
    if not any(one.startswith("*") for one in (name, *(one.name.to_text() for one in plain.answer))):
        assert [one.to_text() for one in records] == [one.to_text() for one in plain.answer], (name, qtype)


def _check_cache(cache: AggressiveCache, reply: dns.message.Message, name: dns.name.Name, rtype: RdataType) -> None:
    """What a cache would say to a question that was asked must be what was answered."""
    if rtype in (RdataType.ANY, RdataType.RRSIG):
        return
    said = cache.says(name, rtype)
    answered = {one.rdtype: one for one in reply.answer if one.name == name}
    if isinstance(said, dns.rrset.RRset):
        found = answered.get(rtype) or answered.get(RdataType.CNAME) or ()
        assert set(found) == set(said), (name, rtype, said, reply)
    elif said is not None:
        assert not answered, f"{name} {rtype.name}: a cache says {said}\n{reply}"


@pytest.mark.parametrize("denial", ["nsec", "nsec3", "compact"])
@pytest.mark.parametrize("seed", SEEDS)
def test_fall_back(tmp_path: Path, denial: str, seed: int) -> None:
    """Where nothing is signed as it is asked for but steered answers, the chain proves the rest."""
    asking = asking_of(random_tree(seed), tmp_path, denial, ZONE)
    asking.falls_back = True
    validator = validator_of(asking, ZONE)
    for name, qtype in questions(seed):
        validate(validator, asking.ask(name, qtype), name, qtype)
    if denial != "nsec3":
        assert not any(unsigned.rdatas[0].endswith(b"\x01\x01") for unsigned in asking.given), "none of a bare name"


@pytest.mark.parametrize("seed", SEEDS)
def test_without_do_nothing_changes(tmp_path: Path, seed: int) -> None:
    """Whoever does not want signatures gets the bytes that an unsigned zone gives."""
    signed = [asking_of(random_tree(seed), tmp_path / denial, denial, ZONE) for denial in DENIALS]
    unsigned = unsigned_of(random_tree(seed), tmp_path)
    for name, qtype in questions(seed):
        if qtype in MADE_TYPES or (qtype == "ANY" and name == f"{ZONE}."):
            continue
        for transport in Transport:
            before = unsigned.wire(name, qtype, dnssec=False, transport=transport)
            for asking in signed:
                assert asking.wire(name, qtype, dnssec=False, transport=transport) == before, (name, qtype)
                assert not asking.given


@pytest.fixture(scope="module", params=DENIALS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SignedAsking:
    """The configuration of the other tests of answers, three of its zones signed."""
    folder = tmp_path_factory.mktemp("world")
    tree = dict(configuration(write_geodata(folder / "toy.mmdb")))
    return asking_of(tree, folder, request.param, "example.com", "example", "big.test")


def owners_of(master: str, zone: str) -> set[str]:
    """Return the owners in a master file's text, and names beside and below them."""
    found = {line.split()[0] for line in master.splitlines() if line and not line.startswith((";", "$"))}
    names = {f"{zone}." if one == "@" else one if one.endswith(".") else f"{one}.{zone}." for one in found}
    names = {name for name in names if name.endswith(f"{zone}.") and "\\" not in name}
    return names | {f"below.{name}" for name in names if len(name) < 200} | {f"nothing.{zone}."}


@pytest.mark.parametrize("transport", list(Transport))
def test_world(world: SignedAsking, transport: Transport) -> None:
    """Zones of everything that PROTOCOL speaks of: what is not truncated is valid, over UDP as over TCP."""
    names = owners_of(MAIN, "example.com") | owners_of(BIG, "big.test")
    names |= {f"{one}.example.com." for one in ("one.apps", "*.apps", "*.x.apps", "ruled", "a.words", "cdn", "mixed")}
    names |= {f"{one}.example.com." for one in ("crowd", "some", "post", "geo", "sticky", "dead", "lost", "all-lost")}
    names |= {f"{one}example." for one in ("", "host3.", "foo.bar.", "_telnet._tcp.host1.", "host.subdel.", "ghost.*.")}
    chance = Random(1)
    for name in sorted(names):
        zone = next(one for one in ("example.com", "example", "big.test") if name.endswith(f"{one}."))
        validator = validator_of(world, zone)
        for qtype in chance.sample(TYPES, 6):
            reply = world.ask(name, qtype, transport=transport, draw=chance.getrandbits(64))
            if not reply.flags & dns.flags.TC:
                validate(validator, reply, name, qtype)
