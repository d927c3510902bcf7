"""Signed zones: what the fast path answers, the slow path answers byte for byte, with DO and without.

What has yet to be signed is deferred.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lbdns.answer.answer import Road
from lbdns.answer.reply import Client, Transport
from lbdns.answer.respond import respond
from lbdns.answer.serving_view import ServingView
from lbdns.config.loading import parse
from lbdns.dns.codes import FLAG_CO, FLAG_DO
from lbdns.dns.name import name_end
from lbdns.dnssec.unsigned import Unsigned
from lbdns.fastpath.layout import DEFERRED
from lbdns.fastpath.templates import add_templates
from lbdns.mapped.columns import SIGNATURE_HEAD_BYTES
from lbdns.mapped.health_table import HealthTable
from lbdns.mapped.signature_lookup import rrset_key
from lbdns.mapped.signature_table import SignatureTable, SignatureWriter, Signed, create_signatures
from lbdns.snapshot.slots import Slots
from tests.answer.packets import OPTION_ECS, opt, option, query, subnet
from tests.dnssec.balanced_zones import ZONE, random_question, random_tree
from tests.dnssec.in_process import NOW_S, Policy, SomeKeys, signed_snapshot, signs
from tests.dnssec.signed_asking import SignedAsking
from tests.fastpath.lanes import Lane, Served

SLOTS = 4096
WIDTH = SIGNATURE_HEAD_BYTES + 64
ELAPSED_S = 1_000_000
CLIENT = Client(bytes((192, 0, 2, 7)), 40_000)
ECS = ("192.0.2.0/24", "203.0.113.128/25", "2001:db8:1::/48", "0.0.0.0/0")
SEEDS = 8
QUESTIONS = 150


class SignedWorld:
    """A configuration with a signed zone, its health, and a table of signatures that grows with what is asked."""

    def __init__(self, lane: Lane, tree: dict[str, Any], folder: Path, policy: Policy) -> None:
        configuration = parse(tree, folder).configuration
        slots = Slots().assign(configuration)
        health = HealthTable.create(folder / "health.bin", slots.endpoint_count + 1, slots.pool_count + 1, 1)
        keys = SomeKeys.make(ZONE)
        snapshot = signed_snapshot(configuration, signs(keys, policy=policy), health, slots)
        snapshot = add_templates(snapshot, ServingView(snapshot, health))
        create_signatures(folder / "signatures.bin", SLOTS, WIDTH)
        self.writer = SignatureWriter(folder / "signatures.bin")
        self.view = ServingView(snapshot, health, SignatureTable(folder / "signatures.bin"))
        self.asking = SignedAsking.of(self.view, keys)
        self.fast = Served(lane, self.view)

    def sign(self, unsigned: Unsigned) -> None:
        """Put the signatures over something into the table."""
        keys = self.asking.keys[unsigned.apex].keys.zone_signers
        for signer, rdata in zip(keys, self.asking.sign(unsigned), strict=True):
            high, low = rrset_key(
                self.writer.secret, signer.id, unsigned.owner, unsigned.rtype, unsigned.ttl, unsigned.rdatas
            )
            signed = Signed(
                high,
                low,
                rdata[:SIGNATURE_HEAD_BYTES] + rdata[name_end(rdata, SIGNATURE_HEAD_BYTES) :],
                NOW_S + 86_400,
            )
            assert self.writer.put(signed, ELAPSED_S, NOW_S)

    def compare(self, datagram: bytes, draw: int) -> bool:
        """Assert that both paths agree about a datagram, before what it takes is signed and after; return whether the
        fast path answers it then."""
        road = Road()
        slow = respond(self.view, datagram, CLIENT, Transport.UDP, ELAPSED_S, draw, road)
        if road.lacking:
            assert self.fast.ask(datagram, CLIENT.address, ELAPSED_S, draw) == DEFERRED, datagram.hex()
        rounds = 0
        while road.lacking:
            assert rounds < 2
            rounds += 1
            for unsigned in road.lacking:
                self.sign(unsigned)
            road = Road()
            slow = respond(self.view, datagram, CLIENT, Transport.UDP, ELAPSED_S, draw, road)
        said = self.fast.ask(datagram, CLIENT.address, ELAPSED_S, draw)
        streamed = self.fast.stream.ask(datagram, CLIENT.address, ELAPSED_S, draw)
        if streamed != DEFERRED:
            over_tcp = respond(self.view, datagram, CLIENT, Transport.TCP, ELAPSED_S, draw, Road())
            assert streamed == over_tcp, f"over TCP, {datagram.hex()}: {streamed!r} and {over_tcp!r}"
        if said == DEFERRED:
            return False
        assert said == slow, f"{datagram.hex()}: {said!r} and {slow!r}"
        return True


def message(chance: Random, name: str, qtype: str, flags: int) -> bytes:
    """Return a query, with and without what else a resolver says."""
    options = [option(OPTION_ECS, subnet(chance.choice(ECS)))] if chance.random() < 0.3 else []
    edns = opt(*options, flags=flags, size=chance.choice((512, 1232, 1232, 4096)))
    asked = "".join(chance.choice((letter, letter.upper())) for letter in name)
    return query(asked, qtype, edns=edns if flags or chance.random() < 0.5 else b"").wire


@pytest.mark.slow
@pytest.mark.parametrize("denial", ["nsec", "nsec3", "compact"])
def test_random_zones(lane: Lane, tmp_path: Path, denial: str) -> None:
    answered: Counter[tuple[bool, bool]] = Counter()
    for seed in range(SEEDS):
        chance = Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        world = SignedWorld(lane, random_tree(seed), folder, Policy(denial))
        asked = [random_question(chance) for _ in range(QUESTIONS)]
        for name, qtype in asked:
            for flags in (0, FLAG_DO, FLAG_DO | FLAG_CO):
                is_answered = world.compare(message(chance, name, qtype, flags), chance.getrandbits(64))
                answered[flags != 0, is_answered] += 1
    for wants in (False, True):
        share = answered[wants, True] / (answered[wants, True] + answered[wants, False])
        assert share > (0.35 if denial == "nsec" or not wants else 0.1), f"nearly all is deferred: {answered}"


TREE: dict[str, Any] = {
    "settings": {"pop": {"code": "IAD"}, "resolvers": ["127.0.0.1:9"]},
    "zones": {
        ZONE: """
$TTL 300
@ SOA ns1 hostmaster 1 7200 900 1209600 60
@ NS ns1
@ NS ns2
@ MX 10 mail
ns1 A 192.0.2.53
ns2 A 192.0.2.54
mail A 192.0.2.25
mail AAAA 2001:db8::25
static A 192.0.2.80
static TXT "text"
deep.er.ent A 192.0.2.81
*.wild A 192.0.2.99
alias CNAME static
to-www CNAME www
to-apps CNAME Name.Apps
beside CNAME www.beside
outside CNAME www.example.net.
sub NS ns.sub
ns.sub A 203.0.113.1
safe NS ns.example.net.
safe DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
www TXT "beside the load balancer"
"""
    },
    "pools": {
        "four": {"origins": [{"name": "a", "address": "198.51.100.1"}, {"name": "b", "address": "198.51.100.2"}]},
        "dual": {"origins": [{"name": "a", "address": "198.51.100.3"}, {"name": "b", "address": "2001:db8::3"}]},
        "cdn": {"origins": [{"name": "c", "address": "cdn.example.net", "flatten_cname": False}]},
        "here": {"origins": [{"name": "h", "address": "mail.example.com", "flatten_cname": False}]},
        "mx": {"origins": [{"name": "m", "address": "mail.example.com", "priority": 10}]},
    },
    "load_balancers": [
        {"name": "www.example.com", "default_pools": ["four"], "fallback_pool": "four", "ttl": 20},
        {"name": "dual.example.com", "default_pools": ["dual"], "fallback_pool": "dual"},
        {"name": "*.apps.example.com", "default_pools": ["four"], "fallback_pool": "four"},
        {"name": "cdn.example.com", "default_pools": ["cdn"], "fallback_pool": "cdn"},
        {"name": "here.example.com", "default_pools": ["here"], "fallback_pool": "here"},
        {"name": "post.example.com", "default_pools": ["mx"], "fallback_pool": "mx", "type": "MX"},
        {"name": "example.com", "default_pools": ["dual"], "fallback_pool": "dual"},
    ],
}


@pytest.fixture(scope="module")
def world(lane: Lane, tmp_path_factory: pytest.TempPathFactory) -> SignedWorld:
    """One signed zone with one of everything."""
    return SignedWorld(lane, TREE, tmp_path_factory.mktemp("signed"), Policy())


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("static", "A"),
        ("static", "TXT"),
        ("static", "AAAA"),
        ("ent", "A"),
        ("nothing", "A"),
        ("nothing.at.all", "TXT"),
        ("a.wild", "A"),
        ("a.wild", "AAAA"),
        ("www", "A"),
        ("www", "AAAA"),
        ("www", "TXT"),
        ("www", "HTTPS"),
        ("dual", "AAAA"),
        ("", "A"),
        ("", "SOA"),
        ("", "NS"),
        ("", "MX"),
        ("", "DNSKEY"),
        ("", "TXT"),
        ("one.apps", "A"),
        ("Two.apps", "AAAA"),
        ("two.apps", "TXT"),
        ("alias", "A"),
        ("alias", "AAAA"),
        ("to-www", "A"),
        ("to-www", "AAAA"),
        ("to-apps", "A"),
        ("to-apps", "AAAA"),
        ("outside", "A"),
        ("sub", "A"),
        ("host.sub", "A"),
        ("safe", "A"),
        ("safe", "DS"),
        ("cdn", "A"),
        ("cdn", "CNAME"),
        ("here", "A"),
        ("post", "MX"),
    ],
)
def test_what_must_not_be_deferred(world: SignedWorld, name: str, qtype: str) -> None:
    """Whatever is asked for often comes from templates and the table, with signatures and without."""
    full = f"{name}.{ZONE}." if name else f"{ZONE}."
    for flags in (0, FLAG_DO, FLAG_DO | FLAG_CO):
        for draw in (0, 1 << 63, (1 << 64) - 1):
            assert world.compare(query(full, qtype, edns=opt(flags=flags)).wire, draw), "deferred"


@pytest.mark.parametrize("name", ["*.apps", "*.other.apps"])
def test_a_wildcard_load_balancer_asked_for_itself_is_left_to_the_slow_path(world: SignedWorld, name: str) -> None:
    datagram = query(f"{name}.{ZONE}.", "A", edns=opt(flags=FLAG_DO)).wire
    assert not world.compare(datagram, 0)
    assert world.compare(query(f"{name}.{ZONE}.", "A", edns=opt()).wire, 0)


def test_what_is_sent_is_marked_as_used(world: SignedWorld) -> None:
    datagram = query(f"dual.{ZONE}.", "A", edns=opt(flags=FLAG_DO)).wire
    assert world.compare(datagram, 0)
    later_s = ELAPSED_S + 10_000
    before = list(world.writer.columns["signed_used"])
    assert isinstance(world.fast.ask(datagram, CLIENT.address, later_s, 0), bytes)
    changed = [slot for slot, used in enumerate(world.writer.columns["signed_used"]) if used != before[slot]]
    assert len(changed) == 1
