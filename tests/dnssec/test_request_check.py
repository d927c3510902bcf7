"""What responders may have signed: all that the configuration can answer, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from lbdns.answer.reply import Client
from lbdns.dns.canonical import NSEC3_PARAMETERS, nsec3_hash, nsec3_owner, type_bitmap
from lbdns.dns.codes import (
    TYPE_A,
    TYPE_AAAA,
    TYPE_CNAME,
    TYPE_DNSKEY,
    TYPE_HINFO,
    TYPE_MX,
    TYPE_NS,
    TYPE_NSEC,
    TYPE_NSEC3,
    TYPE_SOA,
    TYPE_TXT,
)
from lbdns.dns.name import encode_canonical, show_name
from lbdns.dnssec.compact_denial import minimal_any, nodata, nxname, types_at
from lbdns.dnssec.signer.asked_lately import AskedLately, Subject
from lbdns.dnssec.signer.foresight import Verdict
from lbdns.dnssec.signer.request_check import RequestCheck
from lbdns.dnssec.signer.signed_content import SignedContent
from lbdns.dnssec.unsigned import Unsigned
from lbdns.mapped.resolved import write_addresses
from lbdns.snapshot.lookup.name_rows import NAME_ROW
from tests.answer.world import configuration, write_geodata
from tests.dnssec.in_process import Policy, SomeKeys, signed_view
from tests.dnssec.signed_asking import SignedAsking

APEX = encode_canonical("example.com")
NAMES_BELOW = ("a", "api.b", "www", "x.y", "c1")


class Stage:
    """A configuration of everything, signed, with a health that tests write."""

    def __init__(self, denial: str, folder: Path) -> None:
        tree = configuration(write_geodata(folder / "toy.mmdb"))
        keys = [SomeKeys.make(zone) for zone in ("example.com", "apex.test")]
        view = signed_view(tree, folder, *keys, policy=Policy(denial))
        self.asking = SignedAsking.of(view, *keys)
        self.table = view.table
        self.content = SignedContent(view.snapshot, view.table)
        self.check = RequestCheck(self.content)

    def verdict(self, wanted: Unsigned) -> Verdict:
        return self.check.judge(wanted).verdict

    def shake(self, chance: Random) -> None:
        """Let every endpoint and pool be in some state, and hostnames have some addresses."""
        columns = self.table.columns
        for column in ("endpoint_state", "pool_state"):
            columns[column][:] = bytes(chance.choice((0, 1, 2, 9, 10)) for _ in range(len(columns[column])))
        for slot in range(self.table.endpoint_capacity):
            v4 = [bytes((198, 51, 100, number)) for number in range(chance.randrange(4))]
            write_addresses(columns, slot, v4, [bytes(15) + one[3:] for one in v4[:1]], 1)
        self.content.changed_pools()

    def subjects(self) -> Iterator[Subject]:
        """Yield who is asked: load balancers' own names, and some below wildcards."""
        asked = AskedLately(self.content.columns, self.content.signed_zones)
        for number in range(asked.own_count):
            subject = asked.subject(number)
            if subject is not None:
                yield subject
        (instance,) = self.content.instances[APEX]
        for label in ("apps", "cdns", "words", "orders", "lengths", "python"):
            for name in NAMES_BELOW:
                for qtype in (TYPE_A, TYPE_AAAA):
                    subject = self.content.subject_at(instance, encode_canonical(f"{name}.{label}.example.com"), qtype)
                    if subject is not None:
                        yield subject


@pytest.fixture(scope="module", params=("nsec", "nsec3", "compact"))
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The configuration under each way to deny."""
    return Stage(request.param, tmp_path_factory.mktemp("stage"))


@pytest.fixture(scope="module")
def nsec(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The same by ordinary chains."""
    return Stage("nsec", tmp_path_factory.mktemp("nsec"))


def steered(name: str, rtype: int, ttl: int, *rdatas: bytes) -> Unsigned:
    return Unsigned(APEX, encode_canonical(name), rtype, ttl, rdatas)


def address(last: int) -> bytes:
    return bytes((198, 51, 100, last))


def test_whatever_may_be_answered_is_granted(stage: Stage) -> None:
    """In any state of health, before and after: the check goes by the configuration."""
    chance = Random(13)
    granted: set[Unsigned] = set()
    for _ in range(6):
        stage.shake(chance)
        for subject in stage.subjects():
            granted.update(stage.content.now(subject))
            granted.update(stage.content.near(subject))
        refused = [one for one in granted if stage.verdict(one) is Verdict.REFUSED and not is_of_hostname(one)]
        assert not refused
        still = [one for one in granted if is_of_hostname(one)]
        granted.clear()
        assert all(stage.verdict(one) is not Verdict.REFUSED for one in still)
    assert still


def test_whatever_answers_lack_is_granted(stage: Stage) -> None:
    """Of questions of any type for any name, by whomever: what the slow path would have signed."""
    chance = Random(16)
    chosen = [
        show_name(stage.content.name(entry)) for entry in range(len(stage.content.columns["name_row"]) // NAME_ROW)
    ]
    known = [name for name in chosen if name.endswith(("example.com", "apex.test"))]
    steered_at = [show_name(subject.owner) for subject in stage.subjects()]
    lacking: set[Unsigned] = set()
    for _ in range(10):
        stage.shake(chance)
        for name in chance.sample(known, 40) + chance.sample(steered_at, 40):
            asked = name if chance.randrange(3) else f"{chance.choice(('x', '*', 'a.b', '*.c', 'api'))}.{name}"
            client = Client(chance.choice((b"\xc0\0\2\1", b"\xcb\0\x71\1", b"\xc6\x33\x64\x50")), 40_000)
            stage.asking.given.clear()
            stage.asking.wire(
                asked, chance.choice(TYPES), compact=chance.random() < 0.5, draw=chance.getrandbits(64), client=client
            )
            lacks = set(stage.asking.given)
            lacking |= lacks
            assert [one for one in lacks if stage.verdict(one) is Verdict.REFUSED] == [], asked
    assert {one.rtype for one in lacking} >= {TYPE_A, TYPE_AAAA, TYPE_MX, TYPE_CNAME, TYPE_HINFO}
    assert len(lacking) > 100


TYPES = ("A", "AAAA", "MX", "SRV", "CNAME", "TXT", "ANY", "NSEC", "RRSIG", "DS", "NS", "SOA", "HTTPS")


def is_of_hostname(wanted: Unsigned) -> bool:
    """Whether it holds addresses that hostnames have in these tests, which change."""
    return any(rdata[-1] < 4 for rdata in wanted.rdatas) and wanted.rtype in (TYPE_A, TYPE_AAAA)


def test_nothing_near_it_is_granted(nsec: Stage) -> None:
    """Each answer with another TTL, owner, zone or type, a record more or a bit changed."""
    chance = Random(14)
    nsec.shake(chance)
    for subject in nsec.subjects():
        for wanted in nsec.content.now(subject):
            if is_of_hostname(wanted):
                continue
            others = [
                replace(wanted, ttl=wanted.ttl + 1),
                replace(wanted, ttl=3_000_000),
                replace(wanted, owner=b"\3not" + wanted.owner),
                replace(wanted, owner=encode_canonical("static.example.com")),
                replace(wanted, owner=encode_canonical("www.example.net")),
                replace(wanted, apex=encode_canonical("example.net")),
                replace(wanted, apex=encode_canonical("chain.test")),
                replace(wanted, rtype=TYPE_TXT),
                replace(wanted, rdatas=()),
                replace(wanted, rdatas=(*wanted.rdatas, b"\xc0\0\2\xfe")),
                replace(wanted, rdatas=(wanted.rdatas[0][:-1] + bytes((wanted.rdatas[0][-1] ^ 0x80,)),)),
                replace(wanted, rdatas=(*wanted.rdatas, wanted.rdatas[0])),
            ]
            # A name below the same wildcard is as good as another.
            below = [one for one in others if not one.owner.startswith(b"\3not")]
            at = nsec.content.name(subject.entry)
            those = others if at == subject.owner else below
            assert [one for one in those if nsec.verdict(one) is not Verdict.REFUSED] == []


HOSTILE = {
    "static name": steered("static.example.com", TYPE_A, 300, b"\xc0\0\2\x50"),
    "static name, other data": steered("static.example.com", TYPE_A, 300, address(1)),
    "apex keys": steered("example.com", TYPE_DNSKEY, 3600, b"\1\1\3\x0d" + bytes(64)),
    "apex NS": steered("example.com", TYPE_NS, 300, b"\2ns\4evil\0"),
    "apex SOA": steered("example.com", TYPE_SOA, 300, bytes(22)),
    "new name": steered("new.example.com", TYPE_A, 20, address(1)),
    "another balancer's pool": steered("www.example.com", TYPE_A, 20, address(21)),
    "part of one of two": steered("weighted.example.com", TYPE_A, 20, address(61), address(62)),
    "no records": steered("www.example.com", TYPE_A, 20),
    "CNAME where none may be": steered("www.example.com", TYPE_CNAME, 20, b"\4evil\0"),
    "CNAME to another host": steered("cdn.example.com", TYPE_CNAME, 20, b"\4evil\0"),
    "address in the wrong type": steered("both.example.com", TYPE_AAAA, 20, address(21)),
    "wildcard's own RRset": steered("*.apps.example.com", TYPE_A, 20, address(1)),
    "a wildcard below it": steered("*.foo.apps.example.com", TYPE_A, 20, address(1)),
    "a name that an exact one hides": steered("exact.apps.example.com", TYPE_A, 20, address(1)),
    "a disabled balancer": steered("pinned.example.com", TYPE_A, 20, address(1)),
    "a disabled pool": steered("passing.example.com", TYPE_A, 20, address(51)),
    "MX with another preference": steered(
        "post.example.com", TYPE_MX, 20, b"\0\1" + encode_canonical("mail.example.com")
    ),
    "more than max_answers": steered("some.example.com", TYPE_A, 20, *map(address, range(100, 141))),
    "below a cut": steered("host.sub.example.com", TYPE_A, 20, address(1)),
    "denial of a static name": steered(
        "static.example.com", TYPE_NSEC, 60, b"\1\0" + encode_canonical("static.example.com") + type_bitmap([46, 47])
    ),
    "denial of the whole zone": steered("example.com", TYPE_NSEC, 60, APEX + type_bitmap([46, 47])),
    "denial with another next name": steered(
        "www.example.com", TYPE_NSEC, 20, b"\1z" + encode_canonical("example.com") + type_bitmap([16, 46, 47])
    ),
    "hinfo elsewhere": steered("static.example.com", TYPE_HINFO, 3600, b"\x07RFC8482\0"),
    "another hinfo": steered("www.example.com", TYPE_HINFO, 3600, b"\x04evil\0"),
    "a broken name": Unsigned(APEX, b"\x3fshort", TYPE_A, 20, (address(1),)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_requests(stage: Stage, case: str) -> None:
    stage.shake(Random(15))
    assert stage.verdict(HOSTILE[case]) is Verdict.REFUSED
    assert stage.verdict(replace(HOSTILE[case], apex=b"\7unknown\0")) is Verdict.REFUSED


def test_what_health_hides_now_is_granted_all_the_same(nsec: Stage) -> None:
    """Those of any set of endpoints that may be up, but one at a time where weights differ."""
    both = steered("both.example.com", TYPE_A, 20, address(21), address(22))
    assert nsec.verdict(both) is nsec.verdict(replace(both, rdatas=both.rdatas[:1])) is Verdict.LASTING
    alone = steered("weighted.example.com", TYPE_A, 20, address(61))
    assert nsec.verdict(alone) is Verdict.LASTING
    some = steered("some.example.com", TYPE_A, 20, *map(address, range(120, 160)))
    assert nsec.verdict(some) is Verdict.LASTING


def denials(stage: Stage, name: str, qtype: int | None, ttl: int) -> Unsigned:
    (instance,) = stage.content.instances[APEX]
    found = stage.content.look_up(instance, encode_canonical(name), qtype or TYPE_TXT)
    assert found is not None
    return nodata(stage.content.columns, instance.zone, found.entry, encode_canonical(name), qtype, ttl)


def test_denials_of_balancers(nsec: Stage) -> None:
    """Only of what may be without records, and no longer than its TTL."""
    wanted = denials(nsec, "www.example.com", TYPE_AAAA, 20)
    assert nsec.verdict(wanted) is Verdict.LASTING
    assert nsec.verdict(replace(wanted, ttl=60)) is Verdict.REFUSED
    assert nsec.verdict(denials(nsec, "www.example.com", TYPE_A, 20)) is Verdict.REFUSED  # it always has an address
    assert nsec.verdict(denials(nsec, "one.apps.example.com", TYPE_AAAA, 20)) is Verdict.PASSING
    literal = denials(nsec, "*.apps.example.com", TYPE_A, 0)
    assert nsec.verdict(literal) is Verdict.LASTING
    assert nsec.verdict(replace(literal, ttl=20)) is Verdict.REFUSED
    assert nsec.verdict(denials(nsec, "*.foo.apps.example.com", TYPE_A, 0)) is Verdict.PASSING
    for_all = denials(nsec, "one.apps.example.com", None, 60)
    assert nsec.verdict(for_all) is Verdict.PASSING
    assert nsec.verdict(denials(nsec, "www.example.com", None, 60)) is Verdict.REFUSED  # the chain says that
    assert nsec.verdict(denials(nsec, "one.wild.example.com", None, 60)) is Verdict.REFUSED
    minimal = minimal_any(nsec.content.columns, 0, encode_canonical("www.example.com"))
    assert nsec.verdict(minimal) is Verdict.LASTING


def test_denials_of_a_zone_that_denies_compactly(tmp_path: Path) -> None:
    stage = Stage("compact", tmp_path)
    (instance,) = stage.content.instances[APEX]
    columns, zone = stage.content.columns, instance.zone
    absent, present = encode_canonical("no.where.example.com"), encode_canonical("static.example.com")
    ttl = stage.content.denied(zone)[0]
    assert stage.verdict(nxname(columns, zone, absent, ttl)) is Verdict.PASSING
    assert stage.verdict(nxname(columns, zone, present, ttl)) is Verdict.REFUSED
    assert stage.verdict(denials(stage, "static.example.com", None, ttl)) is Verdict.LASTING
    assert stage.verdict(denials(stage, "static.example.com", TYPE_A, ttl)) is Verdict.REFUSED
    assert stage.verdict(denials(stage, "one.wild.example.com", None, ttl)) is Verdict.PASSING
    wild = steered("one.wild.example.com", TYPE_TXT, 300, b"\4wild")
    assert stage.verdict(wild) is Verdict.PASSING
    assert stage.verdict(replace(wild, rdatas=(b"\4evil",))) is Verdict.REFUSED


def test_denials_by_hash(tmp_path: Path) -> None:
    stage = Stage("nsec3", tmp_path)
    wanted = denials(stage, "www.example.com", TYPE_AAAA, 20)
    assert wanted.rtype == TYPE_NSEC3
    assert stage.verdict(wanted) is Verdict.LASTING
    for name in ("static.example.com", "example.com"):
        hashed = nsec3_hash(encode_canonical(name))
        assert stage.verdict(replace(wanted, owner=nsec3_owner(hashed, APEX))) is Verdict.REFUSED
        behind = (int.from_bytes(hashed, "big") + 1).to_bytes(20, "big")
        rdata = wanted.rdatas[0][:6] + behind + wanted.rdatas[0][26:]
        assert stage.verdict(replace(wanted, owner=nsec3_owner(hashed, APEX), rdatas=(rdata,))) is Verdict.REFUSED
    below = denials(stage, "one.apps.example.com", TYPE_AAAA, 20)
    assert stage.verdict(below) is Verdict.PASSING
    assert stage.verdict(replace(below, rdatas=(below.rdatas[0][:26] + type_bitmap([1, 2, 46]),))) is Verdict.REFUSED
    kept_by_caches = NSEC3_PARAMETERS + below.rdatas[0][len(NSEC3_PARAMETERS) :]
    assert stage.verdict(replace(below, rdatas=(kept_by_caches,))) is Verdict.REFUSED
    (instance,) = stage.content.instances[APEX]
    assert types_at(stage.content.columns, stage.content.columns["zone_apex"][instance.zone])


def test_static_records_of_a_balancers_wildcard(tmp_path: Path) -> None:
    """Under the name that was asked; under its own name they are signed in the zone."""
    tree = dict(configuration(write_geodata(tmp_path / "toy.mmdb")))
    tree["zones"] = {**tree["zones"], "example.com": tree["zones"]["example.com"] + '*.apps TXT "below apps"\n'}
    view = signed_view(tree, tmp_path, SomeKeys.make("example.com"))
    check = RequestCheck(SignedContent(view.snapshot, view.table))
    wanted = steered("one.apps.example.com", TYPE_TXT, 300, b"\x0abelow apps")
    assert check.judge(wanted).verdict is Verdict.PASSING
    for other in (
        replace(wanted, owner=encode_canonical("*.apps.example.com")),
        replace(wanted, ttl=301),
        replace(wanted, rdatas=(b"\4evil",)),
        replace(wanted, owner=encode_canonical("exact.apps.example.com")),
    ):
        assert check.judge(other).verdict is Verdict.REFUSED
